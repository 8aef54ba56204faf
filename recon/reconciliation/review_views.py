"""Adjustments and history as the API and the command line show them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from recon.money import format_minor
from recon.reconciliation.adjustments import AdjustmentState
from recon.reconciliation.then_and_now import BalancesView, balances_view

if TYPE_CHECKING:
    from recon.reconciliation.adjustments import Adjustment
    from recon.reconciliation.history import HistoryEvent

__all__ = ["AdjustmentView", "EventView", "adjustment_view", "event_view"]


class AdjustmentView(msgspec.Struct, frozen=True):
    """A correction of the ledger; ``amount`` is signed, ``moved`` means it can only be stale.

    ``proposed_on`` is what was compared last when it was proposed, ``now`` the same as of now, null
    once ledger and game agree.
    """

    adjustment_id: UUID
    discrepancy_id: UUID
    user_id: str
    currency: str
    amount: str
    reason: str
    state: AdjustmentState
    ledger_version: int
    proposed_on: BalancesView
    now: BalancesView | None
    moved: bool
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


class EventView(msgspec.Struct, frozen=True):
    """A step in a discrepancy's history; what people did carries ``before`` and ``after``."""

    event_id: UUID
    discrepancy_id: UUID
    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


def adjustment_view(adjustment: Adjustment) -> AdjustmentView:
    """An adjustment with its amount as a decimal string."""
    return AdjustmentView(
        adjustment_id=adjustment.adjustment_id,
        discrepancy_id=adjustment.discrepancy_id,
        user_id=adjustment.user_id,
        currency=adjustment.currency,
        amount=format_minor(adjustment.amount, adjustment.currency),
        reason=adjustment.reason,
        state=adjustment.state,
        ledger_version=adjustment.ledger_version,
        proposed_on=balances_view(adjustment.proposed_on, adjustment.currency),
        now=None if adjustment.now is None else balances_view(adjustment.now, adjustment.currency),
        moved=adjustment.moved,
        proposed_by=adjustment.proposed_by,
        proposed_at=adjustment.proposed_at,
        decided_by=adjustment.decided_by,
        decided_at=adjustment.decided_at,
        decision_reason=adjustment.decision_reason,
    )


def event_view(event: HistoryEvent) -> EventView:
    """An event as it was appended."""
    return EventView(
        event_id=event.event_id,
        discrepancy_id=event.discrepancy_id,
        at=event.at,
        actor=event.actor,
        action=event.action,
        detail=event.detail,
    )
