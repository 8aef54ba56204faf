"""What the betting calls are about: holds, bets and payouts, as the game API shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.clock import format_time
from recon.money import format_minor
from recon.sandbox.curve import as_multiplier

if TYPE_CHECKING:
    from datetime import datetime

    from recon.sandbox.engine import Round

__all__ = ["Bet", "Hold", "Payout"]


@dataclass(slots=True)
class Hold:
    """A stake set aside.

    Attributes:
        hold_id: ours.
        round: the round it is for.
        user_id: whose stake.
        amount_minor: the stake.
        currency: of the stake.
        auto_cashout: the target in hundredths, or None.
        expires_at: when the server gives the stake back.
        status: ``held``, ``confirmed``, ``released`` or ``expired``.
        bet: what it became.
    """

    hold_id: str
    round: Round
    user_id: str
    amount_minor: int
    currency: str
    auto_cashout: int | None
    expires_at: datetime
    status: str = "held"
    bet: Bet | None = None

    def as_json(self) -> dict[str, Any]:
        """The hold as the API shows it."""
        return {
            "hold_id": self.hold_id,
            "round_id": self.round.round_id,
            "user_id": self.user_id,
            "amount": format_minor(self.amount_minor, self.currency),
            "currency": self.currency,
            "auto_cashout": None if self.auto_cashout is None else as_multiplier(self.auto_cashout),
            "status": self.status,
            "expires_at": format_time(self.expires_at),
        }


@dataclass(slots=True)
class Bet:
    """A stake in play, or what became of it.

    Attributes:
        ticket_id: ours.
        hold: where stake, player and target stand.
        placed_at: when the hold was confirmed.
        status: ``active``, ``cashed_out``, ``lost`` or ``void``.
        cashed_at: the multiplier of the cash-out, in hundredths.
        payout: of the cash-out.
    """

    ticket_id: str
    hold: Hold
    placed_at: datetime
    status: str = "active"
    cashed_at: int | None = None
    payout: Payout | None = None

    def as_json(self) -> dict[str, Any]:
        """The bet as the API shows it."""
        hold = self.hold
        return {
            "ticket_id": self.ticket_id,
            "hold_id": hold.hold_id,
            "round_id": hold.round.round_id,
            "user_id": hold.user_id,
            "amount": format_minor(hold.amount_minor, hold.currency),
            "currency": hold.currency,
            "auto_cashout": None if hold.auto_cashout is None else as_multiplier(hold.auto_cashout),
            "status": self.status,
            "cashout_multiplier": None if self.cashed_at is None else as_multiplier(self.cashed_at),
            "payout_transaction_id": self.payout.transaction_id if self.payout else None,
            "placed_at": format_time(self.placed_at),
        }


@dataclass(slots=True)
class Payout:
    """What a cash-out pays.

    Attributes:
        transaction_id: ours.
        bet: the bet that was cashed out.
        amount_minor: stake times multiplier, cut to whole minor units.
        status: ``pending``, ``completed`` or ``failed`` (its round was cancelled before it paid).
        completed_at: when it became ``completed``.
    """

    transaction_id: str
    bet: Bet
    amount_minor: int
    status: str = "pending"
    completed_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """The payout as the API shows it."""
        currency = self.bet.hold.currency
        return {
            "transaction_id": self.transaction_id,
            "ticket_id": self.bet.ticket_id,
            "amount": format_minor(self.amount_minor, currency),
            "currency": currency,
            "status": self.status,
            "completed_at": format_time(self.completed_at) if self.completed_at else None,
        }
