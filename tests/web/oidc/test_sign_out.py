"""Signing out here, and at the provider."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientTimeout, web
from yarl import URL

if TYPE_CHECKING:
    from tests.web.oidc.conftest import Desk


async def leave(desk: Desk, **headers: str) -> tuple[int, str | None]:
    """Follow the link: status, and where it leads."""
    async with desk.site.client.get(
        "/sign-in/oidc/leave", headers={"Accept": "text/html", **headers}, allow_redirects=False
    ) as answer:
        return answer.status, answer.headers.get("Location")


async def test_who_signs_out_here_is_shown_where_they_sign_out_at_the_provider(desk: Desk) -> None:
    place = f"{desk.house.origin}/end?tenant=acme"
    desk.house.metadata["end_session_endpoint"] = place
    await desk.sign_in()

    _, _, headers = await desk.site.act("/sign-out")

    assert headers["Location"] == "/sign-in?left=1"
    _, page = await desk.site.get("/sign-in?left=1")
    assert "You are signed out here." in page
    assert 'Acme may still know you: <a href="/sign-in/oidc/leave">' in page
    status, there = await leave(desk)
    assert status == 303
    assert there is not None
    assert (there.startswith(place), dict(URL(there).query)) == (
        True,
        {"tenant": "acme", "client_id": desk.provider.client.client_id},
    )
    # By a click on our page alone.
    assert await leave(desk, **{"Sec-Fetch-Site": "cross-site"}) == (303, "/sign-in")
    assert await leave(desk, **{"Sec-Purpose": "prefetch"}) == (303, "/sign-in")
    kept = str(await desk.site.pool.fetch("SELECT * FROM sessions, staff_identities, audit"))
    assert "eyJ" not in kept, "no token of the provider is kept for it"


@pytest.mark.parametrize("broken", [False, True])
async def test_where_the_provider_has_no_such_place_or_is_gone_signing_out_is_as_ever(
    desk: Desk, *, broken: bool
) -> None:
    await desk.sign_in()
    if broken:
        desk.clock.at += 3601  # what it said of itself is asked for anew
        desk.house.metadata["issuer"] = "https://elsewhere.example"

    status, _, headers = await desk.site.act("/sign-out")

    assert (status, headers["Location"]) == (303, "/sign-in")
    assert "You are signed out here." not in (await desk.site.get("/sign-in"))[1]
    assert (await leave(desk))[0] == (503 if broken else 404)
    live = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"
    assert await desk.site.pool.fetchval(live) == 0


async def test_a_provider_that_does_not_answer_keeps_nobody_signed_in_or_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.sign_in()
    desk.clock.at += 3601  # what it said of itself is asked for anew
    let_go = asyncio.Event()

    async def silence() -> web.Response:
        await let_go.wait()
        return web.Response()

    desk.house.answers["/.well-known/openid-configuration"] = silence
    monkeypatch.setattr("recon.web.auth.oidc.leave._WITHIN_S", 0.05)
    monkeypatch.setattr("recon.web.auth.oidc.fetching._TIMEOUT", ClientTimeout(total=600))

    status, _, headers = await asyncio.wait_for(desk.site.act("/sign-out"), 60)
    let_go.set()

    assert (status, headers["Location"]) == (303, "/sign-in")
    live = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"
    assert await desk.site.pool.fetchval(live) == 0


async def test_a_place_that_is_not_https_is_no_place_to_send_anybody(desk: Desk) -> None:
    desk.house.metadata["end_session_endpoint"] = "http://elsewhere.example/end"

    assert (await leave(desk))[0] == 503
