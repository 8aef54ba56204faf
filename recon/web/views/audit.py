"""The audit, and whether its past is proved."""

from __future__ import annotations

from aiohttp import web

from recon.db import POOL
from recon.http import Cursor
from recon.seals import last_seal, last_verification
from recon.web.addresses import oldest_first
from recon.web.audit_list import AuditQuery, audit_chunks, list_audit
from recon.web.auth.guard import page
from recon.web.csv_pages import send_csv
from recon.web.rendering import render

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/audit")
@page()
async def audit(request: web.Request) -> web.Response:
    """What the URL asks for, newest first or oldest; nothing of it can be changed from anywhere."""
    wanted, oldest = AuditQuery.parse(request.query), oldest_first(request)
    cursor, pool = Cursor.of(request), request.config_dict[POOL]
    async with pool.acquire() as connection:
        found = await list_audit(
            connection, wanted, before=cursor.after_id, limit=cursor.one_more, oldest=oldest
        )
        seal = await last_seal(connection)
    more = len(found) > cursor.limit
    found = found[: cursor.limit]
    return render(
        request,
        "audit.html",
        wanted=wanted,
        found=found,
        oldest=oldest,
        seal=seal,
        verified=await last_verification(pool),
        following=cursor.seal(str(found[-1].audit_id)) if more else None,
        is_first=cursor.after is None,
    )


@routes.get("/audit/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """All of it that matches, as CSV."""
    wanted, oldest = AuditQuery.parse(request.query), oldest_first(request)
    chunks = audit_chunks(request.config_dict[POOL], wanted, oldest=oldest)
    return await send_csv(request, chunks, "audit")
