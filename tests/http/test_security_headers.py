"""Every answer of every face carries the headers that bind a browser, whoever has made it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from recon.http.keys import Scope, create_key
from recon.http.rate_limits import FAILURES, RateLimiter
from recon.web import Role, add_staff, create_sign_in_link
from recon.web.assets import ASSETS
from tests.http.serving import every_route, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from recon.db import Pool
    from tests.http.serving import Served

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as service:
        service.app._state[FAILURES] = RateLimiter(10_000, 60)  # noqa: SLF001 - a started application is frozen
        yield service


def missing(headers: Mapping[str, str]) -> list[str]:
    """What an answer should have told a browser and did not."""
    is_page = headers.get("Content-Type", "").startswith("text/html")
    wanted = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Server": "recon",
        "Referrer-Policy": "same-origin" if is_page else "no-referrer",
        "Content-Security-Policy": PAGE_POLICY
        if is_page
        else "default-src 'none'; frame-ancestors 'none'; sandbox",
    }
    if is_page:
        wanted["Cross-Origin-Opener-Policy"] = "same-origin"
    told = {name: headers.get(name) for name in wanted}
    found = [f"{name}: {told[name]}" for name in wanted if told[name] != wanted[name]]
    kept = headers.get("Cache-Control")
    if kept not in {"no-store", "public, max-age=31536000, immutable"}:
        found.append(f"Cache-Control: {kept}")
    if "X-Request-Id" not in headers:
        found.append("X-Request-Id")
    return found


async def test_every_route_answers_with_them_to_whoever_calls(served: Served, pool: Pool) -> None:
    key = (await create_key(pool, name="ops", scopes=list(Scope), lifetime=None)).key
    await add_staff(pool, name="ada", role=Role.ADMIN, password=None, actor="cli")
    link = await create_sign_in_link(pool, "ada", timedelta(hours=1))
    async with served.session.post(
        f"{served.url}/sign-in/once/{link}",
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
    ) as answer:
        cookie = answer.cookies["recon"].value
    callers = {
        "ada": {"Accept": "text/html", "Cookie": f"recon={cookie}"},
        "a stranger": {"Accept": "application/json"},
        "a browser": {"Accept": "text/html"},
        "a caller": {"Authorization": f"Bearer {key}", "Idempotency-Key": "k"},
    }
    routes = list(every_route(served.app))
    faults, seen = {}, set()

    async def ask(method: str, path: str, who: str) -> None:
        async with served.session.request(
            method, served.url + path, headers=callers[who], allow_redirects=False
        ) as answer:
            await answer.read()
            seen.add(answer.status)
            if lacking := missing(answer.headers):
                faults[method, path, who] = (answer.status, lacking)
            assert answer.status != 500, (method, path, who)

    await asyncio.gather(*(ask(method, path, who) for method, _, path in routes for who in callers))

    assert not faults, faults
    assert len(routes) > 100
    assert {200, 303, 400, 401, 403, 404} <= seen, seen


async def test_so_do_files_streams_and_everything_that_is_refused(
    served: Served, pool: Pool
) -> None:
    key = (await create_key(pool, name="ops", scopes=list(Scope), lifetime=None)).key
    bearer = {"Authorization": f"Bearer {key}"}
    style = served.app[ASSETS].url("app.css")
    told = {}
    for what, method, path, headers, body in (
        ("health", "GET", "/healthz", {}, None),
        ("metrics", "GET", "/metrics", {}, None),
        ("static", "GET", style, {}, None),
        ("api", "GET", "/api/v1/discrepancies", bearer, None),
        ("streamed", "GET", "/api/v1/discrepancies/export?format=csv", bearer, None),
        ("docs", "GET", "/docs", {"Accept": "text/html"}, None),
        ("schema", "GET", "/openapi.json", {}, None),
        ("nowhere", "GET", "/nowhere", {}, None),
        ("nowhere, a page", "GET", "/nowhere", {"Accept": "text/html"}, None),
        ("wrong method", "DELETE", "/healthz", {}, None),
        ("odd method", "BREW", "/healthz", {}, None),
        ("large webhook", "POST", "/webhooks/bank", {}, b"x" * 300_000),
        ("large body", "POST", "/api/v1/bets", bearer | {"Idempotency-Key": "k"}, b"x" * 1_100_000),
        ("unexpected", "POST", "/healthz", {"Expect": "tea"}, None),
        ("a NUL", "GET", "/api/v1/bets/%00", bearer, None),
    ):
        async with served.session.request(
            method,
            served.url + path,
            headers=headers,
            data=body and BytesIO(body),
            allow_redirects=False,
        ) as answer:
            await answer.read()
            told[what] = answer.status
            assert missing(answer.headers) == [], what

    assert told == {
        "health": 200,
        "metrics": 200,
        "static": 200,
        "api": 200,
        "streamed": 200,
        "docs": 200,
        "schema": 200,
        "nowhere": 404,
        "nowhere, a page": 404,
        "wrong method": 405,
        "odd method": 400,
        "large webhook": 413,
        "large body": 413,
        "unexpected": 417,
        "a NUL": 400,
    }


async def test_what_is_no_http_is_answered_so_too_and_repeated_to_nobody(
    served: Served, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    key = b"rk_Top5ecret"
    for sent in (
        b"GET /\x00%b HTTP/1.1\r\nHost: x\r\n\r\n" % key,
        b"%b\r\n\r\n" % key,
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer %b\r\n\r\n" % key,
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %b\r\n\r\n" % key,
        b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (key * 1000),
        b"GET / HTTP/1.1\r\nHost: x\r\nX: %b\r\n\r\n" % (key * 1000),
        b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n" % (b"X: %b\r\n" % key * 101),
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %b\r\n\r\n" % key,
    ):
        status, headers, body = await served.raw(sent)

        assert status == 400, sent[:80]
        assert headers["content-type"] == "application/problem+json"
        assert missing({name.title(): text for name, text in headers.items()}) == []
        assert b"Top5ecret" not in body
        assert "Top5ecret" not in str(headers)
    out, err = capfd.readouterr()
    assert "Top5ecret" not in f"{out} {err} {caplog.text}"
    assert (out + err).count("request_unreadable") == 8


async def test_a_browser_is_told_to_come_by_https_only_where_it_did(served: Served) -> None:
    told = []
    for scheme in ({}, {"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "http"}):
        async with served.session.get(served.url + "/sign-in", headers=scheme) as answer:
            told.append(answer.headers.get("Strict-Transport-Security"))

    assert told == [None, "max-age=63072000", None]


async def test_no_answer_says_what_it_is_made_of(served: Served) -> None:
    async with served.session.get(served.url + "/nowhere") as answer:
        assert not re.search(r"aiohttp|[Pp]ython", f"{answer.headers} {await answer.text()}")
