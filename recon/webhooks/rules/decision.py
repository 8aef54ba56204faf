"""What is decided about one event; pure."""

from __future__ import annotations

import msgspec

from recon.ledger import Entry
from recon.payments import PaymentState
from recon.webhooks.model import CaseKind, Event, Movement, State

__all__ = ["Booking", "Decision", "Nobody", "Somebody", "conflict", "repeated"]


class Somebody(msgspec.Struct, frozen=True):
    """The player whose money it is."""

    user_id: str


class Nobody(msgspec.Struct, frozen=True):
    """Nobody whom the money may be booked to: why, and whom it may concern."""

    reason: str
    concerns: str | None


class Booking(msgspec.Struct, frozen=True):
    """One movement with the entry that books it."""

    movement: Movement
    entry: Entry


class Decision(msgspec.Struct, frozen=True):
    """What becomes of one delivery.

    Args:
        state: of the delivery.
        reason: for people; ``None`` where the state says it all.
        user_id: whom the delivery concerns.
        bookings: what moves.
        reversal: the entry that takes a released movement out of suspense.
        report: the state that the registered payment comes into.
        case: what people must look at.
    """

    state: State
    reason: str | None = None
    user_id: str | None = None
    bookings: tuple[Booking, ...] = ()
    reversal: Entry | None = None
    report: PaymentState | None = None
    case: CaseKind | None = None

    @property
    def entries(self) -> list[Entry]:
        """What is to be posted."""
        leaving = [] if self.reversal is None else [self.reversal]
        return [*leaving, *(booking.entry for booking in self.bookings)]


def repeated(event: Event, movement: Movement) -> Decision:
    """Another event about a movement that is booked; another amount or player is a conflict."""
    if movement.amount != event.amount:
        return conflict(movement, f"{movement.amount} {movement.amount.currency} is booked for it")
    named = event.user_id
    if named is not None and not movement.in_suspense and named != movement.user_id:
        return conflict(movement, "it is booked for another player")
    return Decision(State.REPEATED, "this movement is booked already", user_id=_player(movement))


def conflict(movement: Movement, reason: str) -> Decision:
    """Two stories about one movement: nothing is booked, people decide."""
    return Decision(
        State.QUARANTINED, reason, user_id=_player(movement), case=CaseKind.MOVEMENT_CONFLICT
    )


def _player(movement: Movement) -> str | None:
    return None if movement.in_suspense else movement.user_id
