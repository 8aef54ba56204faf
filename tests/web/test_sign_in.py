"""Signing in and out, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.errors import Conflict, Invalid, NotFound
from recon.http.flood import FloodGate
from recon.web import Role, add_staff, create_sign_in_link, disable_staff, list_staff
from recon.web.auth.refusals import REFUSALS, Refusals
from recon.web.auth.tokens import derived
from tests.web.conftest import PASSWORD, Site

if TYPE_CHECKING:
    from aiohttp.test_utils import TestServer

    from recon.db import Pool

_TEN_MINUTES = timedelta(minutes=10)


@pytest.mark.parametrize(
    "path", ["/", "/discrepancies", "/discrepancies/x", "/runs", "/verdict", "/wallets/u/GBP"]
)
async def test_a_page_asks_who_you_are_and_remembers_where_you_went(site: Site, path: str) -> None:
    async with site.client.get(path, allow_redirects=False) as response:
        assert response.status == 303
        said = response.headers["Location"]

    assert said == ("/sign-in" if path == "/" else f"/sign-in?next={path}")


async def test_a_sign_in_leads_on_to_the_page_that_was_wanted(site: Site) -> None:
    status, _, headers = await site.post(
        "/sign-in",
        {"name": "maker", "password": "correct horse battery", "next": "/runs?limit=5"},
    )

    assert (status, headers["Location"]) == (303, "/runs?limit=5")
    assert (await site.get("/runs"))[0] == 200
    assert ("staff:maker", "signed_in", "staff:maker") in await site.audited()


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "/\tx", "javascript:x", ""],
)
async def test_a_sign_in_never_leads_to_another_host(site: Site, wanted: str) -> None:
    status, _, headers = await site.post(
        "/sign-in", {"name": "maker", "password": "correct horse battery", "next": wanted}
    )

    assert (status, headers["Location"]) == (303, "/")


async def test_the_cookie_is_for_this_host_and_out_of_reach_of_scripts(site: Site) -> None:
    async with site.client.post(
        "/sign-in",
        data={"name": "maker", "password": "correct horse battery"},
        headers={"Sec-Fetch-Site": "same-origin", "X-Forwarded-Proto": "https"},
        allow_redirects=False,
    ) as response:
        cookie, known = response.headers.getall("Set-Cookie")

    kept, *how = known.split("; ")
    assert kept.startswith("__Host-recon-known=")
    assert set(how) == {"HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax", "Secure"}
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-recon=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    token = name.partition("=")[2]
    stored = bytes(str(await site.pool.fetch("SELECT * FROM sessions")), "utf-8")
    for secret in (token, derived(token, "csrf"), kept.partition("=")[2]):
        assert len(secret) == 43
        assert secret.encode() not in stored


async def test_a_password_is_not_taken_over_plain_http_from_another_machine(site: Site) -> None:
    status, text, _ = await site.post(
        "/sign-in",
        {"name": "maker", "password": "correct horse battery"},
        Host="recon.example",
    )

    assert status == 403
    assert "Sign in over https" in text


@pytest.mark.parametrize(("name", "actor_of"), [("maker", "staff:maker"), ("hunter2", "staff")])
async def test_a_wrong_password_and_an_unknown_name_are_told_the_same(
    site: Site, name: str, actor_of: str
) -> None:
    status, text, _ = await site.post("/sign-in", {"name": name, "password": "wrong"})

    assert status == 401
    assert "Name or password is wrong" in text
    assert (await site.audited())[-1] == ("nobody", "sign_in_failed", actor_of)
    assert "hunter2" not in str(await site.pool.fetch("SELECT * FROM audit"))


async def test_the_sixth_wrong_password_from_one_address_waits_and_so_does_a_right_one(
    site: Site, owner: Pool
) -> None:
    for _ in range(5):
        assert await site.sign_in("maker", "wrong") == 401

    status, text, headers = await site.post(
        "/sign-in", {"name": "maker", "password": "correct horse battery"}
    )
    assert status == 429
    assert 0 < int(headers["Retry-After"]) <= 900
    assert "Too many tries" in text
    assert await site.sign_in("checker") == 303

    await owner.execute("UPDATE sign_in_attempts SET at = at - interval '16 minutes'")
    assert await site.sign_in("maker") == 303


async def test_whoever_guesses_keeps_nobody_out_who_has_signed_in_there_before(
    site: Site,
) -> None:
    """Tries from all over and from one's own network; one's own browser has five of its own."""
    await site.sign_in("maker")
    await site.pool.execute(
        "INSERT INTO sign_in_attempts (attempt_id, place, name_hash)"
        " SELECT gen_random_uuid(), CASE WHEN n <= 5 THEN '127.0.0.1' ELSE '10.0.0.' || n END,"
        " sha256('maker') FROM generate_series(1, 60) AS n"
    )

    async def tried(name: str, password: str, **headers: str) -> int:
        return (await site.post("/sign-in", {"name": name, "password": password}, **headers))[0]

    assert await tried("maker", PASSWORD) == 303
    (known,) = [c.value for c in site.client.session.cookie_jar if c.key == "recon-known"]
    site.client.session.cookie_jar.clear()
    there = {"Cookie": f"recon-known={known}"}

    assert await tried("maker", PASSWORD) == 429
    assert await tried("maker", PASSWORD, Cookie="recon-known=made-up") == 429
    # It is the browser of one name and no other.
    assert [await tried("checker", "wrong", **there) for _ in range(6)] == [*[401] * 5, 429]
    assert [await tried("maker", "wrong", **there) for _ in range(6)] == [*[401] * 5, 429]
    assert await tried("maker", PASSWORD, **there) == 429


async def test_a_flood_at_the_door_fills_no_audit(site: Site, server_at: TestServer) -> None:
    """Links that open nothing, and tries that come too early: three of them are written down."""
    gate = FloodGate(burst=3, clock=lambda: 0.0)
    server_at.app._state[REFUSALS] = Refusals(gate)  # noqa: SLF001 - a started application is frozen

    links = [(await site.post("/sign-in/once/none", {}))[0] for _ in range(9)]
    wrong = [await site.sign_in("maker", "wrong") for _ in range(5)]
    early = [await site.sign_in("maker") for _ in range(9)]

    assert (links, wrong, early) == ([401] * 3 + [429] * 6, [401] * 5, [429] * 9)
    told = [obj for _, action, obj in await site.audited() if action == "sign_in_failed"]
    assert told == ["link"] * 3 + ["staff:maker"] * 5


async def test_guesses_sent_at_once_gain_nothing(site: Site) -> None:
    statuses = await asyncio.gather(*(site.sign_in("maker", f"wrong {n}") for n in range(9)))

    assert statuses.count(401) <= 5
    assert statuses.count(429) >= 4


async def test_one_name_cannot_be_tried_from_many_addresses(site: Site) -> None:
    await site.pool.execute(
        "INSERT INTO sign_in_attempts (attempt_id, place, name_hash)"
        " SELECT gen_random_uuid(), '10.0.0.' || n, sha256('maker')"
        " FROM generate_series(1, 50) AS n"
    )

    assert await site.sign_in("maker") == 429
    assert await site.sign_in("checker") == 303


async def test_one_address_cannot_try_many_names(site: Site) -> None:
    await site.pool.execute(
        "INSERT INTO sign_in_attempts (attempt_id, place, name_hash)"
        " SELECT gen_random_uuid(), '127.0.0.1', sha256(n::text::bytea)"
        " FROM generate_series(1, 50) AS n"
    )

    assert await site.sign_in("maker") == 429


async def test_a_form_of_another_site_is_refused(site: Site) -> None:
    fields = {"name": "maker", "password": "correct horse battery"}

    assert (await site.post("/sign-in", fields, Sec_Fetch_Site="cross-site"))[0] == 403
    async with site.client.post("/sign-in", data=fields) as response:
        assert response.status == 403
    for origin, status in ((site.origin, 303), ("http://evil.example", 403), ("null", 403)):
        async with site.client.post(
            "/sign-in", data=fields, headers={"Origin": origin}, allow_redirects=False
        ) as response:
            assert response.status == status


async def test_a_form_without_the_sessions_token_changes_nothing(site: Site) -> None:
    await site.sign_in("maker")

    status, text, _ = await site.post("/runs", {"csrf": "guessed"})

    assert status == 403
    assert "earlier session" in text
    assert await site.pool.fetchval("SELECT count(*) FROM runs") == 0


@pytest.mark.parametrize(
    ("name", "status", "runs"),
    [("watcher", 403, 0), ("maker", 303, 1), ("checker", 303, 1), ("root", 303, 1)],
)
async def test_a_run_is_started_by_whoever_has_the_right(
    site: Site, name: str, status: int, runs: int
) -> None:
    await site.sign_in(name)

    answered, text, _ = await site.post("/runs", {"csrf": await site.csrf()})

    assert answered == status
    assert await site.pool.fetchval("SELECT count(*) FROM runs") == runs
    assert ("Your role, viewer" in text) == (runs == 0)


async def test_a_viewer_is_not_shown_what_they_may_not_do(site: Site) -> None:
    await site.sign_in("watcher")
    assert "Run now" not in (await site.get("/"))[1]

    await site.sign_in("maker")
    assert "Run now" in (await site.get("/"))[1]


async def test_a_link_signs_in_once(site: Site) -> None:
    token = await create_sign_in_link(site.pool, "watcher", _TEN_MINUTES)

    # A program that reads mail looks first, and a browser ahead.
    for _ in range(2):
        status, text = await site.get(f"/sign-in/once/{token}")
        assert (status, "Sign in as watcher</button>" in text) == (200, True)
        async with site.client.head(f"/sign-in/once/{token}") as response:
            assert response.status == 200
    assert (await site.get("/"))[0] == 303
    crossed = await site.post(f"/sign-in/once/{token}", {}, Sec_Fetch_Site="cross-site")
    assert crossed[0] == 403

    assert (await site.post(f"/sign-in/once/{token}", {}))[0] == 303
    assert (await site.get("/"))[0] == 200
    again = await site.post(f"/sign-in/once/{token}", {})
    for status, text in (again[:2], await site.get(f"/sign-in/once/{token}")):
        assert status == 401
        assert "used already or is too old" in text
    assert ("staff:watcher", "signed_in", "staff:watcher") in await site.audited()


async def test_a_link_is_worth_nothing_when_it_is_old_or_its_owner_is_gone(site: Site) -> None:
    old = await create_sign_in_link(site.pool, "maker", timedelta(seconds=-1))
    gone = await create_sign_in_link(site.pool, "watcher", _TEN_MINUTES)
    await disable_staff(site.pool, "watcher", actor="cli")

    for token in (old, gone):
        assert (await site.get(f"/sign-in/once/{token}"))[0] == 401
        assert (await site.post(f"/sign-in/once/{token}", {}))[0] == 401
    with pytest.raises(NotFound):
        await create_sign_in_link(site.pool, "watcher", _TEN_MINUTES)


async def test_signing_out_ends_the_session_on_the_server(site: Site) -> None:
    await site.sign_in("maker")
    (cookie,) = [c for c in site.client.session.cookie_jar if c.key == "recon"]

    assert (await site.post("/sign-out", {"csrf": await site.csrf()}))[0] == 303

    assert (await site.get("/", Cookie=f"recon={cookie.value}"))[0] == 303
    assert ("staff:maker", "signed_out", "staff:maker") in await site.audited()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE sessions SET last_seen_at = now() - interval '31 minutes'",
        "UPDATE sessions SET created_at = now() - interval '12 hours 1 second'",
        "UPDATE staff SET disabled_at = now()",
    ],
)
async def test_a_session_ends_by_revocation_by_idling_by_age_and_with_its_owner(
    site: Site, statement: str
) -> None:
    await site.sign_in("maker")
    assert (await site.get("/"))[0] == 200

    await site.pool.execute(statement)

    assert (await site.get("/"))[0] == 303


async def test_a_page_that_refreshes_itself_keeps_no_session_alive(site: Site) -> None:
    await site.sign_in("maker")
    await site.pool.execute("UPDATE sessions SET last_seen_at = now() - interval '20 minutes'")
    idle = "SELECT now() - last_seen_at > interval '19 minutes' FROM sessions"

    assert (await site.get("/verdict"))[0] == 200
    assert await site.pool.fetchval(idle)

    assert (await site.get("/"))[0] == 200
    assert not await site.pool.fetchval(idle)


async def test_a_second_sign_in_ends_the_first_session(site: Site) -> None:
    await site.sign_in("maker")
    await site.sign_in("checker")

    live = await site.pool.fetch("SELECT name FROM sessions WHERE revoked_at IS NULL")
    assert [row["name"] for row in live] == ["checker"]


async def test_staff_are_added_listed_and_disabled(site: Site) -> None:
    await add_staff(site.pool, name="nora", role=Role.VIEWER, password=None, actor="cli")
    await disable_staff(site.pool, "nora", actor="cli")

    listed = {member.name: member for member in await list_staff(site.pool)}
    assert listed["nora"].role is Role.VIEWER
    assert listed["nora"].disabled_at is not None
    assert listed["maker"].disabled_at is None
    with pytest.raises(Conflict):
        await add_staff(site.pool, name="nora", role=Role.VIEWER, password=None, actor="cli")
    with pytest.raises(Invalid, match="12"):
        await add_staff(site.pool, name="new", role=Role.VIEWER, password="short", actor="cli")
    with pytest.raises(NotFound):
        await disable_staff(site.pool, "nobody", actor="cli")


async def test_without_a_provider_there_is_no_button_and_no_such_place(site: Site) -> None:
    assert "Continue with" not in (await site.get("/sign-in"))[1]
    assert (await site.get("/sign-in/oidc"))[0] == 404
    assert (await site.get("/sign-in/oidc/callback?code=x&state=y"))[0] == 404
