"""Many deliveries decided one after the other, in memory, each on top of those before it.

Everything that they speak of was read under locks before, so nothing changes meanwhile. When
something is booked, deliveries of the same payment that were kept waiting (or in suspense) are
decided again at once: a webhook that overtook another is put right in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec.structs import replace

from recon.payments import Report
from recon.webhooks.model import CaseKind, Event, Kind, Named, State
from recon.webhooks.rules import Decision, Known, decide, decide_again

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from recon.ledger import Entry
    from recon.payments import Payment
    from recon.webhooks.model import Movement

__all__ = ["Batch", "Sleeper", "lock_names"]


class Sleeper(msgspec.Struct, frozen=True):
    """A delivery that may be decided otherwise once more is known."""

    delivery_id: UUID
    event: Event
    state: State


@dataclass(slots=True)
class Batch:
    """What was read, and what is decided.

    Args:
        payments: registered ones, locked.
        movements: of every payment and object that is spoken of.
        sleepers: kept deliveries about those payments.
        refused: deliveries that cannot be booked after all, with the reason.
        told: what was told by its own id and taken for what had moved without one.
        decisions: the latest of each delivery that was decided.
        events: what each of those says.
        entries: what is to be posted, each with its delivery.
        moved: what is to be written as moved.
        reports: the newest of each registered payment.
    """

    payments: list[Payment]
    movements: list[Movement]
    sleepers: dict[UUID, Sleeper]
    refused: Mapping[UUID, str]
    told: list[Named] = field(default_factory=list)
    decisions: dict[UUID, Decision] = field(default_factory=dict)
    events: dict[UUID, Event] = field(default_factory=dict)
    entries: list[tuple[UUID, Entry]] = field(default_factory=list)
    moved: list[Movement] = field(default_factory=list)
    reports: dict[str, Report] = field(default_factory=dict)
    _named: dict[tuple[str, str], list[Movement]] = field(init=False)
    _by_reference: dict[tuple[str, str], int] = field(init=False)
    _by_payment_id: dict[tuple[str, str], int] = field(init=False)

    def __post_init__(self) -> None:
        self._named = defaultdict(list)
        for movement in self.movements:
            self._remember(movement)
        self._by_reference = {}
        self._by_payment_id = {}
        for place, payment in enumerate(self.payments):
            self._by_reference[payment.endpoint, payment.reference] = place
            if payment.payment_id is not None:
                self._by_payment_id[payment.endpoint, payment.payment_id] = place

    def take(self, delivery_id: UUID, event: Event, state: State | None = None) -> Decision:
        """Decide about one delivery, and then about those that it wakes.

        Args:
            delivery_id: which one.
            event: what it says.
            state: in which it is kept so far; ``None`` for a new one.
        """
        reason = self.refused.get(delivery_id)
        if reason is not None:
            decision = Decision(State.QUARANTINED, reason, case=CaseKind.QUARANTINED)
            self.decisions[delivery_id] = decision
            return decision
        known = self._known(delivery_id, event)
        decision = decide(event, known) if state is None else decide_again(event, known, state)
        self._carry_out(delivery_id, event, decision)
        if decision.bookings:
            self._wake(event)
        elif _may_wake(event, decision.state):
            self.sleepers[delivery_id] = Sleeper(delivery_id, event, decision.state)
        return self.decisions[delivery_id]

    def _wake(self, event: Event) -> None:
        names = self._names_of_payment(event)
        progress = True
        while progress:
            progress = False
            waiting = [
                sleeper
                for sleeper in self.sleepers.values()
                if sleeper.event.endpoint == event.endpoint
                and sleeper.event.payment_id in names
                and sleeper.delivery_id not in self.refused
            ]
            for sleeper in waiting:
                known = self._known(sleeper.delivery_id, sleeper.event)
                decision = decide_again(sleeper.event, known, sleeper.state)
                if decision.state is not sleeper.state:
                    del self.sleepers[sleeper.delivery_id]
                    self._carry_out(sleeper.delivery_id, sleeper.event, decision)
                    progress = True

    def _carry_out(self, delivery_id: UUID, event: Event, decision: Decision) -> None:
        self.decisions[delivery_id] = decision
        self.events[delivery_id] = event
        self.entries += [(delivery_id, entry) for entry in decision.entries]
        for booking in decision.bookings:
            self.moved.append(booking.movement)
            self._remember(booking.movement)
        if decision.state is State.REPEATED:
            self._tell(event)
        place = self._payment_of(event)
        if place is None or decision.report is None:
            return
        payment = self.payments[place]
        # A failed attempt does not name the payment: the next attempt may have another id.
        said = None if event.kind is Kind.DEPOSIT_FAILED else event.payment_id
        payment_id = payment.payment_id or said
        self.payments[place] = replace(payment, state=decision.report, payment_id=payment_id)
        if payment_id is not None:
            self._by_payment_id.setdefault((payment.endpoint, payment_id), place)
        earlier = self.reports.get(payment.reference)
        self.reports[payment.reference] = Report(
            payment.reference,
            decision.report,
            said if earlier is None or earlier.payment_id is None else earlier.payment_id,
        )

    def _known(self, delivery_id: UUID, event: Event) -> Known:
        place = self._payment_of(event)
        found: dict[tuple[str, str], Movement] = {}
        for name in [*self._names_of_payment(event), event.effect_id]:
            if name is not None:
                for movement in self._named[event.endpoint, name]:
                    found.setdefault((movement.object_id, movement.effect), movement)
        return Known(
            delivery_id=delivery_id,
            payment=None if place is None else self.payments[place],
            movements=tuple(sorted(found.values(), key=_age)),
            told=self._told_of(event) if event.effect_id is not None and self.told else (),
        )

    def _told_of(self, event: Event) -> tuple[Named, ...]:
        names = self._names_of_payment(event)
        return tuple(
            one for one in self.told if one.endpoint == event.endpoint and one.payment_id in names
        )

    def _tell(self, event: Event) -> None:
        """As ``find_told.sql`` has it."""
        if event.effect_id is None or event.payment_id is None or event.kind is None:
            return
        named = Named(
            endpoint=event.endpoint,
            payment_id=event.payment_id,
            effect_id=event.effect_id,
            kind=event.kind,
        )
        self.told.append(named)

    def _names_of_payment(self, event: Event) -> set[str]:
        """Every id of the payment: those that the event tells, and those told before."""
        names = {name for name in (event.payment_id, event.also_known_as) if name is not None}
        known = [movement for name in names for movement in self._named[event.endpoint, name]]
        for movement in known:
            if movement.payment_id in names or movement.also_known_as in names:
                names |= {movement.payment_id} | {movement.also_known_as or movement.payment_id}
        return names

    def _payment_of(self, event: Event) -> int | None:
        """The place of the registered payment: by reference, else by the PSP's id of it."""
        place = None
        if event.reference is not None:
            place = self._by_reference.get((event.endpoint, event.reference))
        if place is None and event.payment_id is not None:
            place = self._by_payment_id.get((event.endpoint, event.payment_id))
        return place

    def _remember(self, movement: Movement) -> None:
        names = {movement.payment_id, movement.also_known_as, movement.object_id}
        for name in names:
            if name is not None:
                self._named[movement.endpoint, name].append(movement)


def _age(movement: Movement) -> tuple[UUID, str, str]:
    """As ``find_movements.sql`` has it."""
    return movement.delivery_id, movement.object_id, movement.effect


def lock_names(events: Iterable[Event]) -> set[tuple[str, str]]:
    """(endpoint, id) of all that these events speak of, whatever kind of id it is."""
    return {
        (event.endpoint, name)
        for event in events
        for name in (event.payment_id, event.also_known_as, event.effect_id, event.reference)
        if name is not None
    }


def _may_wake(event: Event, state: State) -> bool:
    """As ``find_sleepers.sql`` has it."""
    return state is State.WAITING or (state is State.IGNORED and event.kind is Kind.DEPOSIT_FAILED)
