"""Payments that a PSP has not told the end of, and reports that could not be booked; pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from recon.payments import Direction, PaymentState
from recon.reconciliation.explain import Candidate
from recon.reconciliation.model import Cause, Evidence
from recon.reconciliation.odds import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from recon.payments import Payment
    from recon.webhooks import UnbookedDelivery

__all__ = ["not_taken", "unbooked", "unreported"]

_IN: Final = {
    "deposit.succeeded",
    "deposit.refund_failed",
    "deposit.chargeback_reversed",
    "withdrawal.returned",
}
_OUT: Final = {"deposit.refunded", "deposit.charged_back", "deposit.failed", "withdrawal.paid"}
_SOON_AFTER: Final = timedelta(minutes=2)
"""The game may hear of a payment so much later than we."""


def unbooked(
    deliveries: Sequence[UnbookedDelivery],
    payments: Mapping[str, Payment],
    currency: str,
    *,
    agreed_at: datetime | None,
) -> list[Candidate]:
    """Reports that came and could not be booked.

    Where one says another amount than was registered, the game may have taken either.

    Args:
        deliveries: of the player.
        payments: the player's, by reference.
        currency: of the wallet.
        agreed_at: when both sides last agreed.
    """
    candidates = []
    for delivery in deliveries:
        registered = payments.get(delivery.reference or "")
        reported = delivery.amount
        kind = str(delivery.kind)
        sign = 1 if kind in _IN else -1 if kind in _OUT else 0
        if sign == 0:
            continue
        known = None if registered is None else registered.amount
        amounts = [*dict.fromkeys(amount for amount in (known, reported) if amount is not None)]
        mismatch = len(amounts) > 1
        said = f"{reported} {reported.currency}" if reported is not None else "no amount"
        told = (
            f"{delivery.event_type} from {delivery.endpoint} says {said}"
            + (f", registered was {known}" if mismatch else "")
            + (", found in its own list and brought by no webhook" if delivery.backfilled else "")
            + f"; {delivery.state}: {delivery.reason or 'no reason kept'}"
        )
        agreed_since = agreed_at is not None and delivery.received_at + _SOON_AFTER < agreed_at
        candidates += [
            Candidate(
                Evidence(
                    kind="delivery",
                    id=str(delivery.delivery_id),
                    amount=sign * amount.minor,
                    at=delivery.received_at,
                    summary=told,
                    cause=Cause.AMOUNT_MISMATCH if mismatch else Cause.MISSING_WEBHOOK,
                    root=delivery.endpoint,
                ),
                Standing.LIKELY if mismatch else Standing.KNOWN,
                agreed_since,
            )
            for amount in amounts
            if amount.currency == currency
        ]
    return candidates


def unreported(payments: Sequence[Payment], reported: set[str]) -> list[Candidate]:
    """Payments registered here of which the PSP never told us the outcome."""
    candidates = []
    for payment in payments:
        if payment.reference in reported or payment.state is PaymentState.ACCEPTED:
            continue
        deposit = payment.direction is Direction.DEPOSIT
        fact = Evidence(
            kind="payment",
            id=payment.reference,
            amount=payment.amount.minor if deposit else -payment.amount.minor,
            at=payment.registered_at,
            summary=(
                f"{payment.direction} {payment.reference} of {payment.amount} "
                f"{payment.amount.currency} at {payment.endpoint} is {payment.state}: "
                "no webhook has told its outcome"
            ),
            cause=Cause.MISSING_WEBHOOK,
            root=payment.endpoint,
        )
        candidates.append(Candidate(fact, Standing.OPEN))
    return candidates


def not_taken(payments: Sequence[Payment]) -> list[Candidate]:
    """Withdrawals accepted by the PSP, which the game may not have been told of."""
    return [
        Candidate(
            Evidence(
                kind="payment",
                id=payment.reference,
                amount=payment.amount.minor,
                at=payment.updated_at,
                summary=(
                    f"withdrawal {payment.reference} of {payment.amount} "
                    f"{payment.amount.currency} was accepted by {payment.endpoint}; "
                    "the game still shows the money"
                ),
                cause=Cause.MISSING_GAME_UPDATE,
                root=payment.endpoint,
            ),
            Standing.OPEN,
        )
        for payment in payments
        if payment.state is PaymentState.ACCEPTED and payment.direction is Direction.WITHDRAWAL
    ]
