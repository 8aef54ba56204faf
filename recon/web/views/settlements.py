"""Settlement files: the list of them, and one with what was found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from aiohttp import web

from recon.db import POOL
from recon.errors import NotFound
from recon.http import Cursor
from recon.settlements import (
    FindingKind,
    FindingState,
    find_place,
    list_files,
    list_findings,
    read_batches,
    read_file,
)
from recon.web.addresses import id_in, oldest_first
from recon.web.auth.guard import page, session_of
from recon.web.csv_pages import PAGE, cell, csv_chunks, last_of, money_cells, send_csv
from recon.web.rendering import render
from recon.web.roles import Right

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum
    from typing import TypeVar

    import asyncpg

    from recon.settlements import Finding, Place, SettlementFile

    E = TypeVar("E", bound=StrEnum)

__all__ = ["routes"]

routes = web.RouteTableDef()

_FILES: Final = (
    *("file_id", "imported_at", "imported_by", "endpoint", "format", "name", "period_from"),
    *("period_to", "lines", "new_lines", "rejected_lines", "matched", "open_findings", "sha256"),
)
_FINDINGS: Final = (
    *("finding_id", "line", "finding", "about", "reference", "payment_id", "user_id"),
    *("settled_currency", "settled_amount", "booked_currency", "booked_amount", "settled_at"),
    *("detail", "state", "found_at", "resolved_at", "resolution", "case_id"),
)


@routes.get("/settlements")
@page()
async def settlements(request: web.Request) -> web.Response:
    """Imported files, of every endpoint or of one; newest first or oldest."""
    cursor, oldest = Cursor.of(request), oldest_first(request)
    endpoint = request.query.get("endpoint") or None
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_files(
            connection,
            endpoint=endpoint,
            before=cursor.after_id,
            limit=cursor.one_more,
            oldest=oldest,
        )
    shown = found[: cursor.limit]
    return render(
        request,
        "settlements.html",
        files=shown,
        endpoint=endpoint,
        oldest=oldest,
        following=cursor.seal(str(shown[-1].file_id)) if len(found) > len(shown) else None,
        is_first=cursor.after is None,
    )


@routes.get("/settlements/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """Every file that the URL asks for, as CSV: what it came to, not its lines."""
    endpoint, oldest = request.query.get("endpoint") or None, oldest_first(request)

    async def read(
        connection: asyncpg.Connection[Any], before: UUID | None
    ) -> tuple[list[SettlementFile], UUID | None]:
        found = await list_files(
            connection, endpoint=endpoint, before=before, limit=PAGE, oldest=oldest
        )
        return found, last_of(found, lambda file: file.file_id)

    chunks = csv_chunks(request.config_dict[POOL], _FILES, read, _of_file)
    return await send_csv(request, chunks, "settlements")


@routes.get("/settlements/{file_id}/export")
@page()
async def export_findings(request: web.Request) -> web.StreamResponse:
    """Every finding of a file that the URL asks for, as CSV."""
    file_id, pool = id_in(request, "file_id"), request.config_dict[POOL]
    state = _one_of(FindingState, request.query.get("state"))
    kind = _one_of(FindingKind, request.query.get("kind"))
    back = _back(request)
    async with pool.acquire() as connection:
        await read_file(connection, file_id)

    async def read(
        connection: asyncpg.Connection[Any], after: UUID | None
    ) -> tuple[list[Finding], UUID | None]:
        found = await list_findings(
            connection, file_id, state=state, kind=kind, after=after, limit=PAGE, back=back
        )
        return found, last_of(found, lambda row: row.finding_id)

    return await send_csv(request, csv_chunks(pool, _FINDINGS, read, _of_finding), "findings")


@routes.get("/settlements/{file_id}")
@page()
async def settlement(request: web.Request) -> web.Response:
    """One file: its totals, its batches, and a page of its findings."""
    cursor = Cursor.of(request)
    file_id = id_in(request, "file_id")
    state = _one_of(FindingState, request.query.get("state"))
    kind = _one_of(FindingKind, request.query.get("kind"))
    back = _back(request)
    async with request.config_dict[POOL].acquire() as connection:
        file = await read_file(connection, file_id)
        batches = await read_batches(connection, file_id)
        found = await list_findings(
            connection,
            file_id,
            state=state,
            kind=kind,
            after=cursor.after_id,
            limit=cursor.one_more,
            back=back,
        )
    shown = found[: cursor.limit]
    return render(
        request,
        "settlement.html",
        file=file,
        batches=batches,
        findings=shown,
        state=state,
        kind=kind,
        back=back,
        states=list(FindingState),
        following=cursor.seal(str(shown[-1].finding_id)) if len(found) > len(shown) else None,
        is_first=cursor.after is None,
        may_close=session_of(request).may(Right.CLOSE),
    )


@routes.get("/settlements/findings/{user_id}/{finding_id}")
@page()
async def finding(request: web.Request) -> web.StreamResponse:
    """Go to where a finding about a player stands in its file."""
    finding_id = id_in(request, "finding_id")
    async with request.config_dict[POOL].acquire() as connection:
        place = await find_place(connection, finding=(request.match_info["user_id"], finding_id))
    raise _there(place, f"there is no finding {finding_id}")


@routes.get("/settlements/cases/{case_id}")
@page()
async def case(request: web.Request) -> web.StreamResponse:
    """Go to the first finding of a case."""
    case_id = id_in(request, "case_id")
    async with request.config_dict[POOL].acquire() as connection:
        place = await find_place(connection, case_id=case_id)
    raise _there(place, f"no settlement file has opened case {case_id}")


def _of_file(file: SettlementFile) -> Sequence[str]:
    values = (
        *(file.file_id, file.imported_at, file.imported_by, file.endpoint, file.format, file.name),
        *(file.period_from, file.period_to, file.lines, file.new_lines, file.rejected_lines),
        *(file.matched, file.open_findings, file.content_sha256.hex()),
    )
    return [cell(value) for value in values]


def _of_finding(row: Finding) -> Sequence[str]:
    before = (row.finding_id, row.line_no, row.kind, row.about, row.reference, row.payment_id)
    after = (row.settled_at, row.detail, row.state, row.found_at, row.resolved_at, row.resolution)
    return (
        *(cell(value) for value in (*before, row.user_id)),
        *money_cells(row.settled),
        *money_cells(row.booked),
        *(cell(value) for value in (*after, row.case_id)),
    )


def _there(place: Place | None, otherwise: str) -> web.HTTPSeeOther:
    if place is None:
        raise NotFound(otherwise)
    # The page begins after what stands before it.
    before = Cursor.seal(str(UUID(int=place.finding_id.int - 1)))
    return web.HTTPSeeOther(f"/settlements/{place.file_id}?cursor={before}#f{place.finding_id}")


def _back(request: web.Request) -> bool:
    """Whether findings are asked for from the file's last line on."""
    return request.query.get("sort") == "-line"


def _one_of(words: type[E], text: str | None) -> E | None:
    return next((word for word in words if word == text), None)
