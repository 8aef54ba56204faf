"""What an event books, given what is known of its payment; pure.

The rules, which `decide` applies one event at a time:

- A movement is (endpoint, object, effect) and is booked once. Another event about it is
  ``repeated``; if it tells another amount, player or payment it is quarantined, with a case.
- The player of a deposit or a withdrawal is the registered payment's; without one, the one whom the
  signed bytes name. Nobody named, or another direction, amount, currency or player than registered:
  the money is booked in suspense (in the book ``~<endpoint>:<object>``), with a case. The delivery
  then carries the registered player, the amount and the reference as evidence.
- What befalls a deposit (refund, chargeback) is taken from who holds the deposit: ``effects``.
- Failures of deposits: ``deposits``. Withdrawals and their reservations: ``withdrawals``.
- An event about money that is not known yet waits, and is decided again when it is.
- What was suspended is decided again on replay, and leaves suspense if a player can have it:
  ``release``.

Sources: the providers' guides, as ``recon.webhooks.psp`` cites them; the service's contract,
"Webhooks".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from recon.webhooks.model import CaseKind, Effect, Event, Kind, State
from recon.webhooks.rules import deposits, effects, withdrawals
from recon.webhooks.rules.decision import Booking, Decision
from recon.webhooks.rules.known import MANY_OF_ONE, Known
from recon.webhooks.rules.release import release

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MANY_OF_ONE", "Booking", "Decision", "Known", "decide", "decide_again"]

_RULES: Final[dict[Kind, Callable[[Event, Known], Decision]]] = {
    Kind.DEPOSIT_PENDING: deposits.pending,
    Kind.DEPOSIT_SUCCEEDED: deposits.succeeded,
    Kind.DEPOSIT_FAILED: deposits.failed,
    Kind.DEPOSIT_REFUNDED: effects.taken_back,
    Kind.DEPOSIT_CHARGED_BACK: effects.taken_back,
    Kind.DEPOSIT_REFUND_FAILED: effects.given_again,
    Kind.DEPOSIT_CHARGEBACK_REVERSED: effects.given_again,
    Kind.WITHDRAWAL_ACCEPTED: withdrawals.accepted,
    Kind.WITHDRAWAL_PAID: withdrawals.paid,
    Kind.WITHDRAWAL_FAILED: withdrawals.failed,
    Kind.WITHDRAWAL_RETURNED: withdrawals.failed,
}

_REFUNDS: Final = frozenset({Effect.REFUND, Effect.REFUND_FAILED})
_DISPUTES: Final = frozenset(
    {Effect.CHARGEBACK, Effect.SECOND_CHARGEBACK, Effect.CHARGEBACK_REVERSED}
)
_PAYOUTS: Final = frozenset({Effect.PAID, Effect.VOIDED, Effect.RETURNED})
_OF_ONE_OBJECT: Final[dict[Kind, frozenset[Effect]]] = {
    Kind.DEPOSIT_REFUNDED: _REFUNDS,
    Kind.DEPOSIT_REFUND_FAILED: _REFUNDS,
    Kind.DEPOSIT_CHARGED_BACK: _DISPUTES,
    Kind.DEPOSIT_CHARGEBACK_REVERSED: _DISPUTES,
    Kind.WITHDRAWAL_PAID: _PAYOUTS,
    Kind.WITHDRAWAL_FAILED: _PAYOUTS,
    Kind.WITHDRAWAL_RETURNED: _PAYOUTS,
}
"""What an event may be about, where what moves has an id of its own."""


def decide(event: Event, known: Known) -> Decision:
    """What to book for an event, and what becomes of its delivery.

    Args:
        event: any event of any provider.
        known: its registered payment and what has moved for it so far.
    """
    if event.kind is None:
        return Decision(State.IGNORED, "this type moves no money", user_id=known.holder(event))
    taken = known.of_another_payment(event, _OF_ONE_OBJECT.get(event.kind, frozenset()))
    if taken is not None:
        others = tuple(one for one in known.movements if one.object_id != taken.object_id)
        return Decision(
            State.QUARANTINED,
            f"its id stands for what has moved for payment {taken.payment_id}",
            user_id=replace(known, movements=others).holder(event),
            case=CaseKind.MOVEMENT_CONFLICT,
        )
    return _RULES[event.kind](event, known)


def decide_again(event: Event, known: Known, state: State) -> Decision:
    """What to book for an event whose delivery is kept in ``state``."""
    if state is State.SUSPENDED:
        return release(event, known, decide)
    return decide(event, known)
