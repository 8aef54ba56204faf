"""An event that comes again in other bytes, and may say the same.

Stripe writes an event's bytes anew for each that asks: its API's list has other white space,
another ``pending_webhooks``, and the account's API version where a webhook has its endpoint's own.
So bytes of the list and bytes of a webhook are compared by what they say: the type, the payment,
the amount, the player, the time. Two webhooks of one event are compared by their bytes, as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from recon.webhooks.model import BACKFILLED, Event
from recon.webhooks.queries import find_firsts
from recon.webhooks.rereading import event_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.webhooks.model import Delivery, StoredDelivery

__all__ = ["compare_retold"]

Repeat = tuple["Delivery", "UUID", bool]


async def compare_retold(
    connection: asyncpg.Connection[Any],
    repeats: Sequence[Repeat],
    taken: Sequence[Delivery],
) -> list[Repeat]:
    """Deliveries that came again, with the doubts about those in other bytes settled.

    Args:
        connection: inside the transaction that holds their locks.
        repeats: (delivery, the first one's id, same content by its hash).
        taken: those of the same commit, among which a first one may be.
    """
    if all(same for _, _, same in repeats):
        return list(repeats)
    fresh = {delivery.delivery_id: delivery for delivery in taken}
    listed: set[UUID] = set()
    called: set[UUID] = set()
    for again, first, same in repeats:
        if not same and first not in fresh:
            (listed if _either_listed(again.verified_by) else called).add(first)
    stored = (
        {one.delivery_id: one for one in await find_firsts(connection, listed, called)}
        if listed or called
        else {}
    )
    return [
        (again, first, same or _says_the_same(again, fresh.get(first), stored.get(first)))
        for again, first, same in repeats
    ]


def _says_the_same(again: Delivery, known: Delivery | None, stored: StoredDelivery | None) -> bool:
    if known is not None:
        return _either_listed(known.verified_by, again.verified_by) and _said(known.event) == _said(
            again.event
        )
    if stored is None or not _either_listed(stored.verified_by, again.verified_by):
        return False
    read = event_of(stored)
    if read is not None:
        return _said(read) == _said(again.event)
    return _kept(stored) == _columns(again)


def _either_listed(*verified_by: str) -> bool:
    return any(one.startswith(BACKFILLED) for one in verified_by)


def _said(event: object) -> object:
    """What an event says, whatever the version: older ones do not tell a payment's charge."""
    return replace(event, also_known_as=None) if isinstance(event, Event) else event


def _kept(stored: StoredDelivery) -> tuple[object, ...]:
    """What is left of an event once its body is redacted."""
    return (
        *(stored.event_type, stored.kind, stored.payment_id, stored.effect_id),
        *(stored.reference, stored.amount, stored.event_at),
    )


def _columns(delivery: Delivery) -> tuple[object, ...]:
    event = delivery.event
    said = event if isinstance(event, Event) else event.hearsay
    return (
        *(event.event_type, said.kind, said.payment_id, said.effect_id),
        *(said.reference, said.amount, said.event_at),
    )
