"""Runs: the list, one of them, and starting one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from recon.db import POOL
from recon.errors import Invalid
from recon.http import Cursor
from recon.money import Money
from recon.reconciliation import RunScope, RunState, join_run, list_runs, read_run
from recon.web.addresses import id_in, sort_in
from recon.web.auth.guard import page, session_of
from recon.web.csv_pages import PAGE, cell, csv_chunks, last_of, money_cells, send_csv
from recon.web.forms import field
from recon.web.rendering import PAGES, render
from recon.web.roles import Right
from recon.web.run_detail import list_returned, read_run_detail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.reconciliation import Run
    from recon.web.run_detail import Returned

__all__ = ["routes"]

routes = web.RouteTableDef()

_SCOPES: Final = (RunScope.CHANGED, RunScope.ALL)
_COLUMNS: Final = (
    *("run_id", "started_at", "finished_at", "state", "reason", "scope", "trigger", "dry_run"),
    *("wallets", "compared", "agreed", "discrepant", "in_flight", "not_compared"),
    *("opened", "persisting", "reopened", "healed"),
)
_RETURNED: Final = (
    *("discrepancy_id", "user_id", "in_this_run"),
    *("currency", "difference", "seen_at", "first_seen_at"),
)


@routes.get("/runs")
@page()
async def runs(request: web.Request) -> web.Response:
    """Runs, by when they began or how long they took."""
    cursor = Cursor.of(request)
    found, more = await _page(request, cursor)
    return render(
        request,
        "runs.html",
        runs=found,
        running=_any_runs(found),
        here=request.query.get("cursor"),
        sort=sort_in(request, "duration"),
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
        sort=sort_in(request, "duration"),
        every=request.config_dict[PAGES].reconcile_every,
    )


@routes.get("/runs/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """Every run, in the order of the page, as CSV."""
    sort = sort_in(request, "duration")

    async def read(
        connection: asyncpg.Connection[Any], before: UUID | None
    ) -> tuple[list[Run], UUID | None]:
        found = await list_runs(connection, before=before, limit=PAGE, sort=sort)
        return found, last_of(found, lambda run: run.run_id)

    chunks = csv_chunks(request.config_dict[POOL], _COLUMNS, read, _cells)
    return await send_csv(request, chunks, "runs")


@routes.get("/runs/{run_id}/export")
@page()
async def export_returned(request: web.Request) -> web.StreamResponse:
    """What healed in a run or came back, as CSV; what it saw is an export of discrepancies."""
    run_id, pool = id_in(request, "run_id"), request.config_dict[POOL]
    newest = _newest(request)
    async with pool.acquire() as connection:
        await read_run(connection, run_id)

    async def read(
        connection: asyncpg.Connection[Any], after: UUID | None
    ) -> tuple[list[Returned], UUID | None]:
        found = await list_returned(connection, run_id, after=after, limit=PAGE, newest=newest)
        return found, last_of(found, lambda row: row.discrepancy_id)

    return await send_csv(request, csv_chunks(pool, _RETURNED, read, _returned_cells), "returned")


@routes.get("/runs/{run_id}")
@page()
async def one_run(request: web.Request) -> web.Response:
    """One run: what it compared and found, and how that differs from the run before."""
    cursor, newest = Cursor.of(request), _newest(request)
    async with request.config_dict[POOL].acquire() as connection:
        shown = await read_run_detail(
            connection,
            id_in(request, "run_id"),
            after=cursor.after_id,
            limit=cursor.limit,
            newest=newest,
        )
    return render(
        request,
        "run.html",
        shown=shown,
        run=shown.run,
        newest=newest,
        following=None if shown.after is None else cursor.seal(str(shown.after)),
        is_first=cursor.after is None,
    )


@routes.get("/runs/{run_id}/progress")
@page(touch=False)
async def progress(request: web.Request) -> web.Response:
    """How far it is, alone; once it has ended the whole page has more to say."""
    async with request.config_dict[POOL].acquire() as connection:
        run = await read_run(connection, id_in(request, "run_id"))
    headers = {} if run.state is RunState.RUNNING else {"HX-Refresh": "true"}
    return render(request, "run_progress.html", headers=headers, run=run)


@routes.post("/runs")
@page(Right.RECONCILE)
async def run_now(request: web.Request) -> web.StreamResponse:
    """Start a run over what has changed, or over everything; see it where that was asked for.

    Pressed twice it is one run: one's own that is under way.
    """
    said = await field(request, "scope") or RunScope.CHANGED
    if said not in _SCOPES:
        raise Invalid("Choose what to compare: what has changed, or all.", code="invalid_scope")
    run_id = await join_run(
        request.config_dict[POOL], RunScope(said), trigger=session_of(request).actor
    )
    raise web.HTTPSeeOther(f"/runs/{run_id}" if await field(request, "scope") else "/")


async def _page(request: web.Request, cursor: Cursor) -> tuple[Sequence[Run], bool]:
    """A page of runs, and whether there are more."""
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_runs(
            connection,
            before=cursor.after_id,
            limit=cursor.one_more,
            sort=sort_in(request, "duration"),
        )
    return found[: cursor.limit], len(found) > cursor.limit


def _newest(request: web.Request) -> bool:
    """Whether what healed or came back is asked for from its newest on; the oldest comes first."""
    return request.query.get("sort") == "age"


def _any_runs(runs: Sequence[Run]) -> bool:
    return any(run.state is RunState.RUNNING for run in runs)


def _returned_cells(row: Returned) -> Sequence[str]:
    return (
        *(cell(value) for value in (row.discrepancy_id, row.user_id, row.standing)),
        *money_cells(Money(row.difference, row.currency)),
        *(cell(at) for at in (row.seen_at, row.first_seen_at)),
    )


def _cells(run: Run) -> Sequence[str]:
    wallets, changes = run.wallets, run.changes
    values = (
        *(run.run_id, run.started_at, run.finished_at, run.state, run.reason, run.scope),
        *(run.trigger, run.dry_run, wallets.total, wallets.compared, wallets.agreed),
        *(wallets.discrepant, wallets.in_flight, wallets.not_compared),
        *(changes.opened, changes.persisting, changes.reopened, changes.healed),
    )
    return [cell(value) for value in values]
