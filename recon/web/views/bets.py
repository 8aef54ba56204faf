"""One bet: how far it has come, what people were shown of it, and what they rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from recon.bets import read_bet
from recon.bets.by_hand import (
    RulingOutcome,
    RulingWish,
    approve_ruling,
    list_rulings,
    propose_ruling,
    read_ruling,
    reject_ruling,
    waits_for_people,
)
from recon.clock import new_id, now
from recon.db import POOL, load
from recon.http import decode
from recon.web.addresses import id_in
from recon.web.auth.guard import page, session_of
from recon.web.forms import field, step_of, words
from recon.web.rendering import render
from recon.web.roles import Right

if TYPE_CHECKING:
    from recon.bets.by_hand import Ruling

__all__ = ["routes"]

routes = web.RouteTableDef()

_CALLS = 25
_RULINGS = 20


@routes.get("/bets/{bet_id}")
@page()
async def bet(request: web.Request) -> web.Response:
    """A bet with its cases, its newest calls, and what is proposed and was decided."""
    bet_id = id_in(request, "bet_id")
    async with request.config_dict[POOL].acquire() as connection:
        found = await read_bet(connection, bet_id)
        cases = await connection.fetch(load("recon.web", "cases_of_bet"), str(bet_id))
        calls = await connection.fetch(
            load("recon.web", "calls_of_bet"), found.user_id, bet_id, _CALLS
        )
        rulings = await list_rulings(connection, bet_id=bet_id, limit=_RULINGS)
    proposed = next((one for one in rulings if one.state == "proposed"), None)
    return render(
        request,
        "bet.html",
        bet=found,
        cases=cases,
        calls=calls,
        rulings=[one for one in rulings if one is not proposed],
        proposed=proposed,
        waits=waits_for_people(found, at=now()),
        outcomes=list(RulingOutcome),
        form=new_id(),
    )


@routes.post("/bets/{bet_id}/rulings")
@page(Right.PROPOSE)
async def propose(request: web.Request) -> web.StreamResponse:
    """Propose what it came to; nothing is booked until another approves."""
    said: dict[str, Any] = {
        name: await field(request, name)
        for name in ("outcome", "payout", "payout_transaction_id", "ticket_id", "evidence")
    }
    said = {name: text for name, text in said.items() if text}
    said["reason"] = await words(request, "reason", "Say why")
    pool, bet_id = request.config_dict[POOL], id_in(request, "bet_id")
    if "payout" in said:
        async with pool.acquire() as connection:
            said["currency"] = (await read_bet(connection, bet_id)).stake.currency
    wish = decode(msgspec.json.encode(said), RulingWish)
    raise _to(await propose_ruling(pool, bet_id, wish, step=await step_of(request)))


@routes.post("/rulings/{ruling_id}/approve")
@page(Right.APPROVE)
async def book(request: web.Request) -> web.StreamResponse:
    """Book what another proposed."""
    said = await field(request, "reason") or None
    raise _to(
        await approve_ruling(
            request.config_dict[POOL],
            id_in(request, "ruling_id"),
            said,
            step=await step_of(request),
        )
    )


@routes.post("/rulings/{ruling_id}/reject")
@page(Right.PROPOSE)
async def turn_down(request: web.Request) -> web.StreamResponse:
    """Turn a proposal down; whoever made it may withdraw it, an approver any."""
    ruling_id, pool = id_in(request, "ruling_id"), request.config_dict[POOL]
    async with pool.acquire() as connection:
        proposed = await read_ruling(connection, ruling_id)
    session_of(request).require_may_turn_down(proposed.proposed_by)
    said = await words(request, "reason", "Say why")
    raise _to(await reject_ruling(pool, ruling_id, said, step=await step_of(request)))


def _to(ruling: Ruling) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"/bets/{ruling.bet_id}#ruling")
