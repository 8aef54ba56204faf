"""Telling the service and the game about a payment: two ways that know nothing of each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from recon.clock import now
from recon.money import exponent_of
from recon.sandbox.psp.drawing import seeded
from recon.sandbox.psp.model import Fact, FactKind
from recon.sandbox.psp.shipment import Shipment, ShipmentState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from recon.sandbox.psp.courier import Courier
    from recon.sandbox.psp.endpoints import Endpoints
    from recon.sandbox.psp.model import Effect, Event, GameBackend, Payment
    from recon.sandbox.psp.plan import Step
    from recon.sandbox.psp.shipment import Timing

__all__ = ["Report", "Reporter"]

ONE_EVENT, TWO_EVENTS = "one_event", "two_events"


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to tell.

    Attributes:
        amount_minor: of the movement: the payment's, or a refund's.
        steps: what becomes of it.
        key: unique per movement; every draw is derived from it.
        effect: the refund or dispute, where it is about one.
        behind: the deliveries to hold until this report is through, if they are to be overtaken.
    """

    payment: Payment
    amount_minor: int
    steps: Sequence[Step]
    key: str
    effect: Effect | None = None
    behind: Sequence[Shipment] = field(default_factory=tuple)


class Reporter:
    """Sends a report to the service as webhooks, and to the game's backend as calls.

    Args:
        seed: every delay and id follows from it.
        endpoints: where webhooks go.
        backend: the game's books.
        courier: carries both.
        timing: how long things take.
    """

    def __init__(
        self,
        seed: int,
        *,
        endpoints: Endpoints,
        backend: GameBackend,
        courier: Courier,
        timing: Timing,
    ) -> None:
        self._seed = seed
        self._endpoints = endpoints
        self._backend = backend
        self._courier = courier
        self._timing = timing
        self.game_calls = 0

    def events_of(self, report: Report) -> int:
        """How many events the provider will send about it."""
        return len(self._events(report, frozenset()))

    def send(self, report: Report, struck: frozenset[str]) -> list[Shipment]:
        """Set everything going; answers the deliveries that say what matters.

        Args:
            report: what to tell.
            struck: the faults that befall it.
        """
        self._tell_game(report, struck)
        rows = self._events(report, struck)
        random = seeded(self._seed, "delivery", report.payment.endpoint, report.key)
        shipments = [self._shipment(report, event, random) for event, _ in rows]
        main = [shipment for shipment, (_, is_main) in zip(shipments, rows, strict=True) if is_main]
        if "webhook_lost" in struck:
            for shipment in shipments:
                shipment.state = ShipmentState.LOST
        if "webhook_missed" in struck:
            for shipment in shipments:
                shipment.state = ShipmentState.GAVE_UP
        if "webhook_late" in struck and main:
            main[0].delay_s += random.uniform(*self._timing.late_s)
        if main:
            main[-1].forge_first = "webhook_bad_signature" in struck
            main[-1].lose_first_answer = "webhook_answer_lost" in struck
        self._order(report, shipments, reordered="webhook_reordered" in struck)
        if "webhook_doubled" in struck and main:
            main.append(self._double(report, main[-1], random))
            shipments.append(main[-1])
        for shipment in shipments:
            self._courier.ship(shipment)
        return main

    def _events(self, report: Report, struck: frozenset[str]) -> list[tuple[Event, bool]]:
        payment = report.payment
        endpoint = self._endpoints.get(payment.endpoint)
        provider = self._endpoints.provider(payment.endpoint)
        random = seeded(self._seed, "events", payment.endpoint, report.key)
        main_step = next(
            (index for index, step in enumerate(report.steps) if step.game), len(report.steps) - 1
        )
        rows: list[tuple[Event, bool]] = []
        at = now()
        for index, step in enumerate(report.steps):
            amount_minor = report.amount_minor
            if index == main_step and "webhook_wrong_amount" in struck:
                amount_minor = _wrong(amount_minor, payment.currency, random)
            credited = step.kind is FactKind.DEPOSIT_FAILED and index > main_step
            fact = Fact(step.kind, payment, amount_minor, at, report.effect, credited=credited)
            rows += [
                (event, index == main_step) for event in provider.events(fact, endpoint, random)
            ]
        return rows

    def _shipment(self, report: Report, event: Event, random: Random) -> Shipment:
        delay_s = random.uniform(0, self._timing.spread_s)
        payment = report.payment
        return Shipment(event, payment.endpoint, payment.payment_id, delay_s=delay_s)

    def _order(self, report: Report, shipments: list[Shipment], *, reordered: bool) -> None:
        """Let each event follow the one before it, or overtake what it should have followed."""
        in_turn = list(shipments)
        overtaking = reordered and not report.behind
        if overtaking:
            in_turn[0], in_turn[1] = in_turn[1], in_turn[0]
        for index, (earlier, later) in enumerate(pairwise(in_turn)):
            # An attempt that failed lets the next event pass, as it does with real providers;
            # only where the wrong order is the point must the first one have arrived.
            later.after.append(earlier.done if overtaking and index == 0 else earlier.tried)
        if reordered:
            for held in report.behind:
                held.after += [shipment.done for shipment in shipments]

    def _double(self, report: Report, shipment: Shipment, random: Random) -> Shipment:
        """The same delivery once more: at once or afterwards, as the same event or as a second."""
        event = shipment.event
        if random.choice([ONE_EVENT, TWO_EVENTS]) == TWO_EVENTS:
            provider = self._endpoints.provider(report.payment.endpoint)
            event = provider.twin(event, random)
        again = Shipment(
            event,
            shipment.endpoint,
            shipment.payment_id,
            copy=1,
            delay_s=shipment.delay_s,
            after=list(shipment.after),
        )
        if random.choice([True, False]):
            again.after.append(shipment.done)
        return again

    def _tell_game(self, report: Report, struck: frozenset[str]) -> None:
        signs = [step.game for step in report.steps if step.game]
        if "game_update_lost" in struck:
            signs = signs[1:]
        elif "game_update_doubled" in struck:
            signs = signs[:1] + signs
        if signs:
            random = seeded(self._seed, "game", report.payment.endpoint, report.key)
            pauses_s = [random.uniform(0, self._timing.spread_s) for _ in signs]
            self._courier.start(self._call_game(report, list(zip(signs, pauses_s, strict=True))))

    async def _call_game(self, report: Report, calls: Sequence[tuple[int, float]]) -> None:
        payment = report.payment
        for sign, pause_s in calls:
            await asyncio.sleep(pause_s)
            move = self._backend.credit if sign > 0 else self._backend.debit
            move(payment.user_id, payment.currency, report.amount_minor, ref=payment.payment_id)
            self.game_calls += 1


def _wrong(amount_minor: int, currency: str, random: Random) -> int:
    """Another amount that the provider could have sent: one major unit off."""
    major: int = 10 ** exponent_of(currency)
    lower = amount_minor > major and random.choice([True, False])
    return amount_minor - major if lower else amount_minor + major
