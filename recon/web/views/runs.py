"""The list of runs."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from recon.db import POOL
from recon.errors import Invalid
from recon.http import Cursor
from recon.reconciliation import count_open, list_runs
from recon.web.auth.guard import page
from recon.web.rendering import PAGES, render

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/runs")
@page()
async def runs(request: web.Request) -> web.Response:
    """Runs, newest first."""
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_runs(connection, before=_before(cursor), limit=cursor.limit + 1)
        open_rows = await count_open(connection)
    more = len(found) > cursor.limit
    found = found[: cursor.limit]
    return render(
        request,
        "runs.html",
        runs=found,
        following=cursor.seal(str(found[-1].run_id)) if more else None,
        is_first=cursor.after is None,
        every=request.config_dict[PAGES].reconcile_every,
        open_rows=open_rows,
    )


def _before(cursor: Cursor) -> UUID | None:
    if cursor.after is None:
        return None
    try:
        return UUID(cursor.after)
    except ValueError:
        raise Invalid("the cursor is none of ours", code="invalid_cursor") from None
