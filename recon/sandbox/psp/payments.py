"""The payments made so far, and what every report of one has to go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.errors import Conflict, Invalid, NotFound
from recon.money import parse_minor
from recon.sandbox.faults import KINDS, LEADING
from recon.sandbox.psp.drawing import seeded
from recon.sandbox.psp.strikes import (
    ABSORBED,
    MISSED,
    draw,
    expected_difference,
    refuse_impossible,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from recon.sandbox.faults import Faults
    from recon.sandbox.psp.endpoints import Endpoints
    from recon.sandbox.psp.model import Payment, Provider
    from recon.sandbox.psp.reporting import Report, Reporter
    from recon.sandbox.psp.shipment import Shipment

__all__ = ["Made", "Payments", "positive"]


@dataclass(frozen=True, slots=True)
class Made:
    """What was set going.

    Attributes:
        payment: the payment itself.
        effect_id: of a refund or a dispute.
        struck: the faults that befall it, in the order of their names.
    """

    payment: Payment
    effect_id: str | None
    struck: tuple[str, ...]


class Payments:
    """Every payment of one sandbox.

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

    def provider(self, endpoint: str) -> Provider:
        """Who is behind an endpoint.

        Raises:
            NotFound: no such endpoint.
        """
        return self._endpoints.provider(endpoint)

    def random(self, *label: object) -> Random:
        """The generator for what is drawn once under this label."""
        return seeded(self._seed, *label)

    def standing_deposit(self, endpoint: str, payment_id: str) -> Payment:
        """A deposit that can be taken back.

        Raises:
            NotFound: no such endpoint or payment.
            Conflict: ``not_refundable``: it has failed or was disputed, or the explanation of a
                difference hangs on it.
        """
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

    def can_overtake(self, payment: Payment) -> tuple[Shipment, ...]:
        """The deliveries that say a payment succeeded, if none of them has left yet."""
        main = self._main[payment.payment_id]
        return tuple(main) if all(shipment.can_be_held for shipment in main) else ()

    def refuse_taken(self, endpoint: str, reference: str) -> None:
        """Raise `Conflict` (``reference_taken``) for a reference used before at an endpoint."""
        if (endpoint, reference) in self._by_reference:
            raise Conflict(f"{reference} was used before", code="reference_taken")

    def tell(
        self,
        report: Report,
        *,
        movement_minor: int,
        leading: Sequence[str] = (),
        forced: Iterable[str] | None = None,
    ) -> Made:
        """Let faults strike a report, plant them, keep the payment and send everything.

        Args:
            report: what to tell; nothing is kept or sent when a forced fault is refused.
            movement_minor: what it does to the player's balance, signed.
            leading: the faults that could strike it and must lead to a discrepancy.
            forced: faults to strike with instead of drawing.

        Raises:
            Invalid: ``unknown_fault``, ``fault_not_possible``.
        """
        payment = report.payment
        possible = frozenset(leading) | frozenset(ABSORBED)
        if self._reporter.events_of(report) < 2 and not report.behind:  # noqa: PLR2004 - two swap
            possible -= {"webhook_reordered"}
        if not self.provider(payment.endpoint).lists_events:
            possible -= {MISSED}
        wanted = None if forced is None else frozenset(forced)
        if wanted is not None:
            refuse_impossible(wanted, possible)
        struck = draw(
            self._faults, possible, user_id=payment.user_id, key=report.key, forced=wanted
        )
        for kind in sorted(struck):
            self._plant(kind, report, movement_minor)
        shipments = self._reporter.send(report, struck)
        if report.effect is None:
            self._by_reference[payment.endpoint, payment.reference] = payment
            self._by_id[payment.endpoint, payment.payment_id] = payment
            self._main[payment.payment_id] = shipments
        effect_id = report.effect.effect_id if report.effect else None
        return Made(payment, effect_id, tuple(sorted(struck)))

    def _plant(self, kind: str, report: Report, movement_minor: int) -> None:
        amount_minor = report.amount_minor
        if kind in LEADING:
            report.payment.led_by = kind
            amount_minor = expected_difference(kind, movement_minor)
        self._faults.plant(
            kind,
            user_id=report.payment.user_id,
            currency=report.payment.currency,
            amount_minor=amount_minor,
            must_lead_to=KINDS[kind],
        )


def positive(amount: str, currency: str) -> int:
    """An amount above zero, in minor units.

    Raises:
        Invalid: ``invalid_amount``, ``unknown_currency``.
    """
    amount_minor = parse_minor(amount, currency)
    if amount_minor <= 0:
        raise Invalid("an amount must be above zero", code="invalid_amount")
    return amount_minor
