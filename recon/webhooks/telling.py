"""What became of a delivery and why, in one sentence for people; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.webhooks.model import State

if TYPE_CHECKING:
    from recon.webhooks.model import StoredDelivery

__all__ = ["is_old_key", "told"]

_SAID: Final = {
    State.BOOKED: "Its money is in the player's book.",
    State.REPEATED: "It moved nothing: another delivery has booked this movement.",
    State.IGNORED: "It moves no money.",
    State.WAITING: "It waits for another event, and is decided again by itself when that comes",
    State.SUSPENDED: "Its money is in suspense, because it cannot be given to a player",
    State.QUARANTINED: "It is authentic, and nothing is booked of it",
}


def told(stored: StoredDelivery, *, moved: bool) -> str:
    """One sentence: the outcome, and the reason where there is one.

    Args:
        stored: the delivery.
        moved: whether it has made a movement.
    """
    if stored.state is State.BOOKED and not moved:
        return "It is recorded for its payment; it moved no money."
    said = _SAID[stored.state]
    if said.endswith("."):
        return said
    return f"{said}: {stored.reason}." if stored.reason else f"{said}."


def is_old_key(verified_by: str) -> bool:
    """Whether another key than the newest of its time has verified a delivery."""
    return verified_by.startswith("key:") and not verified_by.startswith("key:0:")
