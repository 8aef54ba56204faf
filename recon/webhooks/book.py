"""Book many deliveries in the caller's transaction, in a number of statements that is constant.

Two deliveries about one payment (or of one event id) wait for each other by advisory locks, taken
in ascending order; registered payments and wallets are locked after them, in key order too.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import structlog

from recon.clock import new_id
from recon.ledger import Outcome as Posting
from recon.ledger import post
from recon.payments import find_payments, record_reports
from recon.webhooks import queries
from recon.webhooks.batch import Batch, Sleeper, lock_names
from recon.webhooks.model import Case, CaseKind, Delivery, Event, Outcome, State, Unusable
from recon.webhooks.rereading import event_of
from recon.webhooks.rules import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    import asyncpg

__all__ = ["BookingRefusedError", "book", "prepare", "take_locks", "write_down"]

log = structlog.get_logger(__name__)

_DONE = frozenset({Posting.POSTED, Posting.REPEATED})
_UNSETTLED = frozenset({State.WAITING, State.SUSPENDED, State.QUARANTINED})


class BookingRefusedError(Exception):
    """Members that cannot be booked, with the reason of each: the transaction must be undone.

    Decided under locks, this cannot happen; if it does, they are to be quarantined by themselves.
    """

    def __init__(self, reasons: dict[UUID, str]) -> None:
        super().__init__(f"{len(reasons)} deliveries cannot be booked")
        self.reasons = reasons


async def book(
    connection: asyncpg.Connection[Any],
    deliveries: Sequence[Delivery],
    *,
    refused: Mapping[UUID, str],
) -> list[Outcome]:
    """Keep verified deliveries and book what they say, each once for ever.

    Args:
        connection: inside the caller's transaction.
        deliveries: any number, in the order of their arrival.
        refused: those to be quarantined instead of booked, with the reason.

    Returns:
        What became of each, in their order.

    Raises:
        BookingRefusedError: nothing may be kept of this transaction; call again with ``refused``.
    """
    events = [delivery.event for delivery in deliveries if isinstance(delivery.event, Event)]
    own = {(delivery.endpoint, delivery.event.event_id) for delivery in deliveries}
    await take_locks(connection, lock_names(events), own)
    kept = await queries.find_kept(connection, deliveries)
    fresh: list[Delivery] = []
    repeats: list[tuple[Delivery, UUID, bool]] = []
    for delivery in deliveries:
        place = (delivery.endpoint, delivery.event.event_id)
        first = kept.setdefault(place, (delivery.delivery_id, delivery.content_sha256))
        if first[0] == delivery.delivery_id:
            fresh.append(delivery)
        else:
            repeats.append((delivery, first[0], first[1] == delivery.content_sha256))
    batch = await prepare(
        connection,
        [delivery.event for delivery in fresh if isinstance(delivery.event, Event)],
        refused=refused,
    )
    for delivery in fresh:
        if isinstance(delivery.event, Unusable):
            batch.decisions[delivery.delivery_id] = Decision(
                State.QUARANTINED, delivery.event.reason, case=CaseKind.QUARANTINED
            )
        else:
            batch.take(delivery.delivery_id, delivery.event)
    new = [(delivery, batch.decisions[delivery.delivery_id]) for delivery in fresh]
    if new and await queries.insert_deliveries(connection, new) != len(new):
        raise RuntimeError("an event came twice at once, under the lock that forbids it")
    await write_down(connection, batch, new=[delivery for delivery, _ in new])
    if repeats:
        await _keep_repeats(connection, repeats)
    outcomes = {
        delivery.delivery_id: Outcome(
            delivery.delivery_id, delivery.event.event_id, decision.state, decision.reason
        )
        for delivery, decision in new
    }
    outcomes |= {
        delivery.delivery_id: _repeated(delivery, first, same=same)
        for delivery, first, same in repeats
    }
    return [outcomes[delivery.delivery_id] for delivery in deliveries]


async def take_locks(
    connection: asyncpg.Connection[Any], *names: Iterable[tuple[str, str]]
) -> None:
    """Wait until nobody else decides about any of these (endpoint, id)."""
    keys = [
        int.from_bytes(
            hashlib.sha256(f"{endpoint}\n{name}".encode()).digest()[:8], "big", signed=True
        )
        for group in names
        for endpoint, name in group
    ]
    await queries.take_locks(connection, keys)


async def prepare(
    connection: asyncpg.Connection[Any], events: Sequence[Event], *, refused: Mapping[UUID, str]
) -> Batch:
    """Read what events speak of; their locks are held already."""
    about = [event for event in events if event.payment_id is not None]
    if not about:
        return Batch([], [], {}, refused)
    payments = await find_payments(
        connection,
        endpoints=[event.endpoint for event in about],
        references=[event.reference for event in about],
        payment_ids=[event.payment_id for event in about],
    )
    named = [(event.endpoint, event.payment_id, event.effect_id) for event in about]
    named += [
        (event.endpoint, event.also_known_as, None)
        for event in about
        if event.also_known_as is not None
    ]
    movements = await queries.find_movements(connection, named)
    payment_names = {(endpoint, name) for endpoint, name, _ in named if name is not None}
    payment_names |= {(movement.endpoint, movement.payment_id) for movement in movements}
    payment_names |= {
        (movement.endpoint, movement.also_known_as)
        for movement in movements
        if movement.also_known_as is not None
    }
    sleepers = await queries.find_sleepers(connection, sorted(payment_names))
    asleep = {
        stored.delivery_id: Sleeper(stored.delivery_id, event, stored.state)
        for stored in sleepers
        if isinstance(event := event_of(stored), Event)
    }
    return Batch(payments, movements, asleep, refused)


async def write_down(
    connection: asyncpg.Connection[Any], batch: Batch, *, new: Sequence[Delivery]
) -> None:
    """Post what a batch has decided and write what became of everything that it touched.

    Raises:
        BookingRefusedError: the ledger or the movements say no to a member.
    """
    posted = await post(connection, [entry for _, entry in batch.entries])
    refused = {
        delivery_id: f"the ledger says {outcome.outcome}"
        for (delivery_id, _), outcome in zip(batch.entries, posted, strict=True)
        if outcome.outcome not in _DONE
    }
    if refused:
        raise BookingRefusedError(refused)
    if batch.moved:
        written = await queries.insert_movements(connection, batch.moved)
        taken = {
            movement.delivery_id: "its movement is taken"
            for movement in batch.moved
            if (movement.endpoint, movement.object_id, movement.effect) not in written
        }
        if taken:
            raise BookingRefusedError(taken)
    await record_reports(connection, list(batch.reports.values()))
    by_id = {delivery.delivery_id: delivery for delivery in new}
    changed = [(key, made) for key, made in batch.decisions.items() if key not in by_id]
    if changed:
        await queries.update_deliveries(connection, changed)
        settled = [key for key, made in changed if made.state not in _UNSETTLED]
        await queries.close_cases(connection, settled)
    cases = [
        _case(delivery.delivery_id, delivery.endpoint, delivery.event, batch)
        for delivery in new
        if batch.decisions[delivery.delivery_id].case is not None
    ]
    cases += [
        _case(key, batch.events[key].endpoint, batch.events[key], batch)
        for key, made in changed
        if made.case is not None
    ]
    if cases:
        await queries.insert_cases(connection, cases)


def _case(delivery_id: UUID, endpoint: str, event: Event | Unusable, batch: Batch) -> Case:
    decision = batch.decisions[delivery_id]
    usable = event if isinstance(event, Event) else None
    return Case(
        case_id=new_id(),
        kind=decision.case or CaseKind.QUARANTINED,
        endpoint=endpoint,
        delivery_id=delivery_id,
        reference=usable.reference if usable is not None else None,
        user_id=decision.user_id,
        amount=usable.amount if usable is not None else None,
        reason=decision.reason or decision.state,
    )


async def _keep_repeats(
    connection: asyncpg.Connection[Any], repeats: Sequence[tuple[Delivery, UUID, bool]]
) -> None:
    await queries.insert_repeats(connection, [(delivery, same) for delivery, _, same in repeats])
    cases = []
    for delivery, first, same in repeats:
        if same:
            continue
        log.warning(
            "event_id_reused",
            endpoint=delivery.endpoint,
            event_id=delivery.event.event_id,
            delivery_id=str(first),
            verified_by=delivery.verified_by,
        )
        event = delivery.event if isinstance(delivery.event, Event) else None
        cases.append(
            Case(
                case_id=new_id(),
                kind=CaseKind.EVENT_ID_REUSED,
                endpoint=delivery.endpoint,
                delivery_id=first,
                reference=event.reference if event is not None else None,
                user_id=event.user_id if event is not None else None,
                amount=event.amount if event is not None else None,
                reason="the event id came again with other bytes, which were not booked",
            )
        )
    if cases:
        await queries.insert_cases(connection, cases)


def _repeated(delivery: Delivery, first: UUID, *, same: bool) -> Outcome:
    event_id = delivery.event.event_id
    if same:
        return Outcome(first, event_id, State.REPEATED, None)
    return Outcome(first, event_id, State.QUARANTINED, "the event id came with other bytes")
