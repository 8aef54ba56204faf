"""A game written for these tests: a real server on loopback that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from recon.game import GameClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from recon.game import Attempt

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class StubGame:
    """Answers in the order given to `will`; the last answer repeats."""

    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    _answers: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(
        default_factory=list
    )

    def will(self, *answers: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        self._answers = list(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            Seen(request.method, request.raw_path, request.headers, await request.read())
        )
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return await answer(request)

    def says(
        self, status: int, body: object = None, **headers: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """An answer; text goes out as it is, so that numbers keep their digits."""
        text = body if isinstance(body, str) else json.dumps(body)

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(
                status=status,
                body=text.encode(),
                content_type="application/json",
                headers={name.replace("_", "-"): value for name, value in headers.items()},
            )

        return answer

    def refuses(
        self, status: int, code: str, **headers: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return self.says(
            status, {"code": code, "message": "because", "request_id": "q1"}, **headers
        )

    def stalls(self, seconds: float) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Takes effect, and answers too late for anybody to hear."""

        async def answer(_: web.Request) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return web.json_response({})

        return answer

    def hold(self, **changes: object) -> dict[str, Any]:
        return {
            "hold_id": "h_1",
            "round_id": "r_77",
            "user_id": "u_1001",
            "amount": "10.00",
            "currency": "GBP",
            "auto_cashout": 2.5,
            "status": "held",
            "expires_at": "2026-01-01T12:00:30Z",
        } | changes

    def bet(self, **changes: object) -> dict[str, Any]:
        return {
            "ticket_id": "t_1",
            "hold_id": "h_1",
            "round_id": "r_77",
            "user_id": "u_1001",
            "amount": "10.00",
            "currency": "GBP",
            "auto_cashout": None,
            "status": "active",
            "cashout_multiplier": None,
            "payout_transaction_id": None,
            "placed_at": "2026-01-01T12:00:01Z",
        } | changes

    def balance(self, **changes: object) -> dict[str, Any]:
        return {
            "user_id": "u_1001",
            "currency": "GBP",
            "available": "120.50",
            "held": "10.00",
            "as_of": "2026-01-01T12:00:00Z",
        } | changes

    def state(self, **changes: object) -> dict[str, Any]:
        return {
            "round_id": "r_77",
            "current_multiplier": 1.25,
            "status": "active",
            "elapsed_ms": 3200,
            "timestamp": "2026-01-01T12:00:00Z",
            "participants": 41,
        } | changes


@dataclass
class Rig:
    """A client of the stub, with what it slept and tried on record."""

    game: StubGame
    client: GameClient
    slept: list[float]
    attempts: list[Attempt]


@pytest.fixture
async def game() -> AsyncIterator[StubGame]:
    stub = StubGame()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", stub.handle)
    # No grace for stalled handlers: their clients have long gone.
    server = TestServer(app, shutdown_timeout=0.01)
    await server.start_server()
    stub.url = str(server.make_url("/")).rstrip("/")
    stub.will(stub.says(200, stub.state()))
    yield stub
    await server.close()


@pytest.fixture
async def open_rig(game: StubGame) -> AsyncIterator[Callable[..., Awaitable[Rig]]]:
    """Opens clients with other settings than `rig`'s."""
    async with AsyncExitStack() as stack:

        async def open_one(**settings: object) -> Rig:
            slept: list[float] = []
            attempts: list[Attempt] = []

            async def sleep(seconds: float) -> None:
                slept.append(seconds)

            def monotonic() -> float:
                return asyncio.get_running_loop().time() + sum(slept)

            arguments: dict[str, Any] = {
                "base_url": game.url,
                "api_key": "ck_sandbox_topsecretkey",
                "signing_secret": "sk_sandbox_4f1d9c",
                "clock": lambda: NOON,
                "monotonic": monotonic,
                "sleep": sleep,
                "on_attempt": attempts.append,
            } | settings
            client = await stack.enter_async_context(GameClient(**arguments))
            return Rig(game, client, slept, attempts)

        yield open_one


@pytest.fixture
async def rig(open_rig: Callable[..., Awaitable[Rig]]) -> Rig:
    return await open_rig()
