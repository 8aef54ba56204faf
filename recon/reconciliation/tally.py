"""Keep what is added up of open discrepancies small; their table's triggers add it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.db import load

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["fold_tallies"]


async def fold_tallies(pool: Pool) -> None:
    """Make one row of what has gathered of each currency, cause and minute; the sums stay."""
    async with pool.acquire() as connection:
        await connection.execute(load("recon.reconciliation", "fold_tallies"))
