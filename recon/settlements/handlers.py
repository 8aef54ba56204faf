"""Settlement files over HTTP: importing one, what was imported, and what was found."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from aiohttp import web

from recon.db import POOL
from recon.db.holding import held_at_most
from recon.errors import Invalid, NotFound
from recon.http import (
    Cursor,
    Problem,
    Scope,
    json_response,
    operation,
    page_of,
    principal_of,
    upload_of,
)
from recon.http.uploads import UPLOADS
from recon.settlements.import_file import import_settlement
from recon.settlements.model import FindingKind, FindingState, ImportOptions
from recon.settlements.read import list_files, list_findings, read_batches, read_file
from recon.settlements.views import (
    FindingPage,
    SettlementDetail,
    SettlementPage,
    finding_view,
    settlement_detail,
    settlement_view,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from enum import StrEnum
    from typing import TypeVar

    from recon.settlements.model import Account

    E = TypeVar("E", bound=StrEnum)

__all__ = ["IMPORTS", "Imports", "routes"]

routes = web.RouteTableDef()

_MOST_UNPACKED: Final = 16
"""Times what a file may have on the wire: text packs so well, and little else does."""
_EXAMPLE: Final = "reference=Ref"


@dataclass(frozen=True, slots=True)
class Imports:
    """What a file over HTTP is imported by.

    Args:
        accounts: of PSPs, by endpoint.
        grace: how long after it is booked a payment may be in no file.
        turn: one import at a time in this process: each may take hundreds of megabytes.
    """

    accounts: Mapping[str, Account]
    grace: timedelta
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))


IMPORTS: web.AppKey[Imports] = web.AppKey("imports", Imports)


@routes.post("/api/v1/settlements")
@operation(
    scope=Scope.WRITE_SETTLEMENT,
    body=bytes,
    answers={
        200: SettlementDetail,
        201: SettlementDetail,
        **dict.fromkeys((400, 404, 409, 413, 415, 422), Problem),
    },
    query={
        "endpoint": "the PSP account that it is of; needed",
        "name": "what people call the file",
        "timezone": "of times that do not say theirs (IANA); UTC by default",
        "delimiter": "between its columns; by default whatever it turns out to be",
        "column": f"of a plain file: our name of a column and the file's, as {_EXAMPLE};"
        " repeatable",
    },
)
async def import_file(request: web.Request) -> web.Response:
    """Import a settlement file, the body: 201 with what it says; 200 if it was here before."""
    imports, asked = request.config_dict[IMPORTS], request.query
    account = imports.accounts.get(asked.get("endpoint", ""))
    if account is None:
        raise NotFound(
            "name one of the configured endpoints: ?endpoint=NAME", code="endpoint_unknown"
        )
    options = ImportOptions(
        columns=_columns(asked.getall("column", [])),
        grace=imports.grace,
        timezone=asked.get("timezone", "UTC"),
        delimiter=asked.get("delimiter"),
        most_bytes=request.config_dict[UPLOADS].at_most * _MOST_UNPACKED,
    )
    pool = request.config_dict[POOL]
    # Millions of lines take longer than other calls may hold a connection.
    async with imports.turn:
        with held_at_most(None):
            imported = await import_settlement(
                pool,
                upload_of(request),
                name=asked.get("name", "upload.csv"),
                account=account,
                options=options,
                actor=principal_of(request).name,
            )
    async with pool.acquire() as connection:
        batches = await read_batches(connection, imported.file.file_id)
    return json_response(
        settlement_detail(imported.file, batches),
        status=200 if imported.is_repeated else 201,
        headers={"Location": f"/api/v1/settlements/{imported.file.file_id}"},
    )


@routes.get("/api/v1/settlements")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: SettlementPage, 400: Problem},
    query={
        "endpoint": "the PSP account",
    },
)
async def settlements(request: web.Request) -> web.Response:
    """Settlement files that were imported, newest first."""
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        files = await list_files(
            connection,
            endpoint=request.query.get("endpoint"),
            before=_id(cursor.after, "invalid_cursor"),
            limit=cursor.one_more,
        )
    return page_of(request, cursor, files, settlement_view, lambda one: one.file_id)


@routes.get("/api/v1/settlements/{file_id}")
@operation(
    scope=Scope.READ_DISCREPANCY, answers={200: SettlementDetail, 400: Problem, 404: Problem}
)
async def settlement(request: web.Request) -> web.Response:
    """One file: what its lines come to, and whether its batches are proven by their payouts."""
    file_id = _path_id(request)
    async with request.config_dict[POOL].acquire() as connection:
        file = await read_file(connection, file_id)
        batches = await read_batches(connection, file_id)
    return json_response(settlement_detail(file, batches))


@routes.get("/api/v1/settlements/{file_id}/findings")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: FindingPage, 400: Problem, 404: Problem},
    query={
        "state": "open, resolved or dismissed",
        "kind": "such as missing_here or amount_mismatch",
    },
)
async def findings(request: web.Request) -> web.Response:
    """Where a file and the books disagree, in the order in which it was found."""
    cursor = Cursor.of(request)
    file_id = _path_id(request)
    async with request.config_dict[POOL].acquire() as connection:
        await read_file(connection, file_id)
        page = await list_findings(
            connection,
            file_id,
            state=_one_of(FindingState, request.query.get("state"), "invalid_state"),
            kind=_one_of(FindingKind, request.query.get("kind"), "invalid_kind"),
            after=_id(cursor.after, "invalid_cursor"),
            limit=cursor.one_more,
        )
    return page_of(request, cursor, page, finding_view, lambda one: one.finding_id)


def _columns(given: Sequence[str]) -> dict[str, str]:
    """Our names of columns, and the file's."""
    columns = {}
    for one in given:
        ours, equals, theirs = one.partition("=")
        if not equals or not theirs:
            raise Invalid(f"a column is named as {_EXAMPLE}", code="invalid_column")
        columns[ours] = theirs
    return columns


def _one_of(words: type[E], text: str | None, code: str) -> E | None:
    try:
        return None if text is None else words(text)
    except ValueError:
        raise Invalid(f"there are {', '.join(words)}", code=code) from None


def _path_id(request: web.Request) -> UUID:
    found = _id(request.match_info["file_id"], "invalid_file_id")
    if found is None:
        raise Invalid("an id is missing", code="invalid_file_id")
    return found


def _id(text: str | None, code: str) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise Invalid("this is no id of ours", code=code) from None
