"""Rulings as the API and the command line show them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from recon.bets.by_hand.model import RulingOutcome, RulingState
from recon.bets.model import BetState

if TYPE_CHECKING:
    from recon.bets.by_hand.model import Ruling
    from recon.bets.by_hand.read import WaitingBet

__all__ = ["RulingView", "WaitingBetView", "ruling_view", "waiting_view"]


class RulingView(msgspec.Struct, frozen=True):
    """What was proposed and decided of a bet; ``moved`` means it can only be stale.

    ``standing`` is the bet as it was weighed.
    """

    ruling_id: UUID
    bet_id: UUID
    user_id: str
    outcome: RulingOutcome
    payout: str | None
    currency: str
    payout_transaction_id: str | None
    ticket_id: str | None
    reason: str
    evidence: str
    standing: dict[str, Any]
    state: RulingState
    moved: bool
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


class WaitingBetView(msgspec.Struct, frozen=True):
    """A bet that people may settle; ``rests`` says that the game is not asked about it any more."""

    bet_id: UUID
    user_id: str
    state: BetState
    amount: str
    currency: str
    round_id: str
    ticket_id: str | None
    created_at: datetime
    rests: bool
    ruling_id: UUID | None
    case_reason: str | None


def ruling_view(ruling: Ruling) -> RulingView:
    """A ruling with its payout as a decimal string."""
    return RulingView(
        ruling_id=ruling.ruling_id,
        bet_id=ruling.bet_id,
        user_id=ruling.user_id,
        outcome=ruling.outcome,
        payout=None if ruling.payout is None else str(ruling.payout),
        currency=ruling.currency,
        payout_transaction_id=ruling.payout_transaction_id,
        ticket_id=ruling.ticket_id,
        reason=ruling.reason,
        evidence=ruling.evidence,
        standing=ruling.standing,
        state=ruling.state,
        moved=ruling.moved,
        proposed_by=ruling.proposed_by,
        proposed_at=ruling.proposed_at,
        decided_by=ruling.decided_by,
        decided_at=ruling.decided_at,
        decision_reason=ruling.decision_reason,
    )


def waiting_view(bet: WaitingBet) -> WaitingBetView:
    """A bet that waits, with its stake as a decimal string."""
    return WaitingBetView(
        bet_id=bet.bet_id,
        user_id=bet.user_id,
        state=bet.state,
        amount=str(bet.stake),
        currency=bet.stake.currency,
        round_id=bet.round_id,
        ticket_id=bet.ticket_id,
        created_at=bet.created_at,
        rests=bet.rests,
        ruling_id=bet.ruling_id,
        case_reason=bet.case_reason,
    )
