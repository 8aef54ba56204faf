"""What waits for a second pair of eyes, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from recon.bets.by_hand import RulingState, list_rulings
from recon.db import POOL
from recon.errors import Forbidden, Invalid
from recon.http import Cursor
from recon.reconciliation.adjustments import AdjustmentState, list_adjustments, read_adjustment
from recon.reconciliation.decide import approve, reject
from recon.web.addresses import id_in
from recon.web.auth.guard import page, session_of
from recon.web.forms import field, step_of, words
from recon.web.rendering import render
from recon.web.roles import Right

if TYPE_CHECKING:
    from recon.reconciliation.adjustments import Adjustment

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/approvals")
@page()
async def approvals(request: web.Request) -> web.Response:
    """Proposals in one state, newest first; those that wait, where the URL names none."""
    cursor, state = Cursor.of(request), _state(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_adjustments(
            connection, state=state, before=cursor.after_id, limit=cursor.limit + 1
        )
        # They are few, and stand above the first page.
        rulings = []
        if cursor.after is None:
            rulings = await list_rulings(connection, state=RulingState(state), limit=cursor.limit)
    more = len(found) > cursor.limit
    found = found[: cursor.limit]
    return render(
        request,
        "approvals.html",
        adjustments=found,
        rulings=rulings,
        state=state,
        states=list(AdjustmentState),
        following=cursor.seal(str(found[-1].adjustment_id)) if more else None,
        is_first=cursor.after is None,
    )


@routes.post("/adjustments/{adjustment_id}/approve")
@page(Right.APPROVE)
async def book(request: web.Request) -> web.StreamResponse:
    """Book what another proposed; the run that looks at the wallet then begins by itself."""
    said = await field(request, "reason") or None
    adjustment = await approve(
        request.config_dict[POOL],
        id_in(request, "adjustment_id"),
        said,
        step=await step_of(request),
    )
    raise _to(adjustment)


@routes.post("/adjustments/{adjustment_id}/reject")
@page(Right.PROPOSE)
async def turn_down(request: web.Request) -> web.StreamResponse:
    """Turn a proposal down; whoever made it may withdraw it, an approver any."""
    adjustment_id, pool = id_in(request, "adjustment_id"), request.config_dict[POOL]
    session = session_of(request)
    if not session.may(Right.APPROVE):
        async with pool.acquire() as connection:
            proposed = await read_adjustment(connection, adjustment_id)
        if proposed.proposed_by != session.actor:
            raise Forbidden(
                f"{session.role}s withdraw what they proposed; this is another's, for an approver.",
                code="insufficient_role",
            )
    adjustment = await reject(
        pool, adjustment_id, await words(request, "reason", "Say why"), step=await step_of(request)
    )
    raise _to(adjustment)


def _to(adjustment: Adjustment) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"/discrepancies/{adjustment.discrepancy_id}#fix")


def _state(request: web.Request) -> AdjustmentState:
    text = request.query.get("state") or AdjustmentState.PROPOSED
    try:
        return AdjustmentState(text)
    except ValueError:
        raise Invalid(f"state cannot be {text[:64]!r}", code="invalid_filter") from None
