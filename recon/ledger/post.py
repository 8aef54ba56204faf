"""Write postings: many at once, in the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.ledger.errors import HoldResolvedError, InsufficientBalanceError, KeyConflictError
from recon.ledger.model import Entry, Outcome, Posted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

__all__ = ["entry_rows", "post", "post_one"]


async def post(connection: asyncpg.Connection[Any], entries: Sequence[Entry]) -> list[Posted]:
    """Write entries in one statement; what cannot be posted says so and harms no neighbour.

    The wallets are locked in key order until the caller's transaction ends.

    Args:
        connection: inside the caller's transaction.
        entries: any number; a (source, key) and a hold stand at most once among them.

    Returns:
        One `Posted` for each entry, in their order.
    """
    if not entries:
        return []
    rows = await connection.fetch(load("recon.ledger", "post"), entry_rows(entries))
    return [
        Posted(
            Outcome(row["outcome"]),
            row["version"],
            int(row["available"]),
            int(row["held"]),
            int(row["reserved"]),
        )
        for row in rows
    ]


def entry_rows(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    """Entries as ``ledger_post`` takes them, for a statement that writes more than these."""
    return [
        (
            entry.user_id,
            entry.currency,
            entry.debit,
            entry.credit,
            str(entry.amount_minor),
            entry.kind,
            entry.source,
            entry.key,
            entry.request_hash(),
            entry.event_at,
            entry.guarded,
            entry.hold_id,
            entry.hold_op,
        )
        for entry in entries
    ]


async def post_one(connection: asyncpg.Connection[Any], entry: Entry) -> Posted:
    """Write one entry that must be posted, now or before.

    Raises:
        InsufficientBalanceError: a guarded entry asks for more than is available.
        KeyConflictError: its source and key stand for another posting.
        HoldResolvedError: its hold is resolved already, or unknown.
    """
    (posted,) = await post(connection, [entry])
    match posted.outcome:
        case Outcome.POSTED | Outcome.REPEATED:
            return posted
        case Outcome.INSUFFICIENT:
            raise InsufficientBalanceError("the player has less than that available")
        case Outcome.CONFLICT:
            raise KeyConflictError(f"{entry.source} {entry.key} already stands for another posting")
        case Outcome.HOLD_UNKNOWN | Outcome.HOLD_RESOLVED:
            raise HoldResolvedError(f"hold {entry.hold_id} cannot be {entry.hold_op}")
