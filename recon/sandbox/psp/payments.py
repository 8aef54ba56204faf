"""The payments at all endpoints: deposits, withdrawals, refunds and chargebacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.clock import now
from recon.errors import Conflict, Invalid, NotFound, Unprocessable
from recon.money import parse_minor
from recon.sandbox.faults import KINDS, LEADING
from recon.sandbox.psp.model import Effect, FactKind, Payment, seeded
from recon.sandbox.psp.plan import CHARGEBACKS, DEPOSITS, REFUNDS, withdrawal_steps
from recon.sandbox.psp.reporting import Report
from recon.sandbox.psp.strikes import (
    ABSORBED,
    LEADING_ON,
    draw,
    expected_difference,
    refuse_impossible,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recon.sandbox.faults import Faults
    from recon.sandbox.psp.courier import Shipment
    from recon.sandbox.psp.endpoints import Endpoints
    from recon.sandbox.psp.model import Direction
    from recon.sandbox.psp.plan import Step
    from recon.sandbox.psp.reporting import Reporter

__all__ = ["Made", "Payments"]


@dataclass(frozen=True, slots=True)
class Made:
    """What was set going.

    Attributes:
        effect_id: of a refund or a dispute.
        struck: the faults that befall it, in the order of their names.
    """

    payment: Payment
    effect_id: str | None
    struck: tuple[str, ...]


class Payments:
    """Every payment made here, and what may still be done with it.

    Args:
        seed: the ids of payments follow from it and from their references.
        endpoints: at which payments are made.
        faults: what strikes them.
        reporter: tells the service and the game.
    """

    def __init__(
        self, seed: int, *, endpoints: Endpoints, faults: Faults, reporter: Reporter
    ) -> None:
        self._seed = seed
        self._endpoints = endpoints
        self._faults = faults
        self._reporter = reporter
        self._by_reference: dict[tuple[str, str], Payment] = {}
        self._by_id: dict[tuple[str, str], Payment] = {}
        self._main: dict[str, list[Shipment]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def at(self, endpoint: str) -> int:
        """How many payments were made at one endpoint."""
        return sum(name == endpoint for name, _ in self._by_id)

    def deposit(
        self,
        endpoint: str,
        *,
        user_id: str,
        amount: str,
        currency: str,
        reference: str,
        outcome: str = "succeeded",
        forced: Iterable[str] | None = None,
    ) -> Made:
        """A player pays in.

        Args:
            endpoint: its name.
            user_id: the player.
            amount: a decimal string above zero.
            currency: of the amount.
            reference: unique at the endpoint.
            outcome: ``succeeded``, ``failed``, or ``reversed``: succeeded, and failed after all.
            forced: faults to strike with instead of drawing.

        Raises:
            NotFound: no such endpoint.
            Invalid: an amount, currency, reference or fault that cannot be.
            Conflict: the reference is taken.
            Unprocessable: ``unsupported_outcome``.
        """
        payment = self._new("deposit", endpoint, user_id, amount, currency, reference)
        steps = _way(DEPOSITS, outcome)
        leading = LEADING_ON["deposit"] if outcome == "succeeded" else ()
        made = self._make(payment, steps, leading, +payment.amount_minor, forced)
        payment.settled = outcome == "succeeded"
        return made

    def withdraw(
        self,
        endpoint: str,
        *,
        user_id: str,
        amount: str,
        currency: str,
        reference: str,
        outcome: str | None = None,
        forced: Iterable[str] | None = None,
    ) -> Made:
        """A player takes money out; parameters and errors as in `deposit`.

        ``outcome`` is ``paid``, ``failed``, ``returned`` or ``accepted``; without it the furthest
        that the provider reports, ``paid`` or ``accepted``.
        """
        payment = self._new("withdrawal", endpoint, user_id, amount, currency, reference)
        pays_out = self._endpoints.provider(endpoint).pays_out
        outcome = outcome or ("paid" if pays_out else "accepted")
        steps = withdrawal_steps(outcome, pays_out=pays_out)
        leading = LEADING_ON["withdrawal"] if outcome == "paid" else ()
        return self._make(payment, steps, leading, -payment.amount_minor, forced)

    def refund(
        self,
        endpoint: str,
        *,
        payment_id: str,
        amount: str | None = None,
        outcome: str = "succeeded",
        forced: Iterable[str] | None = None,
    ) -> Made:
        """Give a deposit back, or a part of it; the whole rest without an amount.

        Args:
            endpoint: its name.
            payment_id: of a deposit that succeeded.
            amount: a decimal string above zero, up to what is left of the deposit.
            outcome: ``succeeded``, or ``failed``: succeeded at first, then the money came back.
            forced: faults to strike with instead of drawing; only such as are absorbed.

        Raises:
            NotFound: no such endpoint or payment.
            Invalid: the amount is not above zero, or a fault cannot strike.
            Conflict: ``not_refundable``, e.g. disputed, or an explanation of a difference hangs
                on this payment; ``refund_too_large``.
            Unprocessable: ``unsupported_outcome``.
        """
        payment = self._touchable(endpoint, payment_id)
        left_minor = payment.amount_minor - payment.refunded_minor
        amount_minor = left_minor if amount is None else _positive(amount, payment.currency)
        if not 0 < amount_minor <= left_minor:
            raise Conflict("more than is left of the deposit", code="refund_too_large")
        steps = _way(REFUNDS, outcome)
        made = self._befall(payment, FactKind.REFUNDED, amount_minor, steps, forced)
        if outcome == "succeeded":
            payment.refunded_minor += amount_minor
        return made

    def charge_back(
        self,
        endpoint: str,
        *,
        payment_id: str,
        outcome: str = "lost",
        forced: Iterable[str] | None = None,
    ) -> Made:
        """A player's bank takes a deposit back; ``outcome`` is ``lost`` or ``reversed``.

        What was refunded before is not disputed. Errors as in `refund`.
        """
        payment = self._touchable(endpoint, payment_id)
        left_minor = payment.amount_minor - payment.refunded_minor
        if left_minor <= 0:
            raise Conflict("nothing is left of the deposit", code="not_refundable")
        steps = _way(CHARGEBACKS, outcome)
        made = self._befall(payment, FactKind.CHARGED_BACK, left_minor, steps, forced)
        payment.disputed = True
        return made

    def _new(
        self,
        direction: Direction,
        endpoint: str,
        user_id: str,
        amount: str,
        currency: str,
        reference: str,
    ) -> Payment:
        provider = self._endpoints.provider(endpoint)
        if (endpoint, reference) in self._by_reference:
            raise Conflict(f"{reference} was used before", code="reference_taken")
        amount_minor = _positive(amount, currency)
        payment = Payment(
            "", endpoint, direction, user_id, amount_minor, currency, reference, now()
        )
        provider.check_payment(payment)
        provider.identify(payment, seeded(self._seed, "payment", endpoint, reference))
        return payment

    def _make(
        self,
        payment: Payment,
        steps: Sequence[Step],
        leading: Sequence[str],
        movement_minor: int,
        forced: Iterable[str] | None,
    ) -> Made:
        report = Report(payment, payment.amount_minor, steps, payment.reference)
        struck = self._strike(report, leading, movement_minor, forced)
        self._by_reference[payment.endpoint, payment.reference] = payment
        self._by_id[payment.endpoint, payment.payment_id] = payment
        self._main[payment.payment_id] = self._reporter.send(report, struck)
        return Made(payment, None, tuple(sorted(struck)))

    def _befall(
        self,
        payment: Payment,
        kind: FactKind,
        amount_minor: int,
        steps: Sequence[Step],
        forced: Iterable[str] | None,
    ) -> Made:
        provider = self._endpoints.provider(payment.endpoint)
        if not all(provider.reports(step.kind) for step in steps if step.game):
            raise Unprocessable("this provider reports no such thing", code="unsupported_outcome")
        number = payment.effects + 1
        key = f"{payment.reference}/{kind}/{number}"
        random = seeded(self._seed, "effect", payment.endpoint, key)
        effect = Effect(provider.effect_id(kind, random), number, amount_minor, now())
        unsent = self._main[payment.payment_id]
        report = Report(
            payment,
            amount_minor,
            steps,
            key,
            effect,
            behind=tuple(unsent) if all(shipment.can_be_held for shipment in unsent) else (),
        )
        struck = self._strike(report, (), -amount_minor, forced)
        payment.effects = number
        self._reporter.send(report, struck)
        return Made(payment, effect.effect_id, tuple(sorted(struck)))

    def _strike(
        self,
        report: Report,
        leading: Sequence[str],
        movement_minor: int,
        forced: Iterable[str] | None,
    ) -> frozenset[str]:
        payment = report.payment
        possible = frozenset(leading) | frozenset(ABSORBED)
        if self._reporter.events_of(report) < 2 and not report.behind:  # noqa: PLR2004 - two swap
            possible -= {"webhook_reordered"}
        wanted = None if forced is None else frozenset(forced)
        if wanted is not None:
            refuse_impossible(wanted, possible)
        struck = draw(
            self._faults, possible, user_id=payment.user_id, key=report.key, forced=wanted
        )
        for kind in sorted(struck):
            leads = kind in LEADING
            if leads:
                payment.led_by = kind
            self._faults.plant(
                kind,
                user_id=payment.user_id,
                currency=payment.currency,
                amount_minor=expected_difference(kind, movement_minor)
                if leads
                else report.amount_minor,
                must_lead_to=KINDS[kind],
            )
        return struck

    def _touchable(self, endpoint: str, payment_id: str) -> Payment:
        self._endpoints.get(endpoint)
        payment = self._by_id.get((endpoint, payment_id))
        if payment is None:
            raise NotFound(f"no payment is called {payment_id[:64]!r}")
        if payment.direction != "deposit" or not payment.settled or payment.disputed:
            raise Conflict("only a deposit that stands can be taken back", code="not_refundable")
        if payment.led_by is not None:
            # Another movement would blur the difference that the planted one must lead to.
            raise Conflict(f"{payment.led_by} was planted on it", code="not_refundable")
        return payment


def _way(ways: dict[str, tuple[Step, ...]], outcome: str) -> tuple[Step, ...]:
    try:
        return ways[outcome]
    except KeyError:
        raise Unprocessable(
            f"the outcome is one of {', '.join(ways)}", code="unsupported_outcome"
        ) from None


def _positive(amount: str, currency: str) -> int:
    amount_minor = parse_minor(amount, currency)
    if amount_minor <= 0:
        raise Invalid("an amount must be above zero", code="invalid_amount")
    return amount_minor
