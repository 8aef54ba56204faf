"""The internal API's bets."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web

from recon.bets.cash_out import cash_out
from recon.bets.desk import DESK
from recon.bets.errors import BetNotFoundError, GameUnreachableError
from recon.bets.model import Bet, BetState, BetWish
from recon.bets.place import place_bet
from recon.bets.read import read_bet
from recon.db import POOL
from recon.errors import Invalid
from recon.game.handlers import (
    GAME_WATCH,
    DegradedProblem,
    GameDegradedError,
    JsonNumber,
    game_of,
    json_number,
)
from recon.http import Problem, Scope, decode, json_response, operation, receipt_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["BetView", "bet_view", "routes"]

_T = TypeVar("_T")

routes = web.RouteTableDef()


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


class _Spelled(msgspec.Struct, frozen=True):
    """A wish's target as it was written."""

    auto_cashout: msgspec.Raw = msgspec.Raw(b"null")


_PLAIN: Final = re.compile(rb'"[0-9]{1,10}(\.[0-9]{1,64})?"')


@routes.post("/api/v1/bets")
@operation(
    scope=Scope.WRITE_BET,
    body=BetWish,
    answers={
        201: BetView,
        202: BetView,
        400: Problem,
        409: Problem,
        422: Problem,
        503: DegradedProblem,
    },
    begins=True,
)
async def place(request: web.Request) -> web.Response:
    """Place a bet; 202 when its outcome is not known yet, and the stake stays on hold."""
    wish = _wish(await request.read())
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
    return json_response(bet_view(bet))


@routes.post("/api/v1/bets/{bet_id}/cashout")
@operation(
    scope=Scope.WRITE_BET,
    answers={200: BetView, 202: BetView, 404: Problem, 409: Problem, 503: DegradedProblem},
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


async def _answered(request: web.Request, work: Awaitable[_T]) -> _T:
    """What the work comes to; that the game was not reached is told with since when."""
    try:
        return await work
    except GameUnreachableError as error:
        watch = request.config_dict.get(GAME_WATCH)
        since = None if watch is None else watch.down_since
        if since is None:
            raise
        raise GameDegradedError(
            error.message, since=since, retry_after_s=error.retry_after_s
        ) from error


def _placed(bet: Bet) -> web.Response:
    status = 202 if bet.state is BetState.PLACING else 201
    return json_response(
        bet_view(bet), status=status, headers={"Location": f"/api/v1/bets/{bet.bet_id}"}
    )


def _cashed_out(bet: Bet) -> web.Response:
    return json_response(bet_view(bet), status=200 if bet.state is BetState.CASHED_OUT else 202)


def _wish(body: bytes) -> BetWish:
    """As `decode`; a target in quotes is digits and a point: `Decimal` takes ``"2_5"`` for 25.

    Raises:
        Invalid: ``invalid_multiplier``, or as `decode`.
    """
    wish = decode(body, BetWish)
    if wish.auto_cashout is not None:
        spelled = bytes(decode(body, _Spelled).auto_cashout)
        if spelled.startswith(b'"') and not _PLAIN.fullmatch(spelled):
            raise Invalid(
                "write auto_cashout as a number, or as a plain decimal such as 2.50",
                code="invalid_multiplier",
            )
    return wish


def _bet_id(request: web.Request) -> UUID:
    text = request.match_info["bet_id"]
    try:
        return UUID(text)
    except ValueError:
        raise BetNotFoundError(f"there is no bet {text[:64]}") from None


def bet_view(bet: Bet) -> BetView:
    """A bet as its callers see it."""
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
