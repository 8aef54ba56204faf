"""The control surface under ``/sandbox``: what a back office would offer, and the faults.

It asks for no key, so the sandbox listens on loopback unless told otherwise. Its errors have the
shape of the API's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from aiohttp import web

from recon.clock import format_time, parse_time
from recon.errors import Conflict, Invalid, NotFound
from recon.money import format_minor, parse_minor
from recon.sandbox.control_wire import Name, read_body, shown
from recon.sandbox.parts import SANDBOX
from recon.sandbox.stream import STREAM_FAULTS

if TYPE_CHECKING:
    from datetime import datetime

    from recon.sandbox.accounts import Player
    from recon.sandbox.parts import Sandbox

__all__ = ["routes"]

STATE_NOTE: Final = "all state lives in memory and ends with the process"


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /sandbox/users``."""

    user_id: Name
    currency: str
    available: str = "0"


class UserSwitches(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /sandbox/users/{user_id}``."""

    allowed: bool


class FaultRates(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /sandbox/faults``: kind → probability; kinds left out stay as they are."""

    rates: dict[str, float]


class Age(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /sandbox/lifecycle``; what is left out stays, null clears."""

    version: str | msgspec.UnsetType = msgspec.UNSET
    deprecated_at: str | msgspec.UnsetType | None = msgspec.UNSET
    sunset_at: str | msgspec.UnsetType | None = msgspec.UNSET


class Limit(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /sandbox/rate-limit``."""

    limit: Annotated[int, msgspec.Meta(ge=1)]


class StreamSwitches(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /sandbox/stream``."""

    silent: bool


class StreamEnd(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /sandbox/stream/close``: a close code that a server may send."""

    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)]


def routes() -> list[web.RouteDef]:
    """Every control route of the game half."""
    return [
        web.get("/sandbox", about),
        web.post("/sandbox/users", open_user),
        web.get("/sandbox/users/{user_id}", show_user),
        web.put("/sandbox/users/{user_id}", switch_user),
        web.post("/sandbox/rounds/current/cancel", cancel_round),
        web.get("/sandbox/faults", show_faults),
        web.put("/sandbox/faults", set_faults),
        web.put("/sandbox/stream", switch_stream),
        web.post("/sandbox/stream/close", close_streams),
        web.put("/sandbox/lifecycle", set_lifecycle),
        web.put("/sandbox/rate-limit", set_limit),
    ]


async def about(request: web.Request) -> web.Response:
    """What this is, and how much it has seen."""
    sandbox = request.app[SANDBOX]
    sandbox.timeline.catch_up()
    return shown(
        {
            "what": "a simulation of the game API and of PSPs; no real money, no real players",
            "state": "memory",
            "note": STATE_NOTE,
            "control": "asks for no key: keep it on loopback",
            "seed": sandbox.options.seed,
            "api_version": sandbox.lifecycle.version,
            "started_at": format_time(sandbox.started_at),
            "counts": {
                "rounds": sandbox.engine.current.number,
                "players": len(sandbox.backend.players),
                "holds": len(sandbox.book.holds),
                "bets": len(sandbox.book.bets),
                "payouts": len(sandbox.book.payouts),
                "movements": len(sandbox.backend.journal),
                "planted": len(sandbox.faults.planted),
                "streams": len(sandbox.sessions),
            },
        }
    )


async def open_user(request: web.Request) -> web.Response:
    """Open a wallet; 201, or 409 ``wallet_exists``."""
    sandbox = request.app[SANDBOX]
    wanted = await read_body(request, NewUser)
    sandbox.backend.open_wallet(
        wanted.user_id, wanted.currency, parse_minor(wanted.available, wanted.currency)
    )
    return shown(_player_shown(sandbox.backend.players[wanted.user_id]), 201)


async def show_user(request: web.Request) -> web.Response:
    """A player's balances and every movement."""
    request.app[SANDBOX].timeline.catch_up()
    return shown(_player_shown(_player(request)))


async def switch_user(request: web.Request) -> web.Response:
    """Let a player play, or not: not allowed, every call gets ``user_not_allowed``."""
    player = _player(request)
    player.allowed = (await read_body(request, UserSwitches)).allowed
    return shown(_player_shown(player))


async def cancel_round(request: web.Request) -> web.Response:
    """Cancel the current round: its bets are void, its stakes go back."""
    sandbox = request.app[SANDBOX]
    cancelled = sandbox.engine.cancel_current(sandbox.timeline.catch_up())
    if cancelled is None:
        raise Conflict("the round has crashed already", code="round_closed")
    return shown(cancelled.as_json())


async def show_faults(request: web.Request) -> web.Response:
    """The rates, the stream's own, and every fault that was really planted."""
    return shown(_faults(request.app[SANDBOX]))


async def set_faults(request: web.Request) -> web.Response:
    """Set rates; all of them or, when one is refused, none."""
    sandbox = request.app[SANDBOX]
    wanted = (await read_body(request, FaultRates)).rates
    of_stream = {kind: rate for kind, rate in wanted.items() if kind in STREAM_FAULTS}
    for rate in of_stream.values():
        if not 0 <= rate <= 1:
            raise Invalid("a rate must lie between 0 and 1", code="invalid_rate")
    sandbox.faults.rates.update({k: r for k, r in wanted.items() if k not in of_stream})
    for kind, rate in of_stream.items():
        sandbox.hub.set_rate(kind, rate)
    return shown(_faults(sandbox))


async def switch_stream(request: web.Request) -> web.Response:
    """Let the stream fall silent on open connections, or speak again: what it missed is lost."""
    hub = request.app[SANDBOX].hub
    hub.is_silent = (await read_body(request, StreamSwitches)).silent
    return shown({"silent": hub.is_silent})


async def close_streams(request: web.Request) -> web.Response:
    """Close every authenticated connection with a code, such as 4008 or 4009."""
    code = (await read_body(request, StreamEnd)).code
    return shown(
        {"closed": request.app[SANDBOX].hub.end_all(code, "closed by the control surface")}
    )


async def set_lifecycle(request: web.Request) -> web.Response:
    """Set what every answer of the API says about its version and its end."""
    lifecycle = request.app[SANDBOX].lifecycle
    wanted = await read_body(request, Age)
    if wanted.deprecated_at is not msgspec.UNSET:
        lifecycle.deprecated_at = _instant(wanted.deprecated_at)
    if wanted.sunset_at is not msgspec.UNSET:
        lifecycle.sunset_at = _instant(wanted.sunset_at)
    if wanted.version is not msgspec.UNSET:
        lifecycle.version = wanted.version
    return shown(
        {
            "version": lifecycle.version,
            "deprecated_at": _time(lifecycle.deprecated_at),
            "sunset_at": _time(lifecycle.sunset_at),
        }
    )


async def set_limit(request: web.Request) -> web.Response:
    """Set how many calls an API key may make in a window."""
    limits = request.app[SANDBOX].limits
    limits.limit = (await read_body(request, Limit)).limit
    return shown({"limit": limits.limit})


def _player(request: web.Request) -> Player:
    player = request.app[SANDBOX].backend.players.get(request.match_info["user_id"])
    if player is None:
        raise NotFound("there is no such player", code="user_not_found")
    return player


def _player_shown(player: Player) -> dict[str, object]:
    return {
        "user_id": player.user_id,
        "allowed": player.allowed,
        "balances": [
            {
                "currency": currency,
                "available": format_minor(wallet.available, currency),
                "held": format_minor(wallet.held, currency),
            }
            for currency, wallet in player.wallets.items()
        ],
        "journal": [movement.as_json() for movement in player.journal],
    }


def _faults(sandbox: Sandbox) -> dict[str, object]:
    return {
        "rates": dict(sandbox.faults.rates) | sandbox.hub.rates,
        "planted": [
            {**planted.as_json(), "at": format_time(planted.at)}
            for planted in sandbox.faults.planted
        ],
        "stream": dict(sandbox.hub.struck),
    }


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else format_time(instant)
