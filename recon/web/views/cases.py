"""What people must look at besides differences of balances, and closing it."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from recon.db import POOL
from recon.errors import Invalid, NotFound
from recon.http import Cursor
from recon.reconciliation import count_open
from recon.web.auth.guard import page, session_of
from recon.web.rendering import render
from recon.web.roles import Right
from recon.webhooks.close_case import close_case, read_case
from recon.webhooks.inbox import CASE_KINDS, list_cases

__all__ = ["routes"]

routes = web.RouteTableDef()

_LONGEST = 4000


@routes.get("/cases")
@page()
async def cases(request: web.Request) -> web.Response:
    """Open cases, or closed ones, of every kind or of one; newest first."""
    cursor = Cursor.of(request)
    state = "closed" if request.query.get("state") == "closed" else "open"
    kind = request.query.get("kind") or None
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_cases(
            connection, state=state, kind=kind, before=_before(cursor), limit=cursor.limit + 1
        )
        open_rows = await count_open(connection)
    more = len(found) > cursor.limit
    found = found[: cursor.limit]
    return render(
        request,
        "cases.html",
        cases=found,
        state=state,
        kind=kind,
        kinds=sorted(CASE_KINDS),
        following=cursor.seal(str(found[-1].case_id)) if more else None,
        is_first=cursor.after is None,
        may_close=session_of(request).may(Right.CLOSE),
        open_rows=open_rows,
    )


@routes.get("/cases/{case_id}/close")
@page(Right.CLOSE)
async def confirm(request: web.Request) -> web.Response:
    """What the case says, and a place for the reason why it needs nobody any more."""
    async with request.config_dict[POOL].acquire() as connection:
        case = await read_case(connection, _id(request))
        open_rows = await count_open(connection)
    return render(request, "close_case.html", case=case, longest=_LONGEST, open_rows=open_rows)


@routes.post("/cases/{case_id}/close")
@page(Right.CLOSE)
async def close(request: web.Request) -> web.StreamResponse:
    """Close it, and go back to those that are open."""
    reason = str((await request.post()).get("reason", "")).strip()
    if not 1 <= len(reason) <= _LONGEST:
        raise Invalid(f"Say why, in up to {_LONGEST} characters.", code="invalid_reason")
    await close_case(
        request.config_dict[POOL], _id(request), reason, actor=session_of(request).actor
    )
    raise web.HTTPSeeOther("/cases")


def _id(request: web.Request) -> UUID:
    text = request.match_info["case_id"]
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"there is no case {text[:64]}") from None


def _before(cursor: Cursor) -> UUID | None:
    try:
        return None if cursor.after is None else UUID(cursor.after)
    except ValueError:
        raise Invalid("the cursor is none of ours", code="invalid_cursor") from None
