"""Settlement files: the list of them, and one with what was found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
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
from recon.web.addresses import id_in
from recon.web.auth.guard import page, session_of
from recon.web.rendering import render
from recon.web.roles import Right

if TYPE_CHECKING:
    from enum import StrEnum
    from typing import TypeVar

    from recon.settlements import Place

    E = TypeVar("E", bound=StrEnum)

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/settlements")
@page()
async def settlements(request: web.Request) -> web.Response:
    """Imported files, of every endpoint or of one; newest first."""
    cursor = Cursor.of(request)
    endpoint = request.query.get("endpoint") or None
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_files(
            connection, endpoint=endpoint, before=cursor.after_id, limit=cursor.one_more
        )
    shown = found[: cursor.limit]
    return render(
        request,
        "settlements.html",
        files=shown,
        endpoint=endpoint,
        following=cursor.seal(str(shown[-1].file_id)) if len(found) > len(shown) else None,
        is_first=cursor.after is None,
    )


@routes.get("/settlements/{file_id}")
@page()
async def settlement(request: web.Request) -> web.Response:
    """One file: its totals, its batches, and a page of its findings."""
    cursor = Cursor.of(request)
    file_id = id_in(request, "file_id")
    state = _one_of(FindingState, request.query.get("state"))
    kind = _one_of(FindingKind, request.query.get("kind"))
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


def _there(place: Place | None, otherwise: str) -> web.HTTPSeeOther:
    if place is None:
        raise NotFound(otherwise)
    # The page begins after what stands before it.
    before = Cursor.seal(str(UUID(int=place.finding_id.int - 1)))
    return web.HTTPSeeOther(f"/settlements/{place.file_id}?cursor={before}#f{place.finding_id}")


def _one_of(words: type[E], text: str | None) -> E | None:
    return next((word for word in words if word == text), None)
