"""Tell a game that is late from one that is wrong.

A busy wallet whose game is always a little behind can show the same difference at every look,
though each time it is another posting that is under way. So what a ladder would confirm is first
held against what has only just happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.ledger import read_entries

if TYPE_CHECKING:
    from datetime import datetime

    from recon.db import Pool
    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.explain import Explanation

__all__ = ["is_under_way"]

_MAX_ENTRIES = 500


async def is_under_way(
    pool: Pool, look: Comparison, explanation: Explanation, *, after: datetime
) -> bool:
    """Whether the difference is what the last moments alone would make.

    Args:
        pool: the ledger.
        look: what would be confirmed.
        explanation: of that look.
        after: what happened later than this has not had the grace period yet.

    Returns:
        Whether a fact that explains it is so young, or the game shows just what the ledger showed
        at some instant since then.
    """
    if any(fact.at > after for fact in explanation.evidence):
        return True
    wallet = look.snapshot
    async with pool.acquire() as connection:
        entries = await read_entries(
            connection, wallet.user_id, wallet.currency, limit=_MAX_ENTRIES
        )
    for later, entry in zip([None, *entries], entries, strict=False):
        # An entry's balances were shown until the next one came.
        if later is not None and later.recorded_at <= after:
            return False
        shown = (entry.available_after + wallet.unreported, entry.held_after)
        if later is not None and shown == (look.game.available, look.game.held):
            return True
    return False
