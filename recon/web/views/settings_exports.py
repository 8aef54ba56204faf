"""The lists of the settings page as CSV: each is complete as it is shown, so it is one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from recon.db import POOL
from recon.http.keys import list_keys
from recon.web.auth.cookies import token_of
from recon.web.auth.guard import page, session_of
from recon.web.auth.sessions import list_sessions
from recon.web.csv_pages import cell, csv_chunks, send_csv
from recon.web.roles import Right
from recon.web.staff import list_staff

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

__all__ = ["routes"]

routes = web.RouteTableDef()

_SESSIONS: Final = ("signed_in_at", "last_seen_at", "this_one")
_STAFF: Final = ("name", "role", "added_at", "last_seen_at", "disabled_at", "account_linked")
_KEYS: Final = (
    *("key_id", "caller", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"),
)


@routes.get("/settings/sessions/export")
@page()
async def sessions(request: web.Request) -> web.StreamResponse:
    """Where whoever asks is signed in."""
    name, token = session_of(request).name, token_of(request) or ""
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_sessions(connection, name, token)
    rows = [(one.created_at, one.last_seen_at, one.is_this) for one in found]
    return await _send(request, _SESSIONS, rows, "sessions")


@routes.get("/settings/staff/export")
@page(Right.MANAGE)
async def staff(request: web.Request) -> web.StreamResponse:
    """Who may sign in, and who may no longer."""
    found = await list_staff(request.config_dict[POOL])
    rows = [
        (one.name, one.role, one.created_at, one.last_seen_at, one.disabled_at, one.is_linked)
        for one in found
    ]
    return await _send(request, _STAFF, rows, "staff")


@routes.get("/settings/keys/export")
@page(Right.MANAGE)
async def keys(request: web.Request) -> web.StreamResponse:
    """Every key of a caller, of which only the id is kept."""
    found = await list_keys(request.config_dict[POOL])
    rows = [
        (
            *(one.key_id, one.name, " ".join(one.scopes), one.created_at),
            *(one.expires_at, one.revoked_at, one.last_used_at),
        )
        for one in found
    ]
    return await _send(request, _KEYS, rows, "keys")


async def _send(
    request: web.Request, columns: Sequence[str], rows: Sequence[Sequence[object]], what: str
) -> web.StreamResponse:
    async def read(
        _connection: asyncpg.Connection[Any], _place: None
    ) -> tuple[Sequence[Sequence[object]], None]:
        return rows, None

    def cells(row: Sequence[object]) -> Sequence[str]:
        return [cell(value) for value in row]

    return await send_csv(
        request, csv_chunks(request.config_dict[POOL], columns, read, cells), what
    )
