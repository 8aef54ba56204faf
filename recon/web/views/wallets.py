"""One wallet: balances and entries, now or as of an instant."""

from __future__ import annotations

from aiohttp import web

from recon.clock import parse_time
from recon.db import POOL, load
from recon.errors import Invalid
from recon.http import Cursor
from recon.ledger import read_entries, read_wallet
from recon.web.auth.guard import page
from recon.web.rendering import render

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/wallets/{user_id}/{currency}")
@page()
async def wallet(request: web.Request) -> web.Response:
    """A wallet; ``at`` in the query shows it as it was."""
    user_id, currency = request.match_info["user_id"], request.match_info["currency"]
    said = request.query.get("at", "").strip()
    at = parse_time(said) if said else None
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        shown = await read_wallet(connection, user_id, currency, at=at)
        entries = await read_entries(
            connection,
            user_id,
            currency,
            before_version=_before(cursor),
            limit=cursor.limit + 1,
            at=at,
        )
        live = await connection.fetchrow(load("recon.web", "live_of_wallet"), user_id, currency)
    more = len(entries) > cursor.limit
    entries = entries[: cursor.limit]
    return render(
        request,
        "wallet.html",
        wallet=shown,
        entries=entries,
        live=live,
        at=at,
        following=cursor.seal(str(entries[-1].version)) if more else None,
        is_first=cursor.after is None,
    )


def _before(cursor: Cursor) -> int | None:
    if cursor.after is None:
        return None
    if not cursor.after.isascii() or not cursor.after.isdigit():
        raise Invalid("the cursor is none of ours", code="invalid_cursor")
    return int(cursor.after)
