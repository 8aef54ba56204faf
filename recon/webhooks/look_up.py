"""Lock and read everything that events speak of, before anything is decided.

Advisory locks come first, in ascending order; registered payments and wallets are locked after
them, in key order too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.payments import find_payments
from recon.webhooks import queries
from recon.webhooks.batch import Batch, Sleeper
from recon.webhooks.model import Event
from recon.webhooks.rereading import event_of
from recon.webhooks.rules import MANY_OF_ONE
from recon.webhooks.sought import lock_keys, payment_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from recon.webhooks.model import Movement

__all__ = ["prepare", "take_locks"]


async def take_locks(
    connection: asyncpg.Connection[Any], *names: Iterable[tuple[str, str]]
) -> None:
    """Wait until nobody else decides about any of these (endpoint, id)."""
    await queries.take_locks(connection, lock_keys(*names))


async def prepare(
    connection: asyncpg.Connection[Any],
    events: Sequence[Event],
    *,
    refused: Mapping[UUID, str],
    moved: bool = True,
    sleeping: bool = True,
    registered: bool = True,
) -> Batch:
    """Read what events speak of; their locks are held already.

    Args:
        connection: inside the transaction that holds the locks.
        events: what is to be decided.
        refused: deliveries that are to be quarantined, with the reason.
        moved: false when it is known that nothing has moved under any of their names.
        sleeping: false when it is known that nothing waits for one of their names.
        registered: false when it is known that no payment is registered under one of them.
    """
    about = [event for event in events if event.payment_id is not None]
    if not about:
        return Batch([], [], {}, refused)
    endpoints, references, payment_ids = payment_columns(about)
    payments = (
        await find_payments(
            connection, endpoints=endpoints, references=references, payment_ids=payment_ids
        )
        if registered
        else []
    )
    named = [(event.endpoint, event.payment_id, event.effect_id) for event in about]
    named += [
        (event.endpoint, event.also_known_as, None)
        for event in about
        if event.also_known_as is not None
    ]
    movements = await queries.find_movements(connection, named) if moved else []
    nameless = _nameless(movements) if any(event.effect_id for event in about) else []
    told = await queries.find_told(connection, nameless) if nameless else []
    payment_names = {(endpoint, name) for endpoint, name, _ in named if name is not None}
    payment_names |= {(movement.endpoint, movement.payment_id) for movement in movements}
    payment_names |= {
        (movement.endpoint, movement.also_known_as)
        for movement in movements
        if movement.also_known_as is not None
    }
    # What has moved may name a payment by an id that nobody looked for yet.
    sleepers = (
        await queries.find_sleepers(connection, sorted(payment_names))
        if sleeping or movements
        else []
    )
    asleep = {
        stored.delivery_id: Sleeper(stored.delivery_id, event, stored.state)
        for stored in sleepers
        if isinstance(event := event_of(stored), Event)
    }
    return Batch(payments, movements, asleep, refused, told)


def _nameless(movements: Iterable[Movement]) -> list[tuple[str, str]]:
    """Every id of the payments of which something has moved that has no id of its own."""
    return sorted(
        {
            (movement.endpoint, name)
            for movement in movements
            if movement.object_id == movement.payment_id and movement.base_effect in MANY_OF_ONE
            for name in (movement.payment_id, movement.also_known_as)
            if name is not None
        }
    )
