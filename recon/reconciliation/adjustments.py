"""Adjustments: corrections of the ledger that one proposes and another books.

They correct our side only: nothing here can change the game's balance. A deposit that really
happened and was never reported is booked; money that the game lacks is the game operator's to add.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from recon.db import is_turned, load, load_in_order
from recon.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

__all__ = ["Adjustment", "AdjustmentState", "Balances", "list_adjustments", "read_adjustment"]


class AdjustmentState(StrEnum):
    """Where it stands; ``stale``: the wallet moved, or agreed, before it was decided."""

    PROPOSED = "proposed"
    BOOKED = "booked"
    REJECTED = "rejected"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Balances:
    """The available money in ledger and game, in minor units.

    ``difference`` is what runs make of the two, withdrawals on their way allowed for; ``None``: the
    wallet has moved since they were compared, so that nobody knows.
    """

    ledger: int
    game: int
    difference: int | None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction; ``amount`` is added to ``available``, signed, in minor units.

    Attributes:
        ledger_version: the wallet's when it was proposed.
        proposed_on: what was compared last when it was proposed, and is to be put right by it.
        now: the same as of now, where it still differs.
        why_stale: it waits, and can no longer be booked: what is another by now, the wallet or the
            difference; ``None``: neither is, or it is decided.
    """

    adjustment_id: UUID
    discrepancy_id: UUID
    user_id: str
    currency: str
    amount: int
    reason: str
    state: AdjustmentState
    ledger_version: int
    proposed_on: Balances
    now: Balances | None
    why_stale: str | None
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None

    @property
    def moved(self) -> bool:
        """It waits, and can no longer be booked."""
        return self.why_stale is not None

    @property
    def compared(self) -> bool:
        """Ledger and game were compared as the wallet is now, which is when one may decide."""
        return self.now is not None and self.now.difference is not None


async def read_adjustment(connection: asyncpg.Connection[Any], adjustment_id: UUID) -> Adjustment:
    """An adjustment.

    Raises:
        NotFound: ``adjustment_not_found``.
    """
    row = await connection.fetchrow(load("recon.reconciliation", "adjustment"), adjustment_id)
    if row is None:
        raise NotFound(f"there is no adjustment {adjustment_id}", code="adjustment_not_found")
    return _adjustment(row)


async def list_adjustments(
    connection: asyncpg.Connection[Any],
    *,
    state: AdjustmentState | None = None,
    discrepancy_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
    sort: str = "age",
) -> list[Adjustment]:
    """A page of adjustments, from after the one that ``before`` names.

    Args:
        connection: any.
        state: only those in it.
        discrepancy_id: only those of it.
        before: the last of the page before.
        limit: how many.
        sort: ``age``, newest first, or ``amount``, with ``-`` before it for the largest first:
            without its sign and, as amounts of several currencies have no other order, in whole
            units. ``-age`` is the oldest.
    """
    statement = load_in_order("recon.reconciliation", "adjustments", turned=is_turned(sort))
    rows = await connection.fetch(
        statement, state, discrepancy_id, before, limit, sort.removeprefix("-")
    )
    return [_adjustment(row) for row in rows]


def _adjustment(row: asyncpg.Record) -> Adjustment:
    return Adjustment(
        adjustment_id=row["adjustment_id"],
        discrepancy_id=row["discrepancy_id"],
        user_id=row["user_id"],
        currency=row["currency"],
        amount=int(row["amount"]),
        reason=row["reason"],
        state=AdjustmentState(row["state"]),
        ledger_version=row["ledger_version"],
        proposed_on=Balances(
            int(row["ledger_available"]),
            int(row["game_available"]),
            int(row["available_difference"]),
        ),
        now=None if row["is_over"] else _balances_now(row),
        why_stale=row["why_stale"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        decision_reason=row["decision_reason"],
    )


def _balances_now(row: asyncpg.Record) -> Balances:
    difference = row["difference_now"]
    return Balances(
        int(row["ledger_now"]),
        int(row["game_now"]),
        None if difference is None else int(difference),
    )
