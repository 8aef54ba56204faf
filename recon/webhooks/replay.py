"""Decide about a kept delivery again, through the same code; nothing is ever booked twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from structlog.contextvars import bound_contextvars

from recon.audit import record_action
from recon.db import with_retries
from recon.webhooks import queries, writes
from recon.webhooks.batch import lock_names
from recon.webhooks.errors import (
    DeliveryNotFoundError,
    PayloadRedactedError,
    ReplayRefusedError,
)
from recon.webhooks.look_up import prepare, take_locks
from recon.webhooks.model import Endpoint, Event, State, StoredDelivery
from recon.webhooks.rereading import event_of
from recon.webhooks.write_down import UNFIT, BookingRefusedError, write_down

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.webhooks.batch import Batch
    from recon.webhooks.model import Movement

__all__ = ["Preview", "preview_replay", "read_delivery", "replay_delivery"]

# An arrival is quarantined for these, see recon.webhooks.receive.
_REFUSED: Final = (BookingRefusedError, *UNFIT)
_SETTLED: Final = frozenset({State.BOOKED, State.REPEATED})


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would do, as of now.

    Args:
        delivery: as it is.
        state: into which it would come.
        reason: why, where there is one.
        moved: what would move, other deliveries of the payment included that it would wake.
    """

    delivery: StoredDelivery
    state: State
    reason: str | None
    moved: Sequence[Movement]

    @property
    def changes(self) -> bool:
        """Whether anything would be other than it is."""
        same = self.state is self.delivery.state and self.reason == self.delivery.reason
        return not same or bool(self.moved)


@dataclass(frozen=True, slots=True)
class _Again:
    """A delivery that is decided again; without a batch it stays as it is."""

    stored: StoredDelivery
    event: Event | None = None
    batch: Batch | None = None


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
    pool: Pool,
    endpoints: Mapping[str, Endpoint],
    delivery_id: UUID,
    *,
    actor: str | None = None,
) -> StoredDelivery:
    """Read a kept delivery's bytes again and book what can be booked by now.

    One in suspense leaves it when a player can have its money; one that is booked stays as it is.

    Args:
        pool: the database.
        endpoints: as configured now.
        delivery_id: which one.
        actor: who wants it, for the audit; ``None`` where it is nobody's doing.

    Returns:
        The delivery as it is then.

    Raises:
        DeliveryNotFoundError: there is no such delivery.
        PayloadRedactedError: its bytes are gone.
        ReplayRefusedError: the books refuse what the rules allow, or its endpoint is not
            configured; nothing has changed.
    """
    try:
        with bound_contextvars(delivery_id=str(delivery_id)):
            return await _replay(pool, endpoints, delivery_id, actor)
    except _REFUSED as error:
        raise ReplayRefusedError("the books refuse it; the delivery stays as it was") from error


async def _replay(
    pool: Pool, endpoints: Mapping[str, Endpoint], delivery_id: UUID, actor: str | None
) -> StoredDelivery:
    async with pool.acquire() as connection, connection.transaction():
        again = await _decide_again(connection, endpoints, delivery_id)
        if again.batch is not None and again.event is not None:
            await write_down(connection, again.batch, new=[])
            if again.stored.kind is None or again.stored.state is State.QUARANTINED:
                await writes.describe_delivery(connection, delivery_id, again.event)
        stored = await read_delivery(connection, delivery_id)
        if actor is not None:
            await record_action(
                connection,
                actor=actor,
                action="delivery.replayed",
                obj=f"delivery:{delivery_id}",
                before=str(again.stored.state),
                after=str(stored.state),
            )
        return stored


@with_retries
async def preview_replay(
    pool: Pool, endpoints: Mapping[str, Endpoint], delivery_id: UUID
) -> Preview:
    """What `replay_delivery` would do now; arguments and errors as there. Nothing is written."""
    async with pool.acquire() as connection, connection.transaction():
        again = await _decide_again(connection, endpoints, delivery_id)
    stored = again.stored
    if again.batch is None:
        return Preview(stored, stored.state, stored.reason, [])
    decision = again.batch.decisions[delivery_id]
    return Preview(stored, decision.state, decision.reason, again.batch.moved)


async def _decide_again(
    connection: asyncpg.Connection[Any], endpoints: Mapping[str, Endpoint], delivery_id: UUID
) -> _Again:
    """Under the locks of all that it speaks of, which the caller's transaction holds."""
    stored = await read_delivery(connection, delivery_id)
    if stored.body is None:
        raise PayloadRedactedError(
            "its payload is redacted, so that it cannot be read again; what it said is kept"
        )
    if stored.state in _SETTLED:
        return _Again(stored)
    event = event_of(stored, _endpoint_of(stored, endpoints))
    if not isinstance(event, Event):
        return _Again(stored)
    await take_locks(connection, lock_names([event]), {(stored.endpoint, stored.event_id)})
    # Another replay, or an event of the same payment, may have settled it meanwhile.
    stored = await read_delivery(connection, delivery_id)
    if stored.state in _SETTLED:
        return _Again(stored)
    batch = await prepare(connection, [event], refused={})
    batch.sleepers.pop(delivery_id, None)
    batch.take(delivery_id, event, stored.state)
    return _Again(stored, event, batch)


def _endpoint_of(stored: StoredDelivery, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    """The PSP account through which a delivery came, as it is configured.

    What a delivery means depends on it: whose merchant account it may be of, and whether an
    authorisation has moved money.
    """
    endpoint = endpoints.get(stored.endpoint)
    if endpoint is None or endpoint.provider != stored.provider:
        raise ReplayRefusedError(
            f"no {stored.provider} account is configured as {stored.endpoint!r}, and how its"
            " deliveries are read depends on its settings; the delivery stays as it was"
        )
    return endpoint
