"""Decide about a kept delivery again, through the same code; nothing is ever booked twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from recon.db import with_retries
from recon.webhooks import queries, writes
from recon.webhooks.batch import lock_names
from recon.webhooks.errors import DeliveryNotFoundError, ReplayRefusedError
from recon.webhooks.look_up import prepare, take_locks
from recon.webhooks.model import Endpoint, Event, State, StoredDelivery
from recon.webhooks.rereading import event_of
from recon.webhooks.write_down import BookingRefusedError, write_down

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["read_delivery", "replay_delivery"]

_SETTLED: Final = frozenset({State.BOOKED, State.REPEATED})


async def read_delivery(connection: asyncpg.Connection[Any], delivery_id: UUID) -> StoredDelivery:
    """A kept delivery with its body.

    Raises:
        DeliveryNotFoundError: there is no such delivery.
    """
    stored = await queries.read_delivery_row(connection, delivery_id)
    if stored is None:
        raise DeliveryNotFoundError(f"the inbox has no delivery {delivery_id}")
    return stored


@with_retries
async def replay_delivery(
    pool: Pool, endpoints: Mapping[str, Endpoint], delivery_id: UUID
) -> StoredDelivery:
    """Read a kept delivery's bytes again and book what can be booked by now.

    One in suspense leaves it when a player can have its money; one that is booked stays as it is.

    Args:
        pool: the database.
        endpoints: as configured now; one that is gone is read as if nothing were pinned.
        delivery_id: which one.

    Returns:
        The delivery as it is then.

    Raises:
        DeliveryNotFoundError: there is no such delivery.
        ReplayRefusedError: the ledger refuses what the rules allow; nothing has changed.
    """
    async with pool.acquire() as connection, connection.transaction():
        stored = await read_delivery(connection, delivery_id)
        event = event_of(stored, endpoints)
        if not isinstance(event, Event):
            return stored
        await take_locks(connection, lock_names([event]), {(stored.endpoint, stored.event_id)})
        # Another replay, or an event of the same payment, may have settled it meanwhile.
        stored = await read_delivery(connection, delivery_id)
        if stored.state in _SETTLED:
            return stored
        batch = await prepare(connection, [event], refused={})
        batch.sleepers.pop(delivery_id, None)
        batch.take(delivery_id, event, stored.state)
        try:
            await write_down(connection, batch, new=[])
        except BookingRefusedError as error:
            raise ReplayRefusedError("the books refuse it; see its case") from error
        if stored.kind is None:
            await writes.describe_delivery(connection, delivery_id, event)
        return await read_delivery(connection, delivery_id)
