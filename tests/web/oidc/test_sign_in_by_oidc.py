"""Signing in at the provider, and who is let in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient
from yarl import URL

from recon.errors import NotFound
from recon.http.flood import FloodGate
from recon.web import Doors, Role, disable_staff, list_staff, unlink_staff
from recon.web.auth.doors import DOORS
from tests.web.conftest import Site
from tests.web.oidc.house import ADA, ec

if TYPE_CHECKING:
    from aiohttp.test_utils import TestServer

    from recon.db import Pool
    from recon.web import Provider
    from tests.web.oidc.conftest import Desk


async def roles(pool: Pool) -> dict[str, Role]:
    """What everybody may do."""
    return {one.name: one.role for one in await list_staff(pool)}


async def test_who_the_provider_knows_is_signed_in_and_led_to_the_page_they_wanted(
    desk: Desk,
) -> None:
    asked = await desk.go("/runs?limit=5")
    back = await desk.agree(asked)
    async with desk.site.client.get(back, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/runs?limit=5")

    assert (await desk.site.get("/runs"))[0] == 200
    question = URL(asked).query
    assert (question["tenant"], question["response_type"], question["scope"]) == (
        "acme",
        "code",
        "openid email profile",
    )
    assert question["code_challenge_method"] == "S256"
    assert len({question[name] for name in ("state", "nonce", "code_challenge")}) == 3
    assert len(desk.house.seen[0]["code_verifier"]) == 43
    audited = [(actor, action, of) for actor, action, of in await desk.site.audited()][-2:]
    assert audited == [
        ("oidc", "identity_linked", "staff:maker"),
        ("staff:maker", "signed_in", "staff:maker"),
    ]
    by = "SELECT detail ->> 'by' FROM audit WHERE action = 'signed_in'"
    assert await desk.site.pool.fetchval(by) == "oidc"
    stored = str(await desk.site.pool.fetch("SELECT * FROM audit, oidc_starts"))
    assert not any(question[name] in stored for name in ("state", "nonce"))


async def test_the_cookie_of_a_sign_in_is_for_this_host_and_out_of_reach_of_scripts(
    desk: Desk,
) -> None:
    async with desk.site.client.get(
        "/sign-in/oidc", headers={"X-Forwarded-Proto": "https"}, allow_redirects=False
    ) as response:
        (cookie,) = response.headers.getall("Set-Cookie")
        assert response.headers["Cache-Control"] == "no-store"

    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-recon-oidc=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    assert name.partition("=")[2] not in response.headers["Location"]


@pytest.mark.parametrize(
    ("methods", "secret", "key"),
    [(("client_secret_post",), True, "rsa"), (("none",), False, "ec")],
)
async def test_a_provider_may_know_us_by_the_form_or_by_pkce_alone_and_sign_on_a_curve(
    desk: Desk, methods: tuple[str, ...], key: str, *, secret: bool
) -> None:
    desk.house.client.methods = methods
    if not secret:
        desk.set_up(client_secret=None)
    if key == "ec":
        desk.house.keys, desk.house.alg = [ec("curve")], "ES256"

    assert (await desk.sign_in())[0] == 303
    assert ("client_secret" in desk.house.seen[0]) == secret


async def test_one_address_sends_only_so_many_to_the_provider(
    desk: Desk, server_at: TestServer, doors: Doors
) -> None:
    """Each would be a row of the database for ten minutes; whoever is there may still come back."""
    gate = FloodGate(burst=3, per_s=0.5, clock=lambda: 0.0)
    server_at.app._state[DOORS] = replace(doors, begun=gate)  # noqa: SLF001 - a started application is frozen

    asked = [await desk.go() for _ in range(3)]
    async with desk.site.client.get(
        "/sign-in/oidc", headers={"Accept": "text/html"}, allow_redirects=False
    ) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "2")
        assert "Set-Cookie" not in response.headers
        assert "Too many tries" in await response.text()
    # Where nobody has clicked, nobody is sent to the provider, and nothing is counted.
    status, _ = await desk.site.get("/sign-in/oidc", **{"Sec-Fetch-Site": "cross-site"})

    assert status == 303
    assert await desk.site.pool.fetchval("SELECT count(*) FROM oidc_starts") == 3
    assert (await desk.site.get(await desk.agree(asked[-1])))[0] == 303


async def test_an_answer_counts_once(desk: Desk) -> None:
    back = await desk.agree(await desk.go())
    first, second = await asyncio.gather(desk.site.get(back), desk.site.get(back))

    assert sorted([first[0], second[0]]) == [303, 401]
    assert (await desk.site.get(back))[0] == 401
    assert await desk.sessions() == 1
    # A code that was seen on its way is worth nothing with a new question either.
    code = URL(back).query["code"]
    state = URL(await desk.go()).query["state"]
    again = str(URL("/sign-in/oidc/callback").with_query(code=code, state=state))
    assert (await desk.site.get(again))[0] == 401
    assert await desk.reasons() == ["code_refused"]


async def test_an_answer_to_another_browser_or_to_nobody_signs_nobody_in(
    desk: Desk, server_at: TestServer
) -> None:
    back = await desk.agree(await desk.go())
    async with TestClient(server_at, cookie_jar=CookieJar(unsafe=True)) as other:
        stranger = Site(other, desk.site.pool, desk.site.origin)
        assert (await stranger.get(back))[0] == 401
        # Nor with a question of their own: the code is of another.
        await stranger.get("/sign-in/oidc")
        status, text = await stranger.get(back)
        assert (status, "not begun in this browser" in text) == (401, True)
        for path in (
            "/sign-in/oidc/callback",
            "/sign-in/oidc/callback?code=x&state=",
            f"{back}&state=x",
            f"/sign-in/oidc/callback?error=x&state={'s' * 9000}",
        ):
            assert (await desk.site.get(path))[0] in {400, 401}, path
        assert await desk.sessions() == 0

        assert (await desk.site.get(back))[0] == 303, "whom it answers still comes in by it"


async def test_who_takes_longer_than_ten_minutes_begins_again(desk: Desk, owner: Pool) -> None:
    back = await desk.agree(await desk.go())
    await owner.execute("UPDATE oidc_starts SET started_at = started_at - interval '11 minutes'")

    status, text = await desk.site.get(back)

    assert (status, "took too long" in text) == (401, True)
    await desk.go()
    assert await desk.site.pool.fetchval("SELECT count(*) FROM oidc_starts") == 1


async def test_a_code_is_worth_nothing_without_our_verifier(desk: Desk) -> None:
    back = await desk.agree(await desk.go())
    (code,) = desk.house.codes.values()
    code.code_challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    assert (await desk.site.get(back))[0] == 401
    assert await desk.reasons() == ["code_refused"]


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:x", ""]
)
async def test_it_never_leads_to_another_host(desk: Desk, wanted: str) -> None:
    back = await desk.agree(await desk.go(wanted))
    async with desk.site.client.get(back, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")


async def test_what_the_provider_says_of_a_failure_is_not_shown(desk: Desk) -> None:
    desk.house.denies = True
    back = await desk.agree(await desk.go())
    assert "error=access_denied" in back

    status, text = await desk.site.get(f"{back}&error_description=%3Cscript%3Eboo%3C/script%3E")

    assert status == 401
    assert "The sign-in provider did not sign you in" in text
    assert "boo" not in text
    assert "access_denied" not in text
    assert await desk.reasons() == ["denied_by_provider"]


async def test_an_answer_of_another_provider_is_not_taken_for_ours(desk: Desk) -> None:
    back = await desk.agree(await desk.go())
    assert (await desk.site.get(f"{back}&iss=https://other.example"))[0] == 401
    desk.house.says_iss = True
    desk.clock.at += 3601
    assert (await desk.sign_in())[0] == 303
    back = await desk.agree(await desk.go())

    status, text = await desk.site.get(back.partition("&iss=")[0])

    assert (status, "another sign-in provider" in text) == (401, True)
    assert await desk.reasons() == ["mixed_up", "mixed_up"]


async def test_nobody_is_let_in_who_is_not_on_the_staff_or_is_disabled(desk: Desk) -> None:
    desk.house.who |= {"email": "<i>eve", "sub": "eve"}
    status, text = await desk.sign_in()
    assert (status, "knows you as &lt;i&gt;eve, and nobody" in text) == (401, True)

    desk.house.who = dict(ADA)
    back = await desk.agree(await desk.go())
    await disable_staff(desk.site.pool, "maker", actor="cli")
    status, text = await desk.site.get(back)
    assert (status, "maker may not sign in any more" in text) == (401, True)

    assert await desk.reasons() == ["not_on_staff", "disabled"]
    assert await desk.site.pool.fetchval("SELECT count(*) FROM staff_identities") == 0
    assert await desk.sessions() == 0
    assert "<i>eve" not in await roles(desk.site.pool)


async def test_who_is_disabled_meanwhile_is_out_at_once(desk: Desk) -> None:
    assert (await desk.sign_in())[0] == 303
    assert (await desk.site.get("/runs"))[0] == 200

    await disable_staff(desk.site.pool, "maker", actor="cli")

    assert (await desk.site.get("/runs"))[0] == 303


async def test_an_address_that_the_provider_has_not_verified_is_nobodys(desk: Desk) -> None:
    for verified in (False, "true", None):
        desk.house.who["email_verified"] = verified
        assert (await desk.sign_in())[0] == 401
    for email in (None, "", " maker", ["maker"], "m" * 129):
        desk.house.who |= {"email": email, "email_verified": True}
        assert (await desk.sign_in())[0] == 401

    assert await desk.reasons() == ["email_not_verified"] * 3 + ["no_name"] * 5


async def test_a_person_stays_who_they_are_whatever_the_provider_calls_them(desk: Desk) -> None:
    assert (await desk.sign_in())[0] == 303

    # Another account that has taken the name on.
    desk.house.who["sub"] = "666"
    status, text = await desk.sign_in()
    assert (status, "linked with another account" in text) == (401, True)
    # Married, and called otherwise.
    desk.house.who |= {"sub": ADA["sub"], "email": "checker"}
    assert (await desk.sign_in())[0] == 303

    by = "SELECT name, count(*) FROM sessions GROUP BY name"
    assert {row["name"]: row["count"] for row in await desk.site.pool.fetch(by)} == {"maker": 2}


async def test_an_account_is_unlinked_by_an_administrator(desk: Desk) -> None:
    assert (await desk.sign_in())[0] == 303
    desk.house.who["sub"] = "new account"
    assert (await desk.sign_in())[0] == 401

    await unlink_staff(desk.site.pool, "maker", actor="cli")

    assert (await desk.sign_in())[0] == 303
    with pytest.raises(NotFound):
        await unlink_staff(desk.site.pool, "watcher", actor="cli")
    assert ("cli", "identity_unlinked", "staff:maker") in await desk.site.audited()


async def test_where_the_provider_gives_roles_its_word_counts_at_each_sign_in(desk: Desk) -> None:
    desk.set_up(roles={"pay-approvers": Role.APPROVER, "pay": Role.VIEWER})
    desk.house.who |= {"email": "nora@acme.example", "groups": ["all", "pay", "pay-approvers"]}
    assert (await desk.sign_in())[0] == 303
    assert (await roles(desk.site.pool))["nora@acme.example"] is Role.APPROVER

    desk.house.who["groups"] = "pay"
    assert (await desk.sign_in())[0] == 303
    assert (await roles(desk.site.pool))["nora@acme.example"] is Role.VIEWER
    for groups in ([], ["all"], None, {"pay": 1}):
        desk.house.who["groups"] = groups
        assert (await desk.sign_in())[0] == 401
    assert await desk.reasons() == ["no_role"] * 4

    done = [(a, b) for a, b, of in await desk.site.audited() if of == "staff:nora@acme.example"]
    assert done == [
        ("oidc", "staff_added"),
        ("oidc", "identity_linked"),
        ("staff:nora@acme.example", "signed_in"),
        ("oidc", "role_changed"),
        ("staff:nora@acme.example", "signed_in"),
        ("staff:nora@acme.example", "signed_out"),
    ]


async def test_two_first_sign_ins_at_once_are_one_person(desk: Desk, provider: Provider) -> None:
    desk.set_up(roles={"pay": Role.ANALYST})
    desk.house.who |= {"email": "nora", "groups": ["pay"]}
    assert provider.client.roles
    backs = []
    jars = [CookieJar(unsafe=True) for _ in range(4)]
    for jar in jars:
        desk.site.client.session._cookie_jar = jar  # noqa: SLF001 - four browsers, one client
        backs.append((jar, await desk.agree(await desk.go())))

    async def arrive(jar: CookieJar, back: str) -> int:
        cookies = {cookie.key: cookie.value for cookie in jar}
        async with desk.http.get(
            URL(f"{desk.site.origin}{back}", encoded=True), cookies=cookies, allow_redirects=False
        ) as response:
            return response.status

    assert await asyncio.gather(*(arrive(*one) for one in backs)) == [303] * 4
    added = [of for _, action, of in await desk.site.audited() if action == "staff_added"]
    assert added.count("staff:nora") == 1


async def test_what_the_id_token_lacks_is_asked_for_and_must_be_of_the_same_person(
    desk: Desk,
) -> None:
    desk.house.only_in_userinfo = frozenset({"email", "email_verified"})
    assert (await desk.sign_in())[0] == 303
    assert desk.house.asked["/userinfo"] == 1

    desk.house.claims = lambda claims: claims | {"sub": "another"}
    assert (await desk.sign_in())[0] == 401
    assert await desk.reasons() == ["userinfo_of_another"]


async def test_the_button_is_there_where_a_provider_is_and_leads_on(desk: Desk) -> None:
    status, text = await desk.site.get("/sign-in?next=/runs%3Flimit%3D5")

    assert (status, "Continue with Acme" in text) == (200, True)
    assert 'href="/sign-in/oidc?next=/runs%3Flimit%3D5"' in text
    assert 'name="password"' in text


async def test_a_link_on_another_site_or_a_look_ahead_begins_nothing(desk: Desk) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Purpose": "prefetch"}):
        async with desk.site.client.get(
            "/sign-in/oidc?next=/runs", headers=headers, allow_redirects=False
        ) as response:
            assert response.status == 303
            assert response.headers["Location"] == "/sign-in?next=/runs"
    async with desk.site.client.get(
        "/sign-in/oidc", headers={"Host": "recon.example", "Accept": "text/html"}
    ) as response:
        assert (response.status, "Sign in over https" in await response.text()) == (403, True)
    assert await desk.site.pool.fetchval("SELECT count(*) FROM oidc_starts") == 0


class TestWithoutPasswords:
    """The provider alone."""

    @pytest.fixture
    def doors(self, provider: Provider) -> Doors:
        return Doors(passwords=False, provider=provider)

    async def test_a_password_is_neither_asked_for_nor_taken(self, desk: Desk) -> None:
        _, text = await desk.site.get("/sign-in")
        status, refusal, _ = await desk.site.post(
            "/sign-in", {"name": "maker", "password": "correct horse battery"}
        )

        assert ("Continue with Acme" in text, 'name="password"' in text) == (True, False)
        assert (status, "Passwords are not taken here" in refusal) == (403, True)
        assert (await desk.sign_in())[0] == 303
