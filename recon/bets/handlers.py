"""The internal API's bets."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import msgspec
import structlog
from aiohttp import web

from recon.bets.cash_out import cash_out
from recon.bets.desk import DESK
from recon.bets.errors import BetNotFoundError, GameUnreachableError
from recon.bets.model import Bet, BetState, BetWish
from recon.bets.place import place_bet
from recon.bets.read import read_bet
from recon.db import POOL
from recon.game.handlers import (
    GAME_WATCH,
    GameDegradedError,
    JsonNumber,
    game_of,
    json_number,
)
from recon.http import Problem, Scope, decode, json_response, operation, receipt_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["BetView", "finish_calls", "routes"]

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

routes = web.RouteTableDef()

_under_way: Final[set[asyncio.Task[Any]]] = set()


class BetView(msgspec.Struct, frozen=True):
    """A bet; ``payout`` is there once it is booked."""

    bet_id: UUID
    ticket_id: str | None
    state: BetState
    user_id: str
    round_id: str
    amount: str
    currency: str
    auto_cashout: JsonNumber
    cashout_multiplier: JsonNumber
    payout: str | None
    reason: str | None
    created_at: datetime
    placed_at: datetime | None
    updated_at: datetime


@routes.post("/api/v1/bets")
@operation(
    scope=Scope.WRITE_BET,
    body=BetWish,
    answers={201: BetView, 202: BetView, 400: Problem, 409: Problem, 422: Problem, 503: Problem},
    begins=True,
)
async def place(request: web.Request) -> web.Response:
    """Place a bet; 202 when its outcome is not known yet, and the stake stays on hold."""
    wish = decode(await request.read(), BetWish)
    receipt = receipt_of(request).answers(_placed)
    work = place_bet(
        request.config_dict[POOL],
        game_of(request),
        wish,
        caller_key=receipt.name,
        desk=request.config_dict.get(DESK),
        receipt=receipt,
    )
    return _placed(await _answered(request, work))


@routes.get("/api/v1/bets/{bet_id}")
@operation(scope=Scope.READ_BET, answers={200: BetView, 404: Problem})
async def show(request: web.Request) -> web.Response:
    """A bet as it is now."""
    async with request.config_dict[POOL].acquire() as connection:
        bet = await read_bet(connection, _bet_id(request))
    return json_response(_view(bet))


@routes.post("/api/v1/bets/{bet_id}/cashout")
@operation(
    scope=Scope.WRITE_BET,
    answers={200: BetView, 202: BetView, 404: Problem, 409: Problem, 503: Problem},
)
async def cash_out_bet(request: web.Request) -> web.Response:
    """Cash a bet out; 202 until the payout is definitive and booked."""
    work = cash_out(
        request.config_dict[POOL],
        game_of(request),
        _bet_id(request),
        desk=request.config_dict.get(DESK),
        receipt=receipt_of(request).answers(_cashed_out),
    )
    return _cashed_out(await _answered(request, work))


async def finish_calls(timeout_s: float = 20.0) -> None:
    """Wait for the calls whose callers have gone away; for a shutdown, before the pool closes.

    What is cut off at the end is due like any bet whose process died.
    """
    if _under_way:
        _, pending = await asyncio.wait(_under_way, timeout=timeout_s)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _answered(request: web.Request, work: Coroutine[Any, Any, _T]) -> _T:
    """As `_see_through`; that the game was not reached is told with since when."""
    try:
        return await _see_through(work)
    except GameUnreachableError as error:
        watch = request.config_dict.get(GAME_WATCH)
        since = None if watch is None else watch.down_since
        if since is None:
            raise
        raise GameDegradedError(
            error.message, since=since, retry_after_s=error.retry_after_s
        ) from error


async def _see_through(work: Coroutine[Any, Any, _T]) -> _T:
    """Let the work end even when its caller goes away in the middle."""
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_log_failure)
        raise


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("bet_ended_without_its_caller", error=str(error))


def _placed(bet: Bet) -> web.Response:
    status = 202 if bet.state is BetState.PLACING else 201
    return json_response(
        _view(bet), status=status, headers={"Location": f"/api/v1/bets/{bet.bet_id}"}
    )


def _cashed_out(bet: Bet) -> web.Response:
    return json_response(_view(bet), status=200 if bet.state is BetState.CASHED_OUT else 202)


def _bet_id(request: web.Request) -> UUID:
    text = request.match_info["bet_id"]
    try:
        return UUID(text)
    except ValueError:
        raise BetNotFoundError(f"there is no bet {text[:64]}") from None


def _view(bet: Bet) -> BetView:
    booked = bet.payout if bet.state is BetState.CASHED_OUT else None
    return BetView(
        bet_id=bet.bet_id,
        ticket_id=bet.ticket_id,
        state=bet.state,
        user_id=bet.user_id,
        round_id=bet.round_id,
        amount=str(bet.stake),
        currency=bet.stake.currency,
        auto_cashout=json_number(bet.auto_cashout),
        cashout_multiplier=json_number(bet.cashout_multiplier),
        payout=None if booked is None else str(booked),
        reason=bet.reason,
        created_at=bet.created_at,
        placed_at=bet.placed_at,
        updated_at=bet.updated_at,
    )
