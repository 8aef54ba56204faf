"""Payments that a PSP has not told the end of, and reports that could not be booked; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from recon.payments import Direction, PaymentState
from recon.reconciliation.candidate import Candidate
from recon.reconciliation.facts.money import DEPOSIT, WITHDRAWAL, of_kind
from recon.reconciliation.model import Cause, Evidence, Finding
from recon.reconciliation.odds import Standing
from recon.webhooks import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from recon.money import Money
    from recon.payments import Payment
    from recon.reconciliation.facts.money import Moneys
    from recon.webhooks import UnbookedDelivery

__all__ = ["failed_here", "not_taken", "unbooked", "unreported"]

_SIGNS: Final = {
    Kind.DEPOSIT_SUCCEEDED: 1,
    Kind.DEPOSIT_FAILED: -1,
    Kind.DEPOSIT_REFUNDED: -1,
    Kind.DEPOSIT_REFUND_FAILED: 1,
    Kind.DEPOSIT_CHARGED_BACK: -1,
    Kind.DEPOSIT_CHARGEBACK_REVERSED: 1,
    Kind.WITHDRAWAL_PAID: -1,
    Kind.WITHDRAWAL_FAILED: 1,
    Kind.WITHDRAWAL_RETURNED: 1,
}
_WHOLE: Final = {Kind.DEPOSIT_SUCCEEDED, Kind.WITHDRAWAL_PAID}
"""They are the payment, with its amount; a refund may be a part of it."""
_UNDOES: Final = {
    Kind.DEPOSIT_FAILED: {Kind.DEPOSIT_SUCCEEDED},
    Kind.DEPOSIT_REFUND_FAILED: {Kind.DEPOSIT_REFUNDED},
    Kind.DEPOSIT_CHARGEBACK_REVERSED: {Kind.DEPOSIT_CHARGED_BACK},
    Kind.WITHDRAWAL_FAILED: {Kind.WITHDRAWAL_PAID},
    Kind.WITHDRAWAL_RETURNED: {Kind.WITHDRAWAL_PAID},
}
_OPEN: Final = {PaymentState.REGISTERED, PaymentState.PENDING, PaymentState.ACCEPTED}
_SOON_AFTER: Final = timedelta(minutes=2)
"""The game may hear of a payment so much later than we."""
_PAID_WITHIN: Final = timedelta(hours=1)
"""Who has registered a deposit has mostly paid it by then, or never will."""


class _Told(NamedTuple):
    """What a report comes to: the amount, signed, and what is to be thought of it."""

    amount: Money
    sign: int
    cause: Cause
    standing: Standing


def unbooked(
    deliveries: Sequence[UnbookedDelivery],
    payments: Mapping[tuple[str, str], Payment],
    currency: str,
    moneys: Moneys,
    *,
    agreed_at: datetime | None,
) -> list[Candidate]:
    """Reports that came and could not be booked.

    Where one says another amount than was registered, the game may have taken either; where another
    report of the same money is booked, only what this one says beyond it differs.

    Args:
        deliveries: of the player.
        payments: the player's, by endpoint and reference.
        currency: of the wallet.
        moneys: what their money is called.
        agreed_at: when both sides last agreed.
    """
    unbooked_kinds = {(one.endpoint, one.payment_id, one.kind) for one in deliveries}
    candidates = []
    for delivery in deliveries:
        if delivery.kind not in _SIGNS:
            continue
        payment = payments.get((delivery.endpoint, delivery.reference or ""))
        undone = {
            (delivery.endpoint, delivery.payment_id, kind)
            for kind in _UNDOES.get(delivery.kind, ())
        }
        if undone and not delivery.undoes_booked and not undone & unbooked_kinds:
            # What it undoes is in neither book: undoing it changes neither.
            continue
        told = list(_told_by(delivery, payment))
        name = moneys.name(
            delivery.endpoint,
            of_kind(delivery.kind),
            reference=delivery.reference,
            payment_id=delivery.payment_id,
            effect_id=delivery.effect_id,
        )
        agreed_since = agreed_at is not None and delivery.received_at + _SOON_AFTER < agreed_at
        candidates += [
            Candidate(
                Evidence(
                    kind="delivery",
                    id=str(delivery.delivery_id),
                    amount=one.sign * one.amount.minor,
                    at=delivery.received_at,
                    summary=_summary(delivery, payment, one),
                    cause=one.cause,
                    root=delivery.endpoint,
                ),
                one.standing,
                doubts=int(agreed_since),
                money=name,
            )
            for one in told
            if one.amount.currency == currency and one.amount.minor
        ]
    return candidates


def _told_by(delivery: UnbookedDelivery, payment: Payment | None) -> Iterator[_Told]:
    if delivery.kind is None:
        return
    sign, said, booked = _SIGNS[delivery.kind], delivery.amount, delivery.booked
    if booked is not None:
        if said is not None and said.currency == booked.currency:
            yield _Told(said - booked, sign, Cause.AMOUNT_MISMATCH, Standing.LIKELY)
        return
    if (
        delivery.kind is Kind.WITHDRAWAL_PAID
        and payment is not None
        and payment.state is PaymentState.ACCEPTED
    ):
        return  # that an accepted withdrawal has left the game is no difference
    whole = delivery.kind in _WHOLE and payment is not None and payment.state in _OPEN
    registered = payment.amount if whole and payment is not None else None
    amounts = [*dict.fromkeys(one for one in (registered, said) if one is not None)]
    mismatch = len(amounts) > 1
    for amount in amounts:
        yield _Told(
            amount,
            sign,
            Cause.AMOUNT_MISMATCH if mismatch else Cause.MISSING_WEBHOOK,
            Standing.LIKELY if mismatch else Standing.KNOWN,
        )


def _summary(delivery: UnbookedDelivery, payment: Payment | None, told: _Told) -> str:
    said, booked = delivery.amount, delivery.booked
    mismatch = told.cause is Cause.AMOUNT_MISMATCH
    return (
        f"{delivery.event_type} from {delivery.endpoint} says "
        + (f"{said} {said.currency}" if said is not None else "no amount")
        + (f", booked is {booked}" if booked is not None else "")
        + (f", registered was {payment.amount}" if mismatch and payment and not booked else "")
        + (", found in its own list and brought by no webhook" if delivery.backfilled else "")
        + f"; {delivery.state}: {delivery.reason or 'no reason kept'}"
    )


def unreported(
    payments: Sequence[Payment], told: set[str], moneys: Moneys, *, agreed_at: datetime | None
) -> list[Candidate]:
    """Payments registered here of which the PSP never told us the outcome.

    Args:
        payments: the player's that are open.
        told: money of which a report tells, however unusable.
        moneys: what their money is called.
        agreed_at: when both sides last agreed.
    """
    candidates = []
    for payment in payments:
        name = _name(payment, moneys)
        if name in told or payment.state is PaymentState.ACCEPTED:
            continue
        deposit = payment.direction is Direction.DEPOSIT
        fact = _fact(
            payment,
            payment.amount.minor if deposit else -payment.amount.minor,
            payment.registered_at,
            Cause.MISSING_WEBHOOK,
            f"at {payment.endpoint} is {payment.state}: no webhook has told its outcome",
        )
        agreed_since = agreed_at is not None and payment.registered_at + _PAID_WITHIN < agreed_at
        candidates.append(Candidate(fact, Standing.OPEN, doubts=int(agreed_since), money=name))
    return candidates


def failed_here(
    payments: Sequence[Payment], moneys: Moneys, *, agreed_at: datetime | None
) -> list[Candidate]:
    """Deposits that failed by what the PSP told us; that one succeeded after all may be lost."""
    return [
        Candidate(
            replace(
                _fact(
                    payment,
                    payment.amount.minor,
                    payment.updated_at,
                    Cause.MISSING_WEBHOOK,
                    f"at {payment.endpoint} failed; no webhook has told that it came after all",
                ),
                finding=Finding.FAILED_HERE,
            ),
            Standing.OPEN,
            doubts=1 + (agreed_at is not None and payment.updated_at + _PAID_WITHIN < agreed_at),
            money=_name(payment, moneys),
        )
        for payment in payments
        if payment.direction is Direction.DEPOSIT and payment.state is PaymentState.FAILED
    ]


def not_taken(
    payments: Sequence[Payment],
    moneys: Moneys,
    *,
    may_be_there: Sequence[int],
    taken_until: datetime | None,
) -> list[Candidate]:
    """Withdrawals accepted by the PSP, which the game may not have been told of.

    Args:
        payments: the player's that are open.
        moneys: what their money is called.
        may_be_there: amounts of those that the game may rightly show still, which the comparison
            has allowed for already.
        taken_until: the game has taken whatever was accepted by then.
    """
    allowed = Counter(may_be_there)
    candidates = []
    for payment in sorted(payments, key=lambda one: one.updated_at, reverse=True):
        if payment.state is not PaymentState.ACCEPTED or payment.direction is Direction.DEPOSIT:
            continue
        if allowed[payment.amount.minor]:
            allowed[payment.amount.minor] -= 1
            continue
        if taken_until is not None and payment.updated_at <= taken_until:
            continue
        fact = _fact(
            payment,
            payment.amount.minor,
            payment.updated_at,
            Cause.MISSING_GAME_UPDATE,
            f"was accepted by {payment.endpoint}; the game still shows the money",
        )
        candidates.append(Candidate(fact, Standing.OPEN, money=_name(payment, moneys)))
    return candidates


def _name(payment: Payment, moneys: Moneys) -> str:
    return moneys.name(
        payment.endpoint,
        DEPOSIT if payment.direction is Direction.DEPOSIT else WITHDRAWAL,
        reference=payment.reference,
        payment_id=payment.payment_id,
    )


def _fact(payment: Payment, amount: int, at: datetime, cause: Cause, meaning: str) -> Evidence:
    return Evidence(
        kind="payment",
        id=payment.reference,
        amount=amount,
        at=at,
        summary=(
            f"{payment.direction} {payment.reference} of {payment.amount} "
            f"{payment.amount.currency} {meaning}"
        ),
        cause=cause,
        root=payment.endpoint,
    )
