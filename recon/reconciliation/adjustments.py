"""Adjustments: corrections of the ledger that one proposes and another books.

They correct our side only: nothing here can change the game's balance. A deposit that really
happened and was never reported is booked; money that the game lacks is the game operator's to add.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

__all__ = ["Adjustment", "AdjustmentState", "list_adjustments", "read_adjustment"]


class AdjustmentState(StrEnum):
    """Where it stands; ``stale``: the wallet moved, or agreed, before it was decided."""

    PROPOSED = "proposed"
    BOOKED = "booked"
    REJECTED = "rejected"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction; ``amount`` is added to ``available``, signed, in minor units.

    ``ledger_version`` is the wallet's when it was proposed; ``moved`` says that the wallet has
    another one by now, so that what is proposed can no longer be booked.
    """

    adjustment_id: UUID
    discrepancy_id: UUID
    user_id: str
    currency: str
    amount: int
    reason: str
    state: AdjustmentState
    ledger_version: int
    moved: bool
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


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
) -> list[Adjustment]:
    """A page of adjustments, newest first."""
    rows = await connection.fetch(
        load("recon.reconciliation", "adjustments"), state, discrepancy_id, before, limit
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
        moved=row["moved"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        decision_reason=row["decision_reason"],
    )
