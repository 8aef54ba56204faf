"""Deposits: pending, succeeded, failed; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.payments import Direction, PaymentState
from recon.webhooks.model import CaseKind, Effect, State
from recon.webhooks.rules.bookings import against_player, for_player, in_suspense
from recon.webhooks.rules.decision import Decision, Nobody, conflict, repeated
from recon.webhooks.rules.known import is_capture, payment_id_of, time_of

if TYPE_CHECKING:
    from recon.webhooks.model import Event, Movement
    from recon.webhooks.rules.known import Known

__all__ = ["failed", "pending", "succeeded"]

_NEVER_AFTER_SUCCESS = frozenset({"payment_intent.payment_failed", "AUTHORISATION"})
"""An attempt that failed. A payment intent may fail and then succeed, never the reverse; another
authorisation is another payment at Adyen."""

_ALWAYS_AFTER_SUCCESS = frozenset({"CAPTURE_FAILED"})
"""Only what was captured can fail to be; Adyen signs no time that could say otherwise."""


def pending(event: Event, known: Known) -> Decision:
    """Nothing to book; a registered payment is known to be on its way."""
    report = None
    if (
        known.payment is not None
        and known.payment.state is PaymentState.REGISTERED
        and known.mismatch(event, Direction.DEPOSIT, whole=True) is None
    ):
        report = PaymentState.PENDING
    holder = known.holder(event)
    return Decision(State.IGNORED, "nothing has moved yet", user_id=holder, report=report)


def succeeded(event: Event, known: Known) -> Decision:
    """Clearing → player, once per payment; at Adyen once per capture.

    - A second success of a payment whose money was taken back because it failed is a story that no
      provider tells: quarantined, with a case.
    - Another payment under a registration that one has fulfilled, or another capture of it:
      suspense, with a case.
    - A capture of an authorisation that is booked already (as it is where captures are automatic)
      is that same money.
    """
    booked = _booked(event, known)
    if booked is not None:
        undone = known.undone(booked)
        if undone is not None and time_of(event) > undone.event_at:
            return conflict(booked, "it succeeded again after it had failed")
        return repeated(event, booked)
    whose = known.player(event, Direction.DEPOSIT, whole=True)
    if not isinstance(whose, Nobody) and _is_fulfilled_by_another(event, known):
        whose = Nobody("another payment of this registration succeeded already", whose.user_id)
    if not isinstance(whose, Nobody) and _is_captured(known):
        whose = Nobody("another capture of this payment is booked already", whose.user_id)
    if isinstance(whose, Nobody):
        return known.suspend(event, Effect.DEPOSIT, whose)
    movement = known.movement(event, Effect.DEPOSIT, whose.user_id)
    return Decision(
        State.BOOKED,
        user_id=whose.user_id,
        bookings=(for_player(movement, str(event.kind)),),
        report=PaymentState.SUCCEEDED,
    )


def _booked(event: Event, known: Known) -> Movement | None:
    """The money that a success tells of, if it is booked."""
    if not is_capture(event):
        return known.find({Effect.DEPOSIT})
    whole = known.find({Effect.DEPOSIT}, payment_id_of(event))
    return known.find({Effect.DEPOSIT}, event.effect_id) or whole


def _is_captured(known: Known) -> bool:
    """Whether a player has the money of a capture of this payment."""
    deposit = [
        movement
        for movement in known.movements
        if movement.base_effect == Effect.DEPOSIT and not movement.in_suspense
    ]
    return any(known.undone(movement) is None for movement in deposit)


def _is_fulfilled_by_another(event: Event, known: Known) -> bool:
    payment = known.payment
    return (
        payment is not None
        and payment.state is PaymentState.SUCCEEDED
        and payment.payment_id not in {None, event.payment_id}
    )


def failed(event: Event, known: Known) -> Decision:
    """Nothing where nothing was credited; else player → clearing, if it failed after all.

    Whether the failure came after the success is told by the provider's own rules where it has
    them, else by the events' times (a tie counts as after). A failure that arrives before the
    success which it undoes is ``ignored`` at first, and is decided again when that is booked.
    """
    booked = _failing(event, known)
    if booked is None:
        matches = known.mismatch(event, Direction.DEPOSIT, whole=True) is None
        report = PaymentState.FAILED if known.is_unreported and matches else None
        holder = known.holder(event)
        return Decision(State.IGNORED, "nothing was credited", user_id=holder, report=report)
    return _failed_after_all(event, known, booked)


def _failing(event: Event, known: Known) -> Movement | None:
    """What a failure may undo: of several captures the one it names, else one of its amount."""
    booked = _booked(event, known)
    if booked is not None or not is_capture(event):
        return booked
    if known.releasing is not None:
        return known.find({Effect.DEPOSIT}, known.releasing.object_id)
    captures = [one for one in known.movements if one.base_effect == Effect.DEPOSIT]
    standing = [one for one in captures if known.undone(one) is None]
    same = [one for one in standing if one.amount == event.amount]
    found = same or standing or captures
    return known.find({Effect.DEPOSIT}, found[0].object_id) if found else None


def _failed_after_all(event: Event, known: Known, booked: Movement) -> Decision:
    undone = known.undone(booked)
    if undone is not None:
        return repeated(event, undone)
    before = _before_success(event, booked)
    if before is not None:
        return Decision(State.IGNORED, before, user_id=known.holder(event))
    if event.event_type in _NEVER_AFTER_SUCCESS:
        return conflict(booked, "a payment that succeeded cannot fail at this provider")
    if event.amount != booked.amount:
        return conflict(booked, f"{booked.amount} {booked.amount.currency} was credited")
    movement = known.movement(
        event, Effect.DEPOSIT_REVERSED, booked.user_id, object_id=booked.object_id
    )
    if booked.in_suspense:
        return Decision(
            State.SUSPENDED,
            "what it undoes is in suspense",
            user_id=known.holder(event),
            bookings=(in_suspense(movement, str(event.kind)),),
            case=CaseKind.SUSPENDED,
        )
    return Decision(
        State.BOOKED,
        user_id=booked.user_id,
        bookings=(against_player(movement, str(event.kind)),),
        report=PaymentState.FAILED,
    )


def _before_success(event: Event, booked: Movement) -> str | None:
    """Why a failure undoes nothing: the success came after it."""
    if event.event_type in _ALWAYS_AFTER_SUCCESS or time_of(event) > booked.event_at:
        return None
    if event.event_type in _NEVER_AFTER_SUCCESS:
        return "a later attempt succeeded"
    return None if time_of(event) == booked.event_at else "it succeeded later"
