"""The internal API's calls of bets, as a lobby's backend makes them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import TCPConnector, web
from aiohttp.test_utils import TestClient, TestServer

from recon.bets import handlers as bets
from recon.bets.desk import DESK, Desk
from recon.clock import new_id
from recon.db import POOL
from recon.game import handlers as game
from recon.http import Scope
from recon.http.authenticate import KEYS, Keys
from recon.http.keys import create_key
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from recon.http.stored_requests import REQUESTS, Requests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from recon.game import GameClient
    from tests.bets.conftest import World

__all__ = ["Api", "Moment", "body", "leave", "once", "serving"]

Api = TestClient[web.Request, web.Application]


@asynccontextmanager
async def serving(
    world: World, client: GameClient | None, *, middlewares: Sequence[Any] = ()
) -> AsyncIterator[Api]:
    """The API on a socket, with a caller who may do all of it; the handlers die with the caller."""
    app = web.Application(middlewares=[*middlewares, problem_middleware])
    app[POOL] = world.pool
    app[KEYS], app[REQUESTS] = Keys(world.pool), Requests(world.pool)
    app[DESK] = Desk(world.pool)
    app[game.GAME] = client
    app[game.GAME_WATCH] = game.GameWatch(world.clock.now)
    app[LIMITER] = RateLimiter(1000, 60)
    app[FAILURES] = RateLimiter(1000, 60)
    app.add_routes(bets.routes)
    app.add_routes(game.routes)
    scopes = [Scope.WRITE_BET, Scope.READ_BET, Scope.READ_GAME_STATE]
    key = await create_key(world.pool, name="test", scopes=scopes, lifetime=None)
    server = TestServer(app, handler_cancellation=True)
    headers = {"Authorization": f"Bearer {key.key}"}
    # As many at once as there are callers.
    async with TestClient(server, headers=headers, connector=TCPConnector(limit=0)) as opened:
        yield opened


def body(world: World, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A wish for 10.00 of u_1 on the present round."""
    wanted = {
        "user_id": "u_1",
        "round_id": world.round.round_id,
        "amount": "10.00",
        "currency": "GBP",
        "auto_cashout": "2.50",
    }
    return {**wanted, **changes}


class Moment:
    """Where a call is held until its caller has gone."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.left = asyncio.Event()

    async def hold(self) -> None:
        """Stand still there."""
        self.begun.set()
        await self.left.wait()


async def leave(api: Api, path: str, moment: Moment, **how: Any) -> None:  # noqa: ANN401 - aiohttp's
    """Call, and go away in a moment of the call; the server has noticed."""
    calling = asyncio.create_task(api.post(path, **how))
    async with asyncio.timeout(60):
        await moment.begun.wait()
        open_then = len(api.server.handler.connections)
        calling.cancel()
        await asyncio.wait({calling})
        while len(api.server.handler.connections) == open_then:  # noqa: ASYNC110 - the server's
            await asyncio.sleep(0.01)
    assert calling.cancelled()


def once(key: str | None = None) -> dict[str, str]:
    """A key that was not used before, or the given one."""
    return {"Idempotency-Key": key or str(new_id())}
