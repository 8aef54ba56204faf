"""Work on one discrepancy: give it to somebody, say something, leave it alone, propose a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from recon.db import POOL
from recon.reconciliation import read_discrepancy
from recon.reconciliation.assign import assign
from recon.reconciliation.comment import comment
from recon.reconciliation.ignore import ignore
from recon.reconciliation.propose import propose
from recon.reconciliation.recheck import recheck
from recon.web.addresses import id_in
from recon.web.auth.guard import page
from recon.web.fix import plain_amount, read_fix
from recon.web.forms import field, step_of, until_of, words
from recon.web.rendering import render
from recon.web.roles import Right
from recon.web.staff import require_staff

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/discrepancies/{discrepancy_id}/fix")
@page(touch=False)
async def fix(request: web.Request) -> web.Response:
    """The preview of a fix alone, for a page whose amount is being typed."""
    async with request.config_dict[POOL].acquire() as connection:
        found = await read_discrepancy(connection, id_in(request, "discrepancy_id"))
        shown = await read_fix(connection, found, request.query.get("amount"))
    return render(request, "fix.html", found=found, fix=shown)


@routes.post("/discrepancies/{discrepancy_id}/recheck")
@page(Right.RECONCILE)
async def look_again(request: web.Request) -> web.StreamResponse:
    """Start a run over this player's wallets, and go back to where its finding will stand."""
    discrepancy_id = id_in(request, "discrepancy_id")
    await recheck(request.config_dict[POOL], discrepancy_id, step=await step_of(request))
    raise _back(discrepancy_id)


@routes.post("/discrepancies/{discrepancy_id}/assign")
@page(Right.WORK)
async def give(request: web.Request) -> web.StreamResponse:
    """Give it to somebody on the staff, or back to nobody."""
    discrepancy_id, pool = id_in(request, "discrepancy_id"), request.config_dict[POOL]
    assignee = await field(request, "assignee") or None
    if assignee is not None:
        await require_staff(pool, assignee)
    await assign(pool, discrepancy_id, assignee, step=await step_of(request))
    raise _back(discrepancy_id)


@routes.post("/discrepancies/{discrepancy_id}/comment")
@page(Right.WORK)
async def say(request: web.Request) -> web.StreamResponse:
    """Comment on it."""
    discrepancy_id = id_in(request, "discrepancy_id")
    text = await words(request, "text", "Say something")
    await comment(request.config_dict[POOL], discrepancy_id, text, step=await step_of(request))
    raise _back(discrepancy_id, "history")


@routes.post("/discrepancies/{discrepancy_id}/ignore")
@page(Right.WORK)
async def leave_alone(request: web.Request) -> web.StreamResponse:
    """Ignore it, for a reason, until a time or until it changes."""
    discrepancy_id = id_in(request, "discrepancy_id")
    await ignore(
        request.config_dict[POOL],
        discrepancy_id,
        await words(request, "reason", "Say why"),
        until=await until_of(request),
        step=await step_of(request),
    )
    raise _back(discrepancy_id)


@routes.post("/discrepancies/{discrepancy_id}/propose")
@page(Right.PROPOSE)
async def propose_fix(request: web.Request) -> web.StreamResponse:
    """Propose an adjustment; it is booked when another approves."""
    discrepancy_id, pool = id_in(request, "discrepancy_id"), request.config_dict[POOL]
    await propose(
        pool,
        discrepancy_id,
        plain_amount(await field(request, "amount")),
        await words(request, "reason", "Say why"),
        seen=plain_amount(await field(request, "difference")) or None,
        step=await step_of(request),
    )
    raise _back(discrepancy_id, "fix")


def _back(discrepancy_id: UUID, part: str | None = None) -> web.HTTPSeeOther:
    place = "" if part is None else f"#{part}"
    return web.HTTPSeeOther(f"/discrepancies/{discrepancy_id}{place}")
