"""Wallets: those of a player; one with its balances and entries, now or as of an instant."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.clock import now, parse_time
from recon.db import POOL, load
from recon.errors import Invalid
from recon.http import Cursor
from recon.ledger import read_currencies, read_entries, read_wallet
from recon.web.addresses import oldest_first
from recon.web.auth.guard import page
from recon.web.course import draw, read_course
from recon.web.csv_pages import send_csv
from recon.web.rendering import render
from recon.web.statement import statement_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["routes"]

routes = web.RouteTableDef()

_ABOVE: Final = 4
"""What stands above the entry that a link leads to, so that one sees what came just after."""
_VERSION: Final = re.compile(r"[0-9]{1,18}")


@routes.get("/wallets")
@page()
async def wallets(request: web.Request) -> web.Response:
    """The wallets of the player whom the URL names."""
    user_id = request.query.get("user_id", "").strip()
    async with request.config_dict[POOL].acquire() as connection:
        found = [
            await read_wallet(connection, user_id, currency)
            for currency in (await read_currencies(connection, user_id) if user_id else ())
        ]
    return render(request, "wallets.html", user_id=user_id, wallets=found)


@routes.get("/wallets/{user_id}/{currency}")
@page()
async def wallet(request: web.Request) -> web.Response:
    """A wallet; ``at`` in the query shows it as it was."""
    user_id, currency = request.match_info["user_id"], request.match_info["currency"]
    at, cursor = _at(request.query), Cursor.of(request)
    oldest = oldest_first(request)
    before = _before(cursor, None if oldest else request.query.get("v"))
    async with request.config_dict[POOL].acquire() as connection:
        shown = await read_wallet(connection, user_id, currency, at=at)
        entries = await read_entries(
            connection,
            user_id,
            currency,
            before_version=before,
            limit=cursor.one_more,
            at=at,
            oldest=oldest,
        )
        live = await connection.fetchrow(load("recon.web", "live_of_wallet"), user_id, currency)
        course = await read_course(connection, user_id, currency, at=at, now=now())
    more = len(entries) > cursor.limit
    entries = entries[: cursor.limit]
    return render(
        request,
        "wallet.html",
        wallet=shown,
        entries=entries,
        live=live,
        course=course,
        drawing=draw(course),
        at=at,
        oldest=oldest,
        following=cursor.seal(str(entries[-1].version)) if more else None,
        is_first=before is None,
    )


@routes.get("/wallets/{user_id}/{currency}/statement")
@page()
async def statement(request: web.Request) -> web.StreamResponse:
    """Every entry, in the order of the page, as CSV."""
    pool, at = request.config_dict[POOL], _at(request.query)
    user_id, currency = request.match_info["user_id"], request.match_info["currency"]
    async with pool.acquire() as connection:
        await read_wallet(connection, user_id, currency, at=at)
    chunks = statement_chunks(pool, user_id, currency, at=at, oldest=oldest_first(request))
    return await send_csv(request, chunks, f"statement-{currency}")


def _at(query: Mapping[str, str]) -> datetime | None:
    """The instant that the URL names; a form's field has no zone, and its label says UTC."""
    said = query.get("at", "").strip()
    if not said:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise Invalid("at is an instant such as 2026-01-31T12:00Z", code="invalid_time") from None
    return parse_time(said) if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _before(cursor: Cursor, version: str | None) -> int | None:
    """Where the page begins: after its cursor, or a little above the entry that a link means."""
    if cursor.after is None:
        return int(version) + _ABOVE if version and _VERSION.fullmatch(version) else None
    if _VERSION.fullmatch(cursor.after) is None:
        raise Invalid("the cursor is none of ours", code="invalid_cursor")
    return int(cursor.after)
