"""Findings explained by what was booked meanwhile: a late webhook, a replay, a backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.db import load, with_retries
from recon.settlements import writing

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool

__all__ = ["resolve_explained"]

_AT_ONCE: Final = 1000
_REASON: Final = "it is booked now, just as it was settled"


async def resolve_explained(pool: Pool) -> int:
    """Close every open finding of a payment that is booked by now as the PSP settled it.

    Findings are looked at some at a time, each in its own short transaction.

    Returns:
        How many were closed.
    """
    done, after = 0, None
    while True:
        closed, looked, after = await _resolve_some(pool, after)
        done += closed
        if looked < _AT_ONCE:
            return done


@with_retries
async def _resolve_some(pool: Pool, after: UUID | None) -> tuple[int, int, UUID | None]:
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(load("recon.settlements", "explained_since"), after, _AT_ONCE)
        found = [(row["user_id"], row["finding_id"]) for row in rows if row["is_explained"]]
        await writing.resolve(connection, found, _REASON)
        return len(found), len(rows), rows[-1]["finding_id"] if rows else after
