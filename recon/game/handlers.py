"""The internal API's view of the game: its state, or since when it is out of reach."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from aiohttp import web

from recon.clock import format_time
from recon.errors import Unavailable
from recon.game.errors import GameBusy, GameMisconfigured, GameProtocolError, GameUnavailable
from recon.game.watch import GameWatch
from recon.http import Problem, Scope, json_response, operation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from recon.game.client import GameClient

__all__ = [
    "GAME",
    "GAME_WATCH",
    "DegradedProblem",
    "GameDegradedError",
    "GameNotConfiguredError",
    "GameStateView",
    "GameWatch",
    "JsonNumber",
    "game_of",
    "json_number",
    "routes",
]

routes = web.RouteTableDef()

_STATE_WITHIN_S: Final = 3.0

JsonNumber = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": ["number", "null"]})]
"""A multiplier on its way out: a JSON number, digit for digit, or null."""


class GameNotConfiguredError(Unavailable):
    """No game API is configured."""

    code = "game_not_configured"


class DegradedProblem(Problem, frozen=True, omit_defaults=True):
    """What went wrong; ``degraded`` is there, with ``since``, where the game is out of reach."""

    degraded: bool | None = None
    since: str | None = None


class GameDegradedError(Unavailable):
    """The game is out of reach, and since when."""

    code = "game_unavailable"

    def __init__(self, message: str, *, since: datetime, retry_after_s: int) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.since = format_time(since)

    @property
    def extensions(self) -> Mapping[str, object]:
        """As ``degraded`` and ``since``."""
        return {"degraded": True, "since": self.since}


GAME: web.AppKey[GameClient | None] = web.AppKey("game")
GAME_WATCH: web.AppKey[GameWatch] = web.AppKey("game_watch", GameWatch)


class GameStateView(msgspec.Struct, frozen=True):
    """The game's state, passed through."""

    round_id: str
    current_multiplier: JsonNumber
    status: str
    elapsed_ms: int
    timestamp: datetime
    participants: int


def game_of(request: web.Request) -> GameClient:
    """The game's client.

    Raises:
        GameNotConfiguredError: the service runs without a game.
    """
    game = request.config_dict[GAME]
    if game is None:
        raise GameNotConfiguredError("no game API is configured: set RECON_GAME_URL")
    return game


def json_number(value: Decimal | None) -> msgspec.Raw:
    """A decimal as a JSON number with its own digits, or null."""
    return msgspec.Raw(b"null" if value is None else format(value, "f").encode())


@routes.get("/api/v1/game/state")
@operation(scope=Scope.READ_GAME_STATE, answers={200: GameStateView, 503: DegradedProblem})
async def state(request: web.Request) -> web.Response:
    """The game's state; while the game is out of reach, a 503 that says since when.

    A 503 with `game_busy` is our key's rate limit: the game is there.
    """
    view = await _state(game_of(request), request.config_dict[GAME_WATCH])
    return json_response(view, headers={"Cache-Control": "no-store"})


async def _state(game: GameClient, watch: GameWatch) -> GameStateView:
    try:
        # A page that shows the state cannot wait for all of the client's retries.
        async with asyncio.timeout(_STATE_WITHIN_S):
            found = await game.state()
    except GameBusy:
        raise  # it is our key that is used up, not the game that is gone
    except TimeoutError:
        if (queue_s := game.queue_s) > 0:
            raise GameBusy(
                "the game's rate limit leaves no turn in time; nothing was sent",
                wait_s=queue_s,
                status=None,
                request_id="",
            ) from None
        raise GameDegradedError(
            f"the game has not told its state within {_STATE_WITHIN_S:g} s",
            since=watch.down(),
            retry_after_s=math.ceil(_STATE_WITHIN_S),
        ) from None
    except (GameUnavailable, GameProtocolError, GameMisconfigured) as error:
        raise GameDegradedError(
            "the game is out of reach; bets and payouts wait, nothing is lost",
            since=watch.down(),
            retry_after_s=error.retry_after_s,
        ) from error
    watch.up()
    return GameStateView(
        round_id=found.round_id,
        current_multiplier=json_number(found.current_multiplier),
        status=found.status,
        elapsed_ms=found.elapsed_ms,
        timestamp=found.timestamp,
        participants=found.participants,
    )
