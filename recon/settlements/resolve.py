"""Findings explained by what was booked meanwhile: a late webhook, a replay, a backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.db import load, with_retries
from recon.settlements import writing

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool

__all__ = ["Explained", "resolve_explained"]

_AT_ONCE: Final = 1000
_AT_MOST: Final = 20_000
_REASON: Final = "what is booked agrees by now"


class Explained:
    """Looks at open findings in turn: of a file of which nothing is booked there are millions.

    Args:
        at_most: how many are looked at each time; the next time goes on behind them.
    """

    def __init__(self, at_most: int = _AT_MOST) -> None:
        self._at_most = at_most
        self._after: UUID | None = None

    async def resolve(self, pool: Pool) -> int:
        """Close every one of them whose payment is booked by now as the PSP settled it.

        They are looked at some at a time, each in its own short transaction.

        Returns:
            How many were closed.
        """
        done = looked = 0
        while looked < self._at_most:
            at_once = min(_AT_ONCE, self._at_most - looked)
            closed, found, self._after = await _resolve_some(pool, self._after, at_once)
            done, looked = done + closed, looked + found
            if found < at_once:
                self._after = None
                break
        return done


async def resolve_explained(pool: Pool) -> int:
    """Close what is explained among the first of the open findings: see `Explained`."""
    return await Explained().resolve(pool)


@with_retries
async def _resolve_some(
    pool: Pool, after: UUID | None, at_once: int
) -> tuple[int, int, UUID | None]:
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(load("recon.settlements", "explained_since"), after, at_once)
        found = [(row["user_id"], row["finding_id"]) for row in rows if row["is_explained"]]
        await writing.resolve(connection, found, _REASON)
        return len(found), len(rows), rows[-1]["finding_id"] if rows else after
