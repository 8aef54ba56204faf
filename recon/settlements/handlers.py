"""Settlement files over HTTP: what was imported, and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from aiohttp import web

from recon.db import POOL
from recon.errors import Invalid
from recon.http import Cursor, Problem, Scope, json_response, operation, page_of
from recon.settlements.model import FindingKind, FindingState
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
    from enum import StrEnum
    from typing import TypeVar

    E = TypeVar("E", bound=StrEnum)

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/api/v1/settlements")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: SettlementPage, 400: Problem},
    query={
        "endpoint": "the PSP account",
        "cursor": "next_cursor of the page before",
        "limit": "1 to 500",
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
        "cursor": "next_cursor of the page before",
        "limit": "1 to 500",
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
