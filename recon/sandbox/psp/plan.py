"""What becomes of a payment, by the outcome asked for, and what the game is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.errors import Unprocessable
from recon.sandbox.psp.model import FactKind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CHARGEBACKS",
    "DEPOSITS",
    "REFUNDS",
    "Step",
    "way",
    "withdrawal_steps",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One fact on a payment's way.

    Attributes:
        kind: the fact.
        game: +1 the game's backend credits the player, -1 it debits, 0 it is not told.
    """

    kind: FactKind
    game: int = 0


DEPOSITS: Final = {
    "succeeded": (Step(FactKind.DEPOSIT_PENDING), Step(FactKind.DEPOSIT_SUCCEEDED, +1)),
    "failed": (Step(FactKind.DEPOSIT_PENDING), Step(FactKind.DEPOSIT_FAILED)),
    "reversed": (
        Step(FactKind.DEPOSIT_PENDING),
        Step(FactKind.DEPOSIT_SUCCEEDED, +1),
        Step(FactKind.DEPOSIT_FAILED, -1),
    ),
}

REFUNDS: Final = {
    "succeeded": (Step(FactKind.REFUNDED, -1),),
    "failed": (Step(FactKind.REFUNDED, -1), Step(FactKind.REFUND_FAILED, +1)),
}

CHARGEBACKS: Final = {
    "lost": (
        Step(FactKind.DISPUTE_OPENED),
        Step(FactKind.CHARGED_BACK, -1),
        Step(FactKind.DISPUTE_LOST),
    ),
    "reversed": (
        Step(FactKind.DISPUTE_OPENED),
        Step(FactKind.CHARGED_BACK, -1),
        Step(FactKind.CHARGEBACK_REVERSED, +1),
        Step(FactKind.DISPUTE_WON),
    ),
}

WITHDRAWALS: Final = {
    "accepted": (Step(FactKind.WITHDRAWAL_ACCEPTED),),
    "paid": (Step(FactKind.WITHDRAWAL_ACCEPTED), Step(FactKind.WITHDRAWAL_PAID, -1)),
    "failed": (Step(FactKind.WITHDRAWAL_ACCEPTED), Step(FactKind.WITHDRAWAL_FAILED)),
    "returned": (
        Step(FactKind.WITHDRAWAL_ACCEPTED),
        Step(FactKind.WITHDRAWAL_PAID, -1),
        Step(FactKind.WITHDRAWAL_RETURNED, +1),
    ),
}

UNCONFIRMED_WITHDRAWALS: Final = {
    "accepted": (Step(FactKind.WITHDRAWAL_ACCEPTED, -1),),
    "failed": (Step(FactKind.WITHDRAWAL_FAILED),),
    "returned": (
        Step(FactKind.WITHDRAWAL_ACCEPTED, -1),
        Step(FactKind.WITHDRAWAL_RETURNED, +1),
    ),
}


def withdrawal_steps(outcome: str, *, pays_out: bool) -> tuple[Step, ...]:
    """The way of a withdrawal.

    Args:
        outcome: ``paid``, ``failed``, ``returned`` or ``accepted``.
        pays_out: whether the provider reports that a payout was paid. Where it does not, the
            game is told once it was accepted, and a declined one is reported as that alone.

    Raises:
        Unprocessable: ``unsupported_outcome``.
    """
    return way(WITHDRAWALS if pays_out else UNCONFIRMED_WITHDRAWALS, outcome)


def way(ways: Mapping[str, tuple[Step, ...]], outcome: str) -> tuple[Step, ...]:
    """The steps to an outcome.

    Raises:
        Unprocessable: ``unsupported_outcome``, naming those that there are.
    """
    try:
        return ways[outcome]
    except KeyError:
        raise Unprocessable(
            f"the outcome here is one of {', '.join(ways)}", code="unsupported_outcome"
        ) from None
