"""A deposit is taken back: refunded by us, or charged back by the player's bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from recon.clock import now
from recon.errors import Conflict, Unprocessable
from recon.sandbox.psp.model import Effect, FactKind
from recon.sandbox.psp.payments import positive
from recon.sandbox.psp.plan import CHARGEBACKS, REFUNDS, way
from recon.sandbox.psp.reporting import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.sandbox.psp.model import Payment
    from recon.sandbox.psp.payments import Made, Payments
    from recon.sandbox.psp.plan import Step

__all__ = ["NewChargeback", "NewRefund", "charge_back", "refund"]


class NewRefund(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST …/refunds``.

    Attributes:
        payment_id: of a deposit that succeeded.
        amount: a decimal string above zero, up to what is left of the deposit; all that is left
            when absent.
        outcome: ``succeeded``, or ``failed``: succeeded at first, then the money came back.
        faults: what strikes it, instead of a draw; only such as are absorbed.
    """

    payment_id: str
    amount: str | None = None
    outcome: str = "succeeded"
    faults: list[str] | None = None


class NewChargeback(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST …/chargebacks``.

    Attributes:
        payment_id: of a deposit that succeeded; what was refunded before is not disputed.
        outcome: ``lost``, or ``reversed``: the money comes back.
        faults: as for a refund.
    """

    payment_id: str
    outcome: str = "lost"
    faults: list[str] | None = None


def refund(payments: Payments, endpoint: str, wanted: NewRefund) -> Made:
    """Give a deposit back, or a part of it.

    Raises:
        NotFound: no such endpoint or payment.
        Invalid: the amount is not above zero, or a fault cannot strike.
        Conflict: ``not_refundable``, ``refund_too_large``.
        Unprocessable: ``unsupported_outcome``, also where the provider reports no such thing.
    """
    payment = payments.standing_deposit(endpoint, wanted.payment_id)
    left_minor = _left(payment)
    amount_minor = (
        left_minor if wanted.amount is None else positive(wanted.amount, payment.currency)
    )
    if amount_minor > left_minor:
        raise Conflict("more than is left of the deposit", code="refund_too_large")
    steps = way(REFUNDS, wanted.outcome)
    made = _befall(payments, payment, FactKind.REFUNDED, amount_minor, steps, wanted.faults)
    if wanted.outcome == "succeeded":
        payment.refunded_minor += amount_minor
    return made


def charge_back(payments: Payments, endpoint: str, wanted: NewChargeback) -> Made:
    """Let a player's bank take back what is left of a deposit; errors as in `refund`."""
    payment = payments.standing_deposit(endpoint, wanted.payment_id)
    left_minor = _left(payment)
    steps = way(CHARGEBACKS, wanted.outcome)
    made = _befall(payments, payment, FactKind.CHARGED_BACK, left_minor, steps, wanted.faults)
    payment.disputed = True
    return made


def _left(payment: Payment) -> int:
    left_minor = payment.amount_minor - payment.refunded_minor
    if left_minor <= 0:
        raise Conflict("nothing is left of the deposit", code="not_refundable")
    return left_minor


def _befall(
    payments: Payments,
    payment: Payment,
    kind: FactKind,
    amount_minor: int,
    steps: Sequence[Step],
    forced: list[str] | None,
) -> Made:
    provider = payments.provider(payment.endpoint)
    if not all(provider.reports(step.kind) for step in steps if step.game):
        raise Unprocessable("this provider reports no such thing", code="unsupported_outcome")
    number = payment.effects + 1
    key = f"{payment.reference}/{kind}/{number}"
    effect_id = provider.effect_id(kind, payments.random("effect", payment.endpoint, key))
    effect = Effect(effect_id, number, amount_minor, now())
    behind = payments.can_overtake(payment)
    report = Report(payment, amount_minor, steps, key, effect, behind)
    made = payments.tell(report, movement_minor=-amount_minor, forced=forced)
    payment.effects = number
    return made
