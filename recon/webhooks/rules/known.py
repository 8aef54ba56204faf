"""What is known of a payment when an event about it is decided; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from recon.payments import Direction, Payment, PaymentState
from recon.webhooks.model import CaseKind, Effect, Event, Kind, Movement, Named, State
from recon.webhooks.rules.bookings import RELEASED, in_suspense
from recon.webhooks.rules.decision import Decision, Nobody, Somebody

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from recon.money import Money

__all__ = ["MANY_OF_ONE", "Known", "is_capture"]

_OPEN = frozenset({PaymentState.REGISTERED, PaymentState.PENDING, PaymentState.ACCEPTED})
_MOVED_BY: Final[dict[Kind, frozenset[str]]] = {
    Kind.DEPOSIT_REFUNDED: frozenset({Effect.REFUND}),
    Kind.DEPOSIT_REFUND_FAILED: frozenset({Effect.REFUND_FAILED}),
    Kind.DEPOSIT_CHARGED_BACK: frozenset({Effect.CHARGEBACK, Effect.SECOND_CHARGEBACK}),
    Kind.DEPOSIT_CHARGEBACK_REVERSED: frozenset({Effect.CHARGEBACK_REVERSED}),
}
MANY_OF_ONE: Final = frozenset[str]().union(*_MOVED_BY.values())
"""What befalls one deposit more than once, each time under an id of its own."""

_OF_THE_PAYMENT = frozenset({Kind.DEPOSIT_SUCCEEDED, Kind.DEPOSIT_FAILED})


class Known(msgspec.Struct, frozen=True):
    """The registered payment, and every movement of it so far.

    Args:
        delivery_id: of the delivery that is decided about.
        payment: found by reference or by the PSP's id, and locked.
        movements: of this payment at this endpoint, oldest first.
        told: refunds, disputes and reversals of this payment that were told by their own ids, and
            taken for what had moved already.
        releasing: what leaves suspense by what is decided, whose movements are second rows.
    """

    delivery_id: UUID
    payment: Payment | None
    movements: tuple[Movement, ...]
    told: tuple[Named, ...] = ()
    releasing: Movement | None = None

    def find(self, effects: Collection[str], object_id: str | None = None) -> Movement | None:
        """The newest row of a movement: a released one before the suspended one that it left."""
        found = [
            movement
            for movement in self.movements
            if movement.base_effect in effects
            and (object_id is None or movement.object_id == object_id)
        ]
        released = [movement for movement in found if movement.effect.endswith(RELEASED)]
        newest = released or found
        return newest[-1] if newest else None

    def same(self, event: Event, effects: Collection[str]) -> Movement | None:
        """The movement of these effects that an event speaks of.

        Where either of the two does not name its refund, dispute or payout, the payment and the
        amount must do; what moved without a name is one of those that are told by theirs, the
        first.
        """
        exact = self.find(effects, object_of(event))
        if exact is not None:
            return exact
        for movement in self.movements:
            unnamed = event.effect_id is None or movement.object_id == movement.payment_id
            if (
                movement.base_effect in effects
                and unnamed
                and movement.amount == event.amount
                and not self._is_told_of_another(event, movement)
            ):
                return self.find(effects, movement.object_id)
        return None

    def _is_told_of_another(self, event: Event, movement: Movement) -> bool:
        """Whether what moved without a name was told since, by another one than the event's."""
        return event.effect_id is not None and any(
            told.effect_id != event.effect_id
            and movement.base_effect in _MOVED_BY.get(told.kind, ())
            and self.find({movement.base_effect}, told.effect_id) is None
            for told in self.told
        )

    def of_another_payment(self, event: Event, effects: Collection[str]) -> Movement | None:
        """What moved under the very id that an event names, for a payment that is not its own.

        A provider's ids are its own to give, and not all give them once: ``refund-1`` may be the
        first refund of each payment. Where one is known by two ids, which of them is told is no
        sign of another payment.
        """
        if event.also_known_as is not None:
            return None
        names = {payment_id_of(event), self._payment_id(event)}
        for movement in self.movements:
            if (
                movement.object_id == object_of(event)
                and movement.base_effect in effects
                and movement.payment_id not in names
                and movement.also_known_as is None
            ):
                return movement
        return None

    def deposit(self) -> Movement | None:
        """The money that what befalls the payment is about.

        Of several captures nobody is told which one a refund is of: if one of them is in suspense,
        it may be that one. What was undone because it failed comes last.
        """
        newest = {
            movement.object_id: self.find({Effect.DEPOSIT}, movement.object_id)
            for movement in self.movements
            if movement.base_effect == Effect.DEPOSIT
        }
        deposits = [movement for movement in newest.values() if movement is not None]
        standing = [movement for movement in deposits if self.undone(movement) is None]
        suspended = [movement for movement in standing if movement.in_suspense]
        found = suspended or standing or deposits
        return found[-1] if found else None

    def undone(self, deposit: Movement) -> Movement | None:
        """What took a deposit back because it failed after all."""
        return self.find({Effect.DEPOSIT_REVERSED}, deposit.object_id)

    @property
    def hold_id(self) -> UUID | None:
        """The reservation of a registered withdrawal, while it stands."""
        if self.payment is None or self.payment.state not in _OPEN:
            return None
        return self.payment.hold_id

    @property
    def is_unreported(self) -> bool:
        """Whether the registered payment has no outcome yet."""
        return self.payment is not None and self.payment.state in _OPEN

    def holder(self, event: Event) -> str | None:
        """Whom an event concerns, for people: the player booked, registered or named."""
        booked = self.find({Effect.DEPOSIT, Effect.PAID})
        if booked is not None and not booked.in_suspense:
            return booked.user_id
        return self.payment.user_id if self.payment is not None else event.user_id

    def player(self, event: Event, direction: Direction, *, whole: bool) -> Somebody | Nobody:
        """Whose money it is by the registered payment or, without one, by the signed bytes.

        Args:
            event: what is to be booked.
            direction: which way a registered payment must go.
            whole: the amount must be the registered one: it is the payment, not a part of it.
        """
        if self.payment is None:
            if event.user_id is None:
                return Nobody("nobody is named and no payment is registered", None)
            return Somebody(event.user_id)
        fault = self.mismatch(event, direction, whole=whole)
        if fault is not None:
            return Nobody(fault, self.payment.user_id)
        return Somebody(self.payment.user_id)

    def mismatch(self, event: Event, direction: Direction, *, whole: bool) -> str | None:
        """What of an event is other than registered, if anything; arguments as in `player`."""
        payment = self.payment
        if payment is None:
            return None
        amount = amount_of(event)
        if payment.direction is not direction:
            return f"it is registered as a {payment.direction}"
        if event.user_id is not None and event.user_id != payment.user_id:
            return "it is registered for another player"
        if amount.currency != payment.amount.currency or (whole and amount != payment.amount):
            return f"it is registered with {payment.amount} {payment.amount.currency}"
        return None

    def movement(
        self,
        event: Event,
        effect: Effect,
        user_id: str,
        *,
        object_id: str | None = None,
        event_at: datetime | None = None,
    ) -> Movement:
        """A new movement of an event's object and time, where no other is given."""
        named, payment_id = payment_id_of(event), self._payment_id(event)
        return Movement(
            endpoint=event.endpoint,
            object_id=object_id or object_of(event),
            effect=str(effect) + (RELEASED if self.releasing else ""),
            delivery_id=self.delivery_id,
            payment_id=payment_id,
            also_known_as=event.also_known_as or (named if named != payment_id else None),
            user_id=user_id,
            amount=amount_of(event),
            event_at=event_at or time_of(event),
        )

    def _payment_id(self, event: Event) -> str:
        """The payment's own id, also where the event names it by another."""
        named = payment_id_of(event)
        for movement in self.movements:
            if movement.also_known_as == named:
                return movement.payment_id
        return named

    def suspend(self, event: Event, effect: Effect, nobody: Nobody) -> Decision:
        """Book in suspense: the money has moved, and nobody can be told to have it."""
        book = f"~{event.endpoint}:{object_of(event)}"
        movement = self.movement(event, effect, book)
        return Decision(
            State.SUSPENDED,
            nobody.reason,
            user_id=nobody.concerns,
            bookings=(in_suspense(movement, str(event.kind)),),
            case=CaseKind.SUSPENDED,
        )

    def after(self, decision: Decision) -> Known:
        """What is known once a decision is carried out."""
        payment = self.payment
        if payment is not None and decision.report is not None:
            payment = replace(payment, state=decision.report)
        moved = tuple(booking.movement for booking in decision.bookings)
        return replace(self, payment=payment, movements=self.movements + moved)


def object_of(event: Event) -> str:
    """The id of what moved: the refund's, dispute's or payout's own, else the payment's."""
    named = event.kind not in _OF_THE_PAYMENT or is_capture(event)
    if event.effect_id is not None and named:
        return event.effect_id
    return payment_id_of(event)


def is_capture(event: Event) -> bool:
    """Whether it tells of one capture of a payment, which may have several, each with its id.

    At Adyen alone: elsewhere a payment succeeds once, whatever other ids stand beside its own.
    """
    of_payment = event.kind in _OF_THE_PAYMENT
    return of_payment and event.provider == "adyen" and event.effect_id is not None


def payment_id_of(event: Event) -> str:
    """The id of the payment, which every event with a ``kind`` has."""
    if event.payment_id is None:
        raise ValueError("an event about a payment names it")
    return event.payment_id


def amount_of(event: Event) -> Money:
    """The amount, which every event with a ``kind`` has."""
    if event.amount is None:
        raise ValueError("an event that moves money has an amount")
    return event.amount


def time_of(event: Event) -> datetime:
    """When it happened, which every event with a ``kind`` says."""
    if event.event_at is None:
        raise ValueError("an event that moves money has a time")
    return event.event_at
