"""End what was ignored until a time: it is open again, whether or not a run comes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.db import load, with_retries
from recon.reconciliation.record import record_event

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["reopen_expired"]

_AT_ONCE: Final = 500


@with_retries
async def reopen_expired(pool: Pool) -> int:
    """Open again what was ignored until now, the longest overdue first; how many there were.

    A run that looks at such a wallet does so as well. This is for when none can: the game is out
    of reach, or runs start on demand only. At most 500 at a time; the next call goes on.
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(load("recon.reconciliation", "reopen_expired"), _AT_ONCE)
        for row in rows:
            await record_event(
                connection,
                row["user_id"],
                row["discrepancy_id"],
                actor="schedule",
                action="reopened",
                detail={"reason": "it was ignored until now"},
            )
    return len(rows)
