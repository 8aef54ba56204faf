"""The list of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from recon.db import POOL
from recon.http import Cursor
from recon.reconciliation import RunState, list_runs
from recon.web.auth.guard import page
from recon.web.rendering import PAGES, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.reconciliation import Run

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/runs")
@page()
async def runs(request: web.Request) -> web.Response:
    """Runs, newest first."""
    cursor = Cursor.of(request)
    found, more = await _page(request, cursor)
    return render(
        request,
        "runs.html",
        runs=found,
        running=_any_runs(found),
        here=request.query.get("cursor"),
        following=cursor.seal(str(found[-1].run_id)) if more else None,
        is_first=cursor.after is None,
        every=request.config_dict[PAGES].reconcile_every,
    )


@routes.get("/runs/table")
@page(touch=False)
async def table(request: web.Request) -> web.Response:
    """The table alone, for a page that shows a run which is under way."""
    found, _ = await _page(request, Cursor.of(request))
    return render(
        request,
        "runs_table.html",
        runs=found,
        running=_any_runs(found),
        here=request.query.get("cursor"),
    )


async def _page(request: web.Request, cursor: Cursor) -> tuple[Sequence[Run], bool]:
    """A page of runs, and whether there are more."""
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_runs(connection, before=cursor.after_id, limit=cursor.limit + 1)
    return found[: cursor.limit], len(found) > cursor.limit


def _any_runs(runs: Sequence[Run]) -> bool:
    return any(run.state is RunState.RUNNING for run in runs)
