"""What must be locked and looked for before deliveries are decided about; pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from recon.webhooks.batch import lock_names
from recon.webhooks.model import Event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from recon.webhooks.model import Delivery

__all__ = ["Sought", "lock_keys", "payment_columns"]


class Sought(NamedTuple):
    """What deliveries that have come speak of.

    Args:
        keys: of the locks, in ascending order.
        places: (endpoint, event id) of each delivery.
        names: (endpoint, id) of all that they tell.
        about: those of them that are about a payment.
    """

    keys: Sequence[int]
    places: Sequence[tuple[str, str]]
    names: Collection[tuple[str, str]]
    about: Sequence[Event]

    @classmethod
    def of(cls, deliveries: Iterable[Delivery]) -> Sought:
        """All that these speak of."""
        places = []
        events = []
        for delivery in deliveries:
            event = delivery.event
            places.append((delivery.endpoint, event.event_id))
            if isinstance(event, Event):
                events.append(event)
        names = lock_names(events)
        return cls(
            lock_keys(names, places),
            places,
            names,
            [event for event in events if event.payment_id is not None],
        )

    def arguments(self) -> tuple[Sequence[object], ...]:
        """As ``intake_look_up`` takes them."""
        return (
            self.keys,
            [endpoint for endpoint, _ in self.places],
            [event_id for _, event_id in self.places],
            [endpoint for endpoint, _ in self.names],
            [name for _, name in self.names],
        )

    def of_payments(self) -> tuple[Sequence[str], Sequence[str | None], Sequence[str | None]]:
        """Endpoints, references and the PSP's ids, as ``payments_find`` takes them."""
        return payment_columns(self.about)


def payment_columns(
    about: Sequence[Event],
) -> tuple[list[str], list[str | None], list[str | None]]:
    """Endpoints, references and the PSP's ids of the payments that events are about."""
    return (
        [event.endpoint for event in about],
        [event.reference for event in about],
        [event.payment_id for event in about],
    )


def lock_keys(*names: Iterable[tuple[str, str]]) -> list[int]:
    """The advisory lock of each (endpoint, id), in ascending order."""
    return sorted(
        {
            int.from_bytes(
                hashlib.sha256(f"{endpoint}\n{name}".encode()).digest()[:8], "big", signed=True
            )
            for group in names
            for endpoint, name in group
        }
    )
