"""Book many deliveries, in a number of statements that is constant.

Most deliveries are the first that is heard of their payment. `book_at_once` decides about them on
that understanding and then locks, looks whether it is so, and writes, all in one call of the
database. Where more is known it says so, and `book` locks and looks before it decides.

Two deliveries about one payment (or of one event id) wait for each other by advisory locks, taken
in ascending order; registered payments and wallets are locked after them, in key order too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.payments import find_payments
from recon.webhooks.batch import Batch
from recon.webhooks.look_up import prepare
from recon.webhooks.model import CaseKind, Delivery, Event, Outcome, State, Unusable
from recon.webhooks.queries import look_up
from recon.webhooks.retold import compare_retold
from recon.webhooks.rules import Decision
from recon.webhooks.sought import Sought
from recon.webhooks.write_down import keep_repeats, write_at_once, write_down

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import asyncpg

__all__ = ["book", "book_at_once"]


async def book_at_once(
    connection: asyncpg.Connection[Any], deliveries: Sequence[Delivery]
) -> list[Outcome] | None:
    """Keep and book verified deliveries of which nothing is known but registered payments.

    Args:
        connection: outside any transaction.
        deliveries: any number, in the order of their arrival.

    Returns:
        What became of each, in their order, durably; ``None`` where more is known of one of them,
        or it is a case: nothing was written, and `book` is to decide.
    """
    sought = Sought.of(deliveries)
    if len(set(sought.places)) < len(deliveries):
        return None
    payments = []
    if any(event.reference is not None for event in sought.about):
        endpoints, references, payment_ids = sought.of_payments()
        payments = await find_payments(
            connection,
            endpoints=endpoints,
            references=references,
            payment_ids=payment_ids,
            lock=False,
        )
    batch = Batch(list(payments), [], {}, {})
    for delivery in deliveries:
        if isinstance(delivery.event, Unusable):
            return None
        batch.take(delivery.delivery_id, delivery.event)
    decisions = batch.decisions
    if any(decision.case is not None for decision in decisions.values()):
        return None
    if not await write_at_once(connection, sought, batch, new=deliveries, payments=payments):
        return None
    return [_outcome(delivery, decisions[delivery.delivery_id]) for delivery in deliveries]


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
    about = await look_up(connection, Sought.of(deliveries))
    kept = about.kept
    fresh: list[Delivery] = []
    repeats: list[tuple[Delivery, UUID, bool]] = []
    for delivery in deliveries:
        place = (delivery.endpoint, delivery.event.event_id)
        first = kept.setdefault(place, (delivery.delivery_id, delivery.content_sha256))
        if first[0] == delivery.delivery_id:
            fresh.append(delivery)
        else:
            repeats.append((delivery, first[0], first[1] == delivery.content_sha256))
    repeats = await compare_retold(connection, repeats, deliveries)
    batch = await prepare(
        connection,
        [delivery.event for delivery in fresh if isinstance(delivery.event, Event)],
        refused=refused,
        moved=about.moved,
        sleeping=about.sleeping,
        registered=about.registered,
    )
    for delivery in fresh:
        if isinstance(delivery.event, Unusable):
            batch.decisions[delivery.delivery_id] = Decision(
                State.QUARANTINED,
                delivery.event.reason,
                user_id=delivery.event.hearsay.user_id,
                case=CaseKind.QUARANTINED,
            )
        else:
            batch.take(delivery.delivery_id, delivery.event)
    await write_down(connection, batch, new=fresh)
    if repeats:
        await keep_repeats(connection, repeats)
    outcomes = {
        delivery.delivery_id: _outcome(delivery, batch.decisions[delivery.delivery_id])
        for delivery in fresh
    }
    outcomes |= {
        delivery.delivery_id: _repeated(delivery, first, same=same)
        for delivery, first, same in repeats
    }
    return [outcomes[delivery.delivery_id] for delivery in deliveries]


def _outcome(delivery: Delivery, decision: Decision) -> Outcome:
    return Outcome(delivery.delivery_id, delivery.event.event_id, decision.state, decision.reason)


def _repeated(delivery: Delivery, first: UUID, *, same: bool) -> Outcome:
    event_id = delivery.event.event_id
    if same:
        return Outcome(first, event_id, State.REPEATED, None)
    return Outcome(first, event_id, State.QUARANTINED, "the event id came with other bytes")
