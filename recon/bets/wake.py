"""Let the resolver look again at once: somebody says that the game has decided these bets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon import clock
from recon.db import load, with_retries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from recon.db import Pool

__all__ = ["wake_bets"]


@with_retries
async def wake_bets(
    pool: Pool,
    *,
    tickets: Collection[str] = (),
    ended: Collection[str] = (),
    paid: Collection[str] = (),
    everything: bool = False,
    now: Callable[[], datetime] = clock.now,
) -> int:
    """Make bets due that wait for their next look. Nothing is believed: due means asked for.

    Those that nobody works on, however long they were to rest, and those of which nothing but
    questions can be under way: in play, or with a payout that is awaited. Another bet that somebody
    works on keeps its claim, which is what makes sure that no two send for it.

    Args:
        pool: the database.
        tickets: of bets that were decided or paid.
        ended: rounds whose bets in play are decided, and that take no others.
        paid: rounds whose payouts are due.
        everything: all of them.
        now: the clock.

    Returns:
        How many were made due.
    """
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            load("recon.bets", "wake"), now(), [*tickets], [*ended], [*paid], everything
        )
    return len(rows)
