"""Withdrawals: accepted, paid, failed or returned; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.payments import Direction, PaymentState
from recon.webhooks.model import CaseKind, Effect, Kind, State
from recon.webhooks.rules.bookings import (
    against_player,
    for_player,
    reservation_paid,
    reservation_voided,
)
from recon.webhooks.rules.decision import Decision, Nobody, conflict, repeated
from recon.webhooks.rules.known import amount_of, time_of

if TYPE_CHECKING:
    from datetime import datetime

    from recon.webhooks.model import Event, Movement
    from recon.webhooks.rules.known import Known

__all__ = ["accepted", "failed", "paid"]

_FAILURE_IS_LAST = frozenset({"stripe", "adyen"})
"""Where a payout that failed is never paid afterwards, whatever whole seconds say."""

_NEVER_SAYS_PAID = frozenset({"adyen"})
"""Where nothing that waits for a payout would ever see one."""


def accepted(event: Event, known: Known) -> Decision:
    """The PSP has taken the order: the reservation stands."""
    report = None
    if (
        known.payment is not None
        and known.payment.state in {PaymentState.REGISTERED, PaymentState.PENDING}
        and known.mismatch(event, Direction.WITHDRAWAL, whole=True) is None
    ):
        report = PaymentState.ACCEPTED
    holder = known.holder(event)
    return Decision(State.IGNORED, "nothing has moved yet", user_id=holder, report=report)


def paid(event: Event, known: Known) -> Decision:
    """Reserved → clearing, or available → clearing where nothing is reserved (any more).

    - Never registered: a fact about whoever is named; it may overdraw.
    - Paid before it failed, and the failure was here first: it was paid and came back, both are
      booked.
    - Paid after it had failed: the reservation is gone, so it is taken from what is available.
    - Another payout of a withdrawal that is paid and not returned: suspense, with a case.
    """
    booked = known.same(event, {Effect.PAID})
    if booked is not None:
        return repeated(event, booked)
    whose = known.player(event, Direction.WITHDRAWAL, whole=True)
    if not isinstance(whose, Nobody) and _is_out(known):
        whose = Nobody("another payout of this withdrawal is paid already", whose.user_id)
    if isinstance(whose, Nobody):
        return known.suspend(event, Effect.PAID, whose)
    movement = known.movement(event, Effect.PAID, whose.user_id)
    if known.hold_id is not None:
        booking = reservation_paid(movement, known.hold_id)
        return Decision(
            State.BOOKED, user_id=whose.user_id, bookings=(booking,), report=PaymentState.PAID
        )
    out = against_player(movement, str(event.kind))
    voided = known.find({Effect.VOIDED})
    if voided is not None and _failed_after(event, voided.event_at, time_of(event)):
        back = known.movement(event, Effect.RETURNED, whose.user_id, event_at=voided.event_at)
        return Decision(
            State.BOOKED,
            "paid before it failed: out and back",
            user_id=whose.user_id,
            bookings=(out, for_player(back, str(Kind.WITHDRAWAL_RETURNED))),
            report=PaymentState.RETURNED,
        )
    return Decision(State.BOOKED, user_id=whose.user_id, bookings=(out,), report=PaymentState.PAID)


def failed(event: Event, known: Known) -> Decision:
    """Reserved → player before it was paid, clearing → player after.

    A provider that never says "paid" may say "returned" of what is still reserved. Where nothing is
    known to be reserved or paid, it waits for the payout; so does a part that comes back of what is
    still reserved, since only what was paid comes back in parts.
    """
    out = known.same(event, {Effect.PAID}) or _paid_once(event, known)
    if out is not None:
        return _returned(event, known, out)
    voided = known.find({Effect.VOIDED})
    if voided is not None:
        return repeated(event, voided)
    if known.payment is None:
        holder = known.holder(event)
        return Decision(State.WAITING, "nothing is known to be reserved or paid", user_id=holder)
    fault = known.mismatch(event, Direction.WITHDRAWAL, whole=True)
    if fault is not None and _is_part(event, known):
        holder = known.payment.user_id
        return Decision(State.WAITING, "a part came back of what is not paid yet", user_id=holder)
    if fault is None and known.hold_id is None:
        fault = "its reservation is settled by another payout"
    if fault is not None or known.hold_id is None:
        return Decision(
            State.QUARANTINED, fault, user_id=known.payment.user_id, case=CaseKind.QUARANTINED
        )
    movement = known.movement(event, Effect.VOIDED, known.payment.user_id)
    is_failure = event.kind is Kind.WITHDRAWAL_FAILED
    return Decision(
        State.BOOKED,
        user_id=movement.user_id,
        bookings=(reservation_voided(movement, known.hold_id),),
        report=PaymentState.FAILED if is_failure else PaymentState.RETURNED,
    )


def _returned(event: Event, known: Known, out: Movement) -> Decision:
    back = known.find({Effect.RETURNED}, out.object_id) or known.same(event, {Effect.RETURNED})
    if back is not None:
        return repeated(event, back)
    if event.kind is Kind.WITHDRAWAL_FAILED and not _failed_after(
        event, time_of(event), out.event_at
    ):
        return Decision(State.IGNORED, "it was paid later", user_id=known.holder(event))
    amount = amount_of(event)
    left = out.amount.minor - _came_back(known)
    if amount.currency != out.amount.currency or amount.minor > left:
        return conflict(out, f"{out.amount} {out.amount.currency} was paid")
    if out.in_suspense:
        nobody = Nobody("what came back is in suspense", known.holder(event))
        return known.suspend(event, Effect.RETURNED, nobody)
    if event.user_id is not None and event.user_id != out.user_id:
        return known.suspend(event, Effect.RETURNED, Nobody("another player was paid", out.user_id))
    movement = known.movement(event, Effect.RETURNED, out.user_id)
    return Decision(
        State.BOOKED,
        user_id=out.user_id,
        bookings=(for_player(movement, str(event.kind)),),
        report=PaymentState.RETURNED,
    )


def _is_part(event: Event, known: Known) -> bool:
    """Whether a part comes back of a registered withdrawal whose payout is still to be told of."""
    return (
        event.kind is Kind.WITHDRAWAL_RETURNED
        and event.provider not in _NEVER_SAYS_PAID
        and known.payment is not None
        and known.hold_id is not None
        and known.mismatch(event, Direction.WITHDRAWAL, whole=False) is None
        and amount_of(event).minor < known.payment.amount.minor
    )


def _paid_once(event: Event, known: Known) -> Movement | None:
    """The one payout of a payment, where a part of it comes back and either has no id of its own.

    A bank keeps its fee of what it sends back, so that the amount is no sign.
    """
    paid = _payouts(known)
    if event.kind is not Kind.WITHDRAWAL_RETURNED or len(paid) != 1:
        return None
    out = known.find({Effect.PAID}, *paid)
    is_named = out is not None and out.object_id != out.payment_id and event.effect_id is not None
    return None if is_named else out


def _came_back(known: Known) -> int:
    """What has come back of the one payout of a payment, in minor units, under whatever ids.

    Of several each comes back under its own.
    """
    if len(_payouts(known)) != 1:
        return 0
    back = {
        movement.object_id: movement.amount.minor
        for movement in known.movements
        if movement.base_effect == Effect.RETURNED
    }
    return sum(back.values())


def _payouts(known: Known) -> set[str]:
    return {
        movement.object_id for movement in known.movements if movement.base_effect == Effect.PAID
    }


def _is_out(known: Known) -> bool:
    """Whether a registered withdrawal is paid and has not come back."""
    return known.payment is not None and known.payment.state is PaymentState.PAID


def _failed_after(event: Event, failed_at: datetime, paid_at: datetime) -> bool:
    """Whether a failure came after the payment; by time, a tie counts as after."""
    return event.provider in _FAILURE_IS_LAST or failed_at >= paid_at
