"""The list of discrepancies, and one of them."""

from __future__ import annotations

from aiohttp import web

from recon.clock import new_id, now
from recon.db import POOL, load
from recon.http import Cursor
from recon.reconciliation import Cause, Status
from recon.reconciliation.send_export import send_export
from recon.web.addresses import id_in
from recon.web.advice import UNEXPLAINED, advice_on
from recon.web.auth.guard import page, session_of
from recon.web.discrepancy_detail import read_detail
from recon.web.discrepancy_list import ADDED_UP, DiscrepancyQuery, list_page, read_totals
from recon.web.fix import read_fix
from recon.web.rendering import render
from recon.web.staff import list_workers
from recon.web.views.bulk import AT_ONCE

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
        totals = found.totals
        if totals is None and request.query.get("totals") == "all":
            totals = await read_totals(connection, wanted, now=now())
        currencies = await connection.fetch(load("recon.web", "currencies_seen"))
        staff = await list_workers(connection)
    return render(
        request,
        "discrepancies.html",
        wanted=wanted,
        found=found,
        totals=totals,
        added_up=ADDED_UP,
        at_once=AT_ONCE,
        following=None if found.after is None else cursor.seal(found.after),
        is_first=cursor.after is None,
        currencies=[row["currency"] for row in currencies],
        causes=list(Cause),
        statuses=list(Status),
        staff=staff,
        form=new_id(),
    )


@routes.get("/discrepancies/totals")
@page(touch=False)
async def all_totals(request: web.Request) -> web.Response:
    """What the filter comes to, for a page that has shown its rows before that was known."""
    wanted = DiscrepancyQuery.parse(request.query)
    async with request.config_dict[POOL].acquire() as connection:
        totals = await read_totals(connection, wanted, now=now())
    return render(request, "totals.html", wanted=wanted, totals=totals, added_up=ADDED_UP)


@routes.get("/discrepancies/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """Everything that the URL's filter matches, in its order, as a file."""
    wanted = DiscrepancyQuery.parse(request.query)
    return await send_export(
        request, wanted.filter(now()), asked_by=session_of(request).actor, sort=wanted.sort
    )


@routes.get("/discrepancies/{discrepancy_id}")
@page()
async def discrepancy(request: web.Request) -> web.Response:
    """One discrepancy."""
    async with request.config_dict[POOL].acquire() as connection:
        shown = await read_detail(connection, id_in(request, "discrepancy_id"))
        fix = await read_fix(connection, shown.discrepancy)
        staff = await list_workers(connection)
    return render(
        request,
        "discrepancy.html",
        shown=shown,
        found=shown.discrepancy,
        fix=fix,
        advice=advice_on(shown.discrepancy),
        unexplained=UNEXPLAINED,
        staff=staff,
        form=new_id(),
    )
