"""What leaves suspense once it is known whose it is; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from recon.webhooks.model import State
from recon.webhooks.rules.bookings import out_of_suspense
from recon.webhooks.rules.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.webhooks.model import Event
    from recon.webhooks.rules.known import Known

__all__ = ["release"]


def release(event: Event, known: Known, decide: Callable[[Event, Known], Decision]) -> Decision:
    """Decide about a suspended delivery again; nothing changes unless a player can have it.

    The suspense posting is reversed in its own book and the movement booked to the player, both
    under the movement's key with ``:released`` behind it.
    """
    suspended = next(
        (
            movement
            for movement in known.movements
            if movement.delivery_id == known.delivery_id and movement.in_suspense
        ),
        None,
    )
    if suspended is None:
        return Decision(
            State.SUSPENDED, "nothing of it is in suspense", user_id=known.holder(event)
        )
    others = tuple(movement for movement in known.movements if movement is not suspended)
    decision = decide(event, replace(known, movements=others, releasing=suspended))
    if decision.state is not State.BOOKED:
        return Decision(State.SUSPENDED, decision.reason, user_id=decision.user_id)
    return replace(decision, reversal=out_of_suspense(suspended, str(event.kind)))
