"""What befalls a deposit: refunds and chargebacks, and their coming back; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.payments import Direction
from recon.webhooks.model import Effect, Kind, State
from recon.webhooks.rules.bookings import against_player, for_player
from recon.webhooks.rules.decision import Decision, Nobody, Somebody, conflict, repeated
from recon.webhooks.rules.known import amount_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from recon.webhooks.model import Event
    from recon.webhooks.rules.known import Known

__all__ = ["given_again", "taken_back"]


def taken_back(event: Event, known: Known) -> Decision:
    """Player → clearing, once per refund or dispute; it may overdraw.

    The player is who holds the deposit; before that is known, who is registered or named. While
    nobody is, it waits for the deposit. A second chargeback of one dispute is a movement of its
    own. What is taken back of a deposit in suspense is suspended too.
    """
    effect = _taken(event)
    booked = known.same(event, {effect})
    if booked is not None:
        return repeated(event, booked)
    deposit = known.deposit()
    if deposit is None and known.payment is None and event.user_id is None:
        return Decision(State.WAITING, "its deposit is not known yet")
    whose: Somebody | Nobody
    if deposit is None:
        whose = known.player(event, Direction.DEPOSIT, whole=False)
    elif deposit.in_suspense:
        whose = Nobody("its deposit is in suspense", known.holder(event))
    elif event.user_id is not None and event.user_id != deposit.user_id:
        whose = Nobody("its deposit is another player's", deposit.user_id)
    elif amount_of(event).currency != deposit.amount.currency:
        whose = Nobody(f"its deposit is in {deposit.amount.currency}", deposit.user_id)
    else:
        whose = Somebody(deposit.user_id)
    if isinstance(whose, Nobody):
        return known.suspend(event, effect, whose)
    movement = known.movement(event, effect, whose.user_id)
    return Decision(
        State.BOOKED,
        user_id=whose.user_id,
        bookings=(against_player(movement, str(event.kind)),),
    )


def given_again(event: Event, known: Known) -> Decision:
    """Clearing → player: a refund failed, or a chargeback was reversed.

    It waits for what it gives again, and never gives more than was taken.
    """
    refund = event.kind is Kind.DEPOSIT_REFUND_FAILED
    effect = Effect.REFUND_FAILED if refund else Effect.CHARGEBACK_REVERSED
    booked = known.same(event, {effect})
    if booked is not None:
        return repeated(event, booked)
    undoes = {Effect.REFUND} if refund else {Effect.CHARGEBACK, Effect.SECOND_CHARGEBACK}
    taken = known.same(event, undoes)
    if taken is None:
        holder = known.holder(event)
        return Decision(State.WAITING, "what it gives again was not taken yet", user_id=holder)
    given = amount_of(event)
    left = _moved(known, undoes, given.currency) - _moved(known, {effect}, given.currency)
    if given.currency != taken.amount.currency or given.minor > min(taken.amount.minor, left):
        return conflict(taken, f"{taken.amount} {taken.amount.currency} was taken")
    if taken.in_suspense:
        nobody = Nobody("what it gives again is in suspense", known.holder(event))
        return known.suspend(event, effect, nobody)
    movement = known.movement(event, effect, taken.user_id)
    return Decision(
        State.BOOKED,
        user_id=taken.user_id,
        bookings=(for_player(movement, str(event.kind)),),
    )


def _moved(known: Known, effects: Collection[Effect], currency: str) -> int:
    """What has moved of a payment by these effects, in minor units, under whatever ids."""
    moved = {
        (movement.object_id, movement.base_effect): movement.amount.minor
        for movement in known.movements
        if movement.base_effect in effects and movement.amount.currency == currency
    }
    return sum(moved.values())


def _taken(event: Event) -> Effect:
    if event.kind is Kind.DEPOSIT_REFUNDED:
        return Effect.REFUND
    second = event.event_type == "SECOND_CHARGEBACK"
    return Effect.SECOND_CHARGEBACK if second else Effect.CHARGEBACK
