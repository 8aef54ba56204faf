"""What movements that were booked before a payment was registered say of it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.payments import Direction, PaymentState, Told
from recon.webhooks.model import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.payments import ExpectedPayment
    from recon.webhooks.model import Movement

__all__ = ["Contradiction", "contradictions", "told_by"]

_DOES: Final = {Direction.DEPOSIT: Effect.DEPOSIT, Direction.WITHDRAWAL: Effect.PAID}
_UNDOES: Final = {
    Direction.DEPOSIT: Effect.DEPOSIT_REVERSED,
    Direction.WITHDRAWAL: Effect.RETURNED,
}
_DONE: Final = {
    Direction.DEPOSIT: PaymentState.SUCCEEDED,
    Direction.WITHDRAWAL: PaymentState.PAID,
}
_UNDONE: Final = {
    Direction.DEPOSIT: PaymentState.FAILED,
    Direction.WITHDRAWAL: PaymentState.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A movement that is booked otherwise than registered afterwards, and how; for people."""

    movement: Movement
    reason: str


def told_by(expected: ExpectedPayment, movements: Sequence[Movement]) -> Told:
    """What has become of a payment that is being registered, by what is booked of it.

    What the registered player was debited or credited in its currency is this payment, also where
    the amount is another: it cannot be reserved on top. Of money in suspense, what equals the
    registration will leave suspense for the player, so it is not reserved either.

    Args:
        expected: what is registered.
        movements: of the payments at the PSP that carry its reference, oldest first.

    Returns:
        ``reported_at`` is left to whoever knows when the deliveries came.
    """
    amount, direction = expected.money(), expected.direction
    withdraws = direction is Direction.WITHDRAWAL
    booked = [movement for movement in movements if not movement.in_suspense]
    ours = [
        movement
        for movement in booked
        if movement.user_id == expected.user_id and movement.amount.currency == amount.currency
    ]
    done = [movement for movement in ours if movement.base_effect == _DOES[direction]]
    if done:
        undone = [movement for movement in ours if movement.base_effect == _UNDOES[direction]]
        state = _DONE[direction] if len(done) > len(undone) else _UNDONE[direction]
        return Told(state, done[-1].payment_id, is_out=withdraws)
    released = {(movement.object_id, movement.base_effect) for movement in booked}
    leaves = any(
        movement.base_effect == Effect.PAID
        and movement.amount == amount
        and (movement.object_id, movement.base_effect) not in released
        for movement in movements
    )
    return Told(is_out=withdraws and leaves)


def contradictions(expected: ExpectedPayment, movements: Sequence[Movement]) -> list[Contradiction]:
    """Payments booked to a player, for another player, direction or amount than registered."""
    found = []
    for movement in movements:
        if movement.in_suspense or movement.base_effect not in _DOES.values():
            continue
        reason = _contradiction(expected, movement)
        if reason is not None:
            found.append(Contradiction(movement, f"it is booked, and registered {reason}"))
    return found


def _contradiction(expected: ExpectedPayment, movement: Movement) -> str | None:
    amount = expected.money()
    if movement.base_effect != _DOES[expected.direction]:
        return f"as a {expected.direction}"
    if movement.user_id != expected.user_id:
        return "for another player"
    if movement.amount != amount:
        return f"with {amount} {amount.currency}"
    return None
