"""A sandbox whose time a test turns by hand, and a caller written from the page alone."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from aiohttp import ClientSession, TCPConnector
from aiohttp.test_utils import TestServer
from yarl import URL

from recon.sandbox.app import build_app, settings_for
from recon.sandbox.options import SandboxOptions
from recon.sandbox.parts import SANDBOX, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from multidict import CIMultiDictProxy

Json: TypeAlias = Any

START = datetime(2026, 1, 1, tzinfo=UTC)


class HandClock:
    """Time that stands still until a test turns it."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def monotonic(self) -> float:
        return self.passed_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def turn(self, seconds: float) -> None:
        self.passed_s += seconds


@dataclass
class Reply:
    """An answer, read as a caller would: fractions as decimals."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> Json:
        return json.loads(self.text, parse_float=Decimal)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass
class World:
    """A running sandbox, the clock it goes by, and a caller."""

    url: URL
    http: ClientSession
    sandbox: Sandbox
    clock: HandClock
    api_key: str
    secret: str
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def call(
        self,
        method: str,
        path: str,
        *,
        user: str | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        api_key: str | None = None,
    ) -> Reply:
        """Call without a signature."""
        sent = {"X-API-Key": self.api_key if api_key is None else api_key}
        if user is not None:
            sent["X-User-Id"] = user
        sent |= headers or {}
        url = URL(f"{self.url.origin()}{path}", encoded=True)
        async with self.http.request(
            method, url, headers=sent, data=None if body is None else BytesIO(body)
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.text())

    async def get(self, path: str, *, user: str | None = None, **headers: str) -> Reply:
        return await self.call("GET", path, user=user, headers=headers)

    def signed_headers(  # every part can be told otherwise, to be refused
        self,
        path: str,
        body: bytes,
        *,
        user: str,
        key: str,
        secret: str | None = None,
        timestamp: str | None = None,
        nonce: str | None = None,
    ) -> dict[str, str]:
        """The headers of a signed POST, by the page's formula."""
        at = str(int(self.clock.now().timestamp())) if timestamp is None else timestamp
        once = f"nonce-{next(self.numbers)}" if nonce is None else nonce
        lines = ["v1", at, once, "POST", path, user, key, hashlib.sha256(body).hexdigest()]
        mac = hmac.new((secret or self.secret).encode(), "\n".join(lines).encode(), "sha256")
        return {
            "Idempotency-Key": key,
            "X-Timestamp": at,
            "X-Nonce": once,
            "X-Signature": f"v1={mac.hexdigest()}",
        }

    async def post(
        self,
        path: str,
        body: dict[str, Any] | bytes | None = None,
        *,
        user: str = "u_1",
        key: str | None = None,
        api_key: str | None = None,
        **signing: str,
    ) -> Reply:
        """Make a signed call."""
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        key = f"key-{next(self.numbers)}" if key is None else key
        headers = self.signed_headers(path, raw, user=user, key=key, **signing)
        return await self.call("POST", path, user=user, headers=headers, body=raw, api_key=api_key)

    # What most tests need on the way to what they prove.

    def player(self, user: str = "u_1", minor: int = 10_000, currency: str = "GBP") -> None:
        self.sandbox.backend.credit(user, currency, minor)

    async def balance(self, user: str = "u_1", currency: str = "GBP") -> tuple[str, str]:
        reply = await self.get(f"/api/v1/user/balance?currency={currency}", user=user)
        assert reply.status == 200, reply.text
        return reply.json["available"], reply.json["held"]

    async def state(self) -> Json:
        return (await self.get("/api/v1/game/state")).json

    async def hold(
        self,
        *,
        user: str = "u_1",
        amount: str = "10.00",
        auto: str = "null",
        key: str | None = None,
    ) -> Reply:
        round_id = (await self.state())["round_id"]
        money = f'"amount":"{amount}","currency":"GBP"'
        body = f'{{"round_id":"{round_id}",{money},"auto_cashout":{auto}}}'
        return await self.post("/api/v1/bets/holds", body.encode(), user=user, key=key)

    async def bet(self, *, user: str = "u_1", amount: str = "10.00", auto: str = "null") -> Json:
        """A confirmed bet in the current round."""
        held = await self.hold(user=user, amount=amount, auto=auto)
        assert held.status == 201, held.text
        confirmed = await self.post(f"/api/v1/bets/holds/{held.json['hold_id']}/confirm", user=user)
        assert confirmed.status == 201, confirmed.text
        return confirmed.json

    async def until(self, status: str) -> None:
        """Turn the clock in small steps until the current round has a status."""
        for _ in range(5000):
            if (await self.state())["status"] == status:
                return
            self.clock.turn(0.01)
            self.sandbox.timeline.catch_up()
            if self.sandbox.engine.current.status == status:
                return
        raise AssertionError(f"the round never became {status}")

    async def next_round(self, least: int) -> None:
        """Turn to the betting of a round whose crash lies at or above ``least`` hundredths."""
        for _ in range(100_000):
            current = self.sandbox.engine.current
            if current.status == "betting" and current.crash_at >= least:
                return
            self.clock.turn(0.05)
            self.sandbox.timeline.catch_up()
        raise AssertionError("no such round")


@pytest.fixture
async def worlds() -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """Starts sandboxes; each runs on its own clock and ends with the test."""
    servers: list[TestServer] = []
    sessions: list[ClientSession] = []

    async def start(**switches: Json) -> World:
        options = SandboxOptions(**{"seed": 7, "tick_s": 0.01, **switches})
        clock = HandClock()
        app = build_app(options, clock=clock)
        server = TestServer(app)
        await server.start_server(auto_decompress=False)
        servers.append(server)
        http = ClientSession(connector=TCPConnector(limit=0), auto_decompress=False)
        sessions.append(http)
        settings = settings_for(str(server.make_url("")), options.seed)
        return World(
            url=server.make_url("/"),
            http=http,
            sandbox=app[SANDBOX],
            clock=clock,
            api_key=settings["RECON_GAME_API_KEY"],
            secret=settings["RECON_GAME_SIGNING_SECRET"],
        )

    yield start
    await asyncio.gather(*(session.close() for session in sessions))
    await asyncio.gather(*(server.close() for server in servers))


@pytest.fixture
async def world(worlds: Callable[..., Awaitable[World]]) -> World:
    """A sandbox with a player u_1 who has 100.00 GBP."""
    started = await worlds()
    started.player()
    return started
