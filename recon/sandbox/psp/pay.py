"""A player pays in, or takes money out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from recon.clock import now
from recon.sandbox.psp.model import Payment
from recon.sandbox.psp.payments import positive
from recon.sandbox.psp.plan import DEPOSITS, way, withdrawal_steps
from recon.sandbox.psp.reporting import Report
from recon.sandbox.psp.strikes import LEADING_ON

if TYPE_CHECKING:
    from recon.sandbox.psp.model import Direction
    from recon.sandbox.psp.payments import Made, Payments

__all__ = ["NewPayment", "deposit", "withdraw"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class NewPayment(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST …/deposits`` and ``POST …/withdrawals``.

    Attributes:
        user_id: the player.
        amount: a decimal string above zero.
        currency: of the amount.
        reference: unique at the endpoint.
        outcome: how it ends; the usual way when absent.
        faults: what strikes it, instead of a draw.
    """

    user_id: Name
    amount: str
    currency: str
    reference: Name
    outcome: str | None = None
    faults: list[str] | None = None


def deposit(payments: Payments, endpoint: str, wanted: NewPayment) -> Made:
    """A player pays in.

    The outcome is ``succeeded``, ``failed``, or ``reversed``: succeeded, and failed after all.

    Raises:
        NotFound: no such endpoint.
        Invalid: an amount, currency, reference or fault that cannot be.
        Conflict: ``reference_taken``.
        Unprocessable: ``unsupported_outcome``.
    """
    payment = _new(payments, "deposit", endpoint, wanted)
    outcome = wanted.outcome or "succeeded"
    steps = way(DEPOSITS, outcome)
    payment.settled = outcome == "succeeded"
    return payments.tell(
        Report(payment, payment.amount_minor, steps, payment.reference),
        movement_minor=+payment.amount_minor,
        leading=LEADING_ON["deposit"] if payment.settled else (),
        forced=wanted.faults,
    )


def withdraw(payments: Payments, endpoint: str, wanted: NewPayment) -> Made:
    """A player takes money out.

    The outcome is ``paid``, ``failed``, ``returned`` or ``accepted``; without one the furthest
    that the provider reports, ``paid`` or ``accepted``. Errors as in `deposit`.
    """
    payment = _new(payments, "withdrawal", endpoint, wanted)
    pays_out = payments.provider(endpoint).pays_out
    outcome = wanted.outcome or ("paid" if pays_out else "accepted")
    steps = withdrawal_steps(outcome, pays_out=pays_out)
    return payments.tell(
        Report(payment, payment.amount_minor, steps, payment.reference),
        movement_minor=-payment.amount_minor,
        leading=LEADING_ON["withdrawal"] if outcome == "paid" else (),
        forced=wanted.faults,
    )


def _new(payments: Payments, direction: Direction, endpoint: str, wanted: NewPayment) -> Payment:
    provider = payments.provider(endpoint)
    payments.refuse_taken(endpoint, wanted.reference)
    payment = Payment(
        payment_id="",
        endpoint=endpoint,
        direction=direction,
        user_id=wanted.user_id,
        amount_minor=positive(wanted.amount, wanted.currency),
        currency=wanted.currency,
        reference=wanted.reference,
        created_at=now(),
    )
    provider.check_payment(payment)
    provider.identify(payment, payments.random("payment", endpoint, wanted.reference))
    return payment
