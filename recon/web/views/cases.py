"""What people must look at besides differences of balances, and closing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from recon.bets import BET_CASES
from recon.db import POOL, load
from recon.http import Cursor
from recon.web.addresses import id_in, oldest_first
from recon.web.auth.guard import page, session_of
from recon.web.csv_pages import PAGE, cell, csv_chunks, last_of, money_cells, send_csv
from recon.web.forms import words
from recon.web.overview import OVERDUE
from recon.web.rendering import render
from recon.web.roles import Right
from recon.webhooks.close_case import close_case, read_case
from recon.webhooks.inbox import CASE_KINDS, list_cases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.webhooks.inbox import CaseRow

__all__ = ["routes"]

routes = web.RouteTableDef()

_COUNTED: Final = 5_000
"""As many open cases are counted by kind for each page, the newest; of more it says that."""

_COLUMNS: Final = (
    *("case_id", "opened_at", "kind", "state", "endpoint", "reference", "user_id"),
    *("currency", "amount", "reason", "delivery_id", "closed_at", "closed_by", "closed_reason"),
)


@routes.get("/cases")
@page()
async def cases(request: web.Request) -> web.Response:
    """Open cases, or closed ones, of every kind or of one; newest first or oldest."""
    cursor = Cursor.of(request)
    state, kind, oldest = _asked(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_cases(
            connection,
            state=state,
            kind=kind,
            before=cursor.after_id,
            limit=cursor.one_more,
            oldest=oldest,
        )
        counts = await connection.fetch(load("recon.web", "cases_by_kind"), _COUNTED + 1)
    by_kind = {row["kind"]: row["cases"] for row in counts}
    more = len(found) > cursor.limit
    found = found[: cursor.limit]
    return render(
        request,
        "cases.html",
        cases=found,
        state=state,
        kind=kind,
        oldest=oldest,
        kinds=sorted(CASE_KINDS),
        by_kind=by_kind,
        open_cases=sum(by_kind.values()),
        overdue=sum(by_kind.get(one, 0) for one in OVERDUE),
        counted=_COUNTED,
        bet_kinds=BET_CASES,
        following=cursor.seal(str(found[-1].case_id)) if more else None,
        is_first=cursor.after is None,
        may_close=session_of(request).may(Right.CLOSE),
    )


@routes.get("/cases/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """Every case that the URL asks for, in its order, as CSV."""
    state, kind, oldest = _asked(request)

    async def read(
        connection: asyncpg.Connection[Any], before: UUID | None
    ) -> tuple[list[CaseRow], UUID | None]:
        found = await list_cases(
            connection, state=state, kind=kind, before=before, limit=PAGE, oldest=oldest
        )
        return found, last_of(found, lambda row: row.case_id)

    chunks = csv_chunks(request.config_dict[POOL], _COLUMNS, read, _cells)
    return await send_csv(request, chunks, "cases")


@routes.get("/cases/{case_id}/close")
@page(Right.CLOSE)
async def confirm(request: web.Request) -> web.Response:
    """What the case says, and a place for the reason why it needs nobody any more."""
    async with request.config_dict[POOL].acquire() as connection:
        case = await read_case(connection, id_in(request, "case_id"))
    return render(
        request,
        "close_case.html",
        case=case,
        of_bet=case.kind in BET_CASES,
    )


@routes.post("/cases/{case_id}/close")
@page(Right.CLOSE)
async def close(request: web.Request) -> web.StreamResponse:
    """Close it, and go back to those that are open."""
    await close_case(
        request.config_dict[POOL],
        id_in(request, "case_id"),
        await words(request, "reason", "Say why"),
        actor=session_of(request).actor,
    )
    raise web.HTTPSeeOther("/cases")


def _asked(request: web.Request) -> tuple[str, str | None, bool]:
    """The state that the URL names, the kind, if any, and whether the oldest come first."""
    state = "closed" if request.query.get("state") == "closed" else "open"
    return state, request.query.get("kind") or None, oldest_first(request)


def _cells(row: CaseRow) -> Sequence[str]:
    before = (row.case_id, row.opened_at, row.kind, row.state, row.endpoint, row.reference)
    after = (row.delivery_id, row.closed_at, row.closed_by, row.closed_reason)
    return (
        *(cell(value) for value in (*before, row.user_id)),
        *money_cells(row.amount),
        *(cell(value) for value in (row.reason, *after)),
    )
