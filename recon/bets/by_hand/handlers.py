"""The internal API's rulings: what people say a bet came to."""

from __future__ import annotations

from uuid import UUID

import msgspec
from aiohttp import web

from recon.bets.by_hand.decide import approve_ruling, reject_ruling
from recon.bets.by_hand.errors import RulingNotFoundError
from recon.bets.by_hand.model import RulingState, RulingWish
from recon.bets.by_hand.propose import propose_ruling
from recon.bets.by_hand.read import list_rulings, list_waiting, read_ruling
from recon.bets.by_hand.requests import ApproveRuling, RejectRuling
from recon.bets.by_hand.views import RulingView, WaitingBetView, ruling_view, waiting_view
from recon.bets.errors import BetNotFoundError
from recon.db import POOL
from recon.errors import Invalid
from recon.http import (
    Cursor,
    Problem,
    Scope,
    decode,
    json_response,
    operation,
    page_of,
    step_of,
)

__all__ = ["routes"]

routes = web.RouteTableDef()

_REFUSALS = {400: Problem, 404: Problem, 409: Problem, 422: Problem}


class RulingPage(msgspec.Struct, frozen=True):
    """A page of rulings, newest first."""

    items: list[RulingView]
    next_cursor: str | None


class WaitingPage(msgspec.Struct, frozen=True):
    """A page of bets that people may settle, oldest first."""

    items: list[WaitingBetView]
    next_cursor: str | None


@routes.get("/api/v1/bets")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: WaitingPage, 400: Problem},
    query={
        "waiting_for": "people: those that rest, or have no outcome an hour after they were made",
    },
)
async def waiting(request: web.Request) -> web.Response:
    """Bets that wait for people, oldest first."""
    if request.query.get("waiting_for", "people") != "people":
        raise Invalid("waiting_for is people", code="invalid_filter")
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_waiting(connection, after=_after(cursor), limit=cursor.one_more)
    return page_of(request, cursor, found, waiting_view, lambda one: one.bet_id)


@routes.post("/api/v1/bets/{bet_id}/rulings")
@operation(scope=Scope.WRITE_DISCREPANCY, body=RulingWish, answers={201: RulingView, **_REFUSALS})
async def propose(request: web.Request) -> web.Response:
    """Propose what a bet came to that the game does not settle; another has to approve it."""
    wish = decode(await request.read(), RulingWish)
    ruling = await propose_ruling(
        request.config_dict[POOL], _bet_id(request), wish, step=step_of(request)
    )
    location = {"Location": f"/api/v1/rulings/{ruling.ruling_id}"}
    return json_response(ruling_view(ruling), status=201, headers=location)


@routes.get("/api/v1/rulings")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: RulingPage, 400: Problem},
    query={
        "state": f"one of {', '.join(RulingState)}",
        "bet_id": "only this bet's",
    },
)
async def rulings(request: web.Request) -> web.Response:
    """Rulings, newest first."""
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_rulings(
            connection,
            state=_state(request),
            bet_id=_filter_id(request.query.get("bet_id"), "invalid_filter"),
            before=_after(cursor),
            limit=cursor.one_more,
        )
    return page_of(request, cursor, found, ruling_view, lambda one: one.ruling_id)


@routes.get("/api/v1/rulings/{ruling_id}")
@operation(scope=Scope.READ_DISCREPANCY, answers={200: RulingView, 404: Problem})
async def show(request: web.Request) -> web.Response:
    """A ruling as it is now."""
    async with request.config_dict[POOL].acquire() as connection:
        ruling = await read_ruling(connection, _ruling_id(request))
    return json_response(ruling_view(ruling))


@routes.post("/api/v1/rulings/{ruling_id}/approve")
@operation(
    scope=Scope.WRITE_DISCREPANCY,
    body=ApproveRuling,
    answers={200: RulingView, 403: Problem, 503: Problem, **_REFUSALS},
)
async def approve(request: web.Request) -> web.Response:
    """Book what another principal proposed; the game is asked about the bet no more."""
    wanted = decode(await request.read() or b"{}", ApproveRuling)
    ruling = await approve_ruling(
        request.config_dict[POOL], _ruling_id(request), wanted.reason, step=step_of(request)
    )
    return json_response(ruling_view(ruling))


@routes.post("/api/v1/rulings/{ruling_id}/reject")
@operation(scope=Scope.WRITE_DISCREPANCY, body=RejectRuling, answers={200: RulingView, **_REFUSALS})
async def reject(request: web.Request) -> web.Response:
    """Turn a proposal down, or withdraw one's own."""
    wanted = decode(await request.read(), RejectRuling)
    ruling = await reject_ruling(
        request.config_dict[POOL], _ruling_id(request), wanted.reason, step=step_of(request)
    )
    return json_response(ruling_view(ruling))


def _bet_id(request: web.Request) -> UUID:
    text = request.match_info["bet_id"]
    try:
        return UUID(text)
    except ValueError:
        raise BetNotFoundError(f"there is no bet {text[:64]!r}") from None


def _ruling_id(request: web.Request) -> UUID:
    text = request.match_info["ruling_id"]
    try:
        return UUID(text)
    except ValueError:
        raise RulingNotFoundError(f"there is no ruling {text[:64]!r}") from None


def _after(cursor: Cursor) -> UUID | None:
    return _filter_id(cursor.after, "invalid_cursor")


def _filter_id(text: str | None, code: str) -> UUID | None:
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Invalid(f"{text[:64]!r} is no id of ours", code=code) from None


def _state(request: web.Request) -> RulingState | None:
    text = request.query.get("state")
    if not text:
        return None
    try:
        return RulingState(text)
    except ValueError:
        known = ", ".join(RulingState)
        raise Invalid(f"{text[:64]!r} is none of {known}", code="invalid_filter") from None
