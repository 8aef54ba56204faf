"""The list of discrepancies, and one of them."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from recon.clock import new_id, now
from recon.db import POOL, load
from recon.errors import NotFound
from recon.four_eyes import Step
from recon.http import Cursor
from recon.reconciliation import Cause, Status, count_open
from recon.reconciliation.recheck import recheck
from recon.web.auth.guard import page, session_of
from recon.web.discrepancy_detail import read_detail
from recon.web.discrepancy_list import DiscrepancyQuery, list_page
from recon.web.rendering import render
from recon.web.roles import Right

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/discrepancies")
@page()
async def discrepancies(request: web.Request) -> web.Response:
    """The discrepancies that the URL asks for."""
    wanted = DiscrepancyQuery.parse(request.query)
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_page(
            connection, wanted, now=now(), after=cursor.after, limit=cursor.limit
        )
        currencies = await connection.fetch(load("recon.web", "currencies_seen"))
        open_rows = await count_open(connection)
    return render(
        request,
        "discrepancies.html",
        wanted=wanted,
        found=found,
        following=None if found.after is None else cursor.seal(found.after),
        is_first=cursor.after is None,
        currencies=[row["currency"] for row in currencies],
        causes=list(Cause),
        statuses=list(Status),
        open_rows=open_rows,
    )


@routes.get("/discrepancies/{discrepancy_id}")
@page()
async def discrepancy(request: web.Request) -> web.Response:
    """One discrepancy."""
    async with request.config_dict[POOL].acquire() as connection:
        shown = await read_detail(connection, _id(request))
        open_rows = await count_open(connection)
    return render(
        request, "discrepancy.html", shown=shown, found=shown.discrepancy, open_rows=open_rows
    )


@routes.post("/discrepancies/{discrepancy_id}/recheck")
@page(Right.RECONCILE)
async def look_again(request: web.Request) -> web.StreamResponse:
    """Start a run over this player's wallets, and go back to where its finding will stand."""
    discrepancy_id = _id(request)
    step = Step(session_of(request).actor, new_id())
    await recheck(request.config_dict[POOL], discrepancy_id, step=step)
    raise web.HTTPSeeOther(f"/discrepancies/{discrepancy_id}")


def _id(request: web.Request) -> UUID:
    text = request.match_info["discrepancy_id"]
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"there is no discrepancy {text[:64]}") from None
