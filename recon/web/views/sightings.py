"""What runs saw of a wallet, as a list of its own and as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from recon.db import POOL
from recon.http import Cursor
from recon.ledger import read_wallet
from recon.money import Money
from recon.web.addresses import oldest_first
from recon.web.auth.guard import page
from recon.web.csv_pages import PAGE, cell, csv_chunks, last_of, money_cells, send_csv
from recon.web.rendering import render
from recon.web.sightings import Place, list_sightings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from recon.web.sightings import Sighting

__all__ = ["routes"]

routes = web.RouteTableDef()

_COLUMNS: Final = (
    *("seen_at", "run_id", "discrepancy_id", "standing", "ledger_version", "currency"),
    *("ledger_available", "game_available", "ledger_held", "game_held", "on_its_way"),
    "difference",
)


@routes.get("/wallets/{user_id}/{currency}/compared")
@page()
async def compared(request: web.Request) -> web.Response:
    """Both sides at each look that found them to differ, or to agree again."""
    user_id, currency = request.match_info["user_id"], request.match_info["currency"]
    cursor, oldest = Cursor.of(request), oldest_first(request)
    before = None if cursor.after is None else Place.parse(cursor.after)
    async with request.config_dict[POOL].acquire() as connection:
        wallet = await read_wallet(connection, user_id, currency)
        found = await list_sightings(
            connection, user_id, currency, before=before, limit=cursor.one_more, oldest=oldest
        )
    shown = found[: cursor.limit]
    return render(
        request,
        "compared.html",
        wallet=wallet,
        sightings=shown,
        oldest=oldest,
        following=cursor.seal(str(shown[-1].place)) if len(found) > len(shown) else None,
        is_first=before is None,
    )


@routes.get("/wallets/{user_id}/{currency}/compared/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """All of them, in the order of the page, as CSV."""
    user_id, currency = request.match_info["user_id"], request.match_info["currency"]
    pool, oldest = request.config_dict[POOL], oldest_first(request)
    async with pool.acquire() as connection:
        await read_wallet(connection, user_id, currency)

    async def read(
        connection: asyncpg.Connection[Any], before: Place | None
    ) -> tuple[list[Sighting], Place | None]:
        found = await list_sightings(
            connection, user_id, currency, before=before, limit=PAGE, oldest=oldest
        )
        return found, last_of(found, lambda one: one.place)

    def cells(one: Sighting) -> Sequence[str]:
        place = one.place
        available, held = (
            (one.ledger_available, one.game_available),
            (one.ledger_held, one.game_held),
        )
        amounts = (*available, *held, one.on_its_way, one.difference)
        said = (place.seen_at, place.run_id, place.discrepancy_id, one.standing, one.ledger_version)
        return (
            *(cell(value) for value in said),
            currency,
            *(money_cells(Money(amount, currency))[1] for amount in amounts),
        )

    return await send_csv(request, csv_chunks(pool, _COLUMNS, read, cells), f"compared-{currency}")
