"""The overview, and the part of it that refreshes itself while a run is under way."""

from __future__ import annotations

from aiohttp import web

from recon.clock import now
from recon.db import POOL
from recon.web.auth.guard import page, session_of
from recon.web.days import Days
from recon.web.discrepancy_list import ADDED_UP
from recon.web.overview import read_overview, read_verdict
from recon.web.rendering import PAGES, render

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/")
@page()
async def overview(request: web.Request) -> web.Response:
    """How it stands, and where to begin."""
    async with request.config_dict[POOL].acquire() as connection:
        shown = await read_overview(
            connection,
            session_of(request),
            currency=request.query.get("currency"),
            days=Days.parse(request.query),
            every=request.config_dict[PAGES].reconcile_every,
            now=now(),
        )
    return render(request, "overview.html", shown=shown, verdict=shown.verdict, added_up=ADDED_UP)


@routes.get("/verdict")
@page(touch=False)
async def verdict(request: web.Request) -> web.Response:
    """The sentence on top alone, for a page that waits for a run to end."""
    async with request.config_dict[POOL].acquire() as connection:
        shown = await read_verdict(
            connection, every=request.config_dict[PAGES].reconcile_every, now=now()
        )
    ended = shown.running is None
    headers = {"HX-Refresh": "true"} if ended else {}
    return render(request, "verdict.html", headers=headers, verdict=shown)
