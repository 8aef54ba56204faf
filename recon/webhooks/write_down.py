"""Write down what a batch has decided, and what came again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg
import asyncpg.exceptions._base as client_side
import structlog

from recon import tracing
from recon.clock import new_id
from recon.ledger import Outcome as Posting
from recon.webhooks import writes
from recon.webhooks.model import Case, CaseKind, Delivery, Event, State, Unusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from recon.payments import Payment
    from recon.webhooks.batch import Batch
    from recon.webhooks.model import Movement
    from recon.webhooks.rules import Decision
    from recon.webhooks.sought import Sought

__all__ = ["UNFIT", "BookingRefusedError", "keep_repeats", "write_at_once", "write_down"]

log = structlog.get_logger(__name__)

_DONE = frozenset({Posting.POSTED, Posting.REPEATED})
UNFIT: Final = (
    asyncpg.DataError,
    # asyncpg's own, of a value that it cannot send; it is an InterfaceError besides.
    client_side.DataError,
    asyncpg.IntegrityConstraintViolationError,
)
"""What the database says of data that no book can hold, such as a sum past 38 digits."""

_UNSETTLED = frozenset({State.WAITING, State.SUSPENDED, State.QUARANTINED})


class BookingRefusedError(Exception):
    """Members that cannot be booked, with the reason of each: the transaction must be undone.

    Decided under locks, this cannot happen; if it does, they are to be quarantined by themselves.
    """

    def __init__(self, reasons: dict[UUID, str]) -> None:
        super().__init__(f"{len(reasons)} deliveries cannot be booked")
        self.reasons = reasons


async def write_down(
    connection: asyncpg.Connection[Any], batch: Batch, *, new: Sequence[Delivery]
) -> None:
    """Post what a batch has decided and write what became of everything that it touched.

    Args:
        connection: inside the transaction that holds the locks.
        batch: with a decision about each of ``new``.
        new: deliveries that are to be kept.

    Raises:
        BookingRefusedError: the ledger or the movements say no to a member.
    """
    kept = [(delivery, batch.decisions[delivery.delivery_id]) for delivery in new]
    if kept or batch.entries or batch.moved or batch.reports:
        await _write_taken(connection, batch, kept)
    by_id = {delivery.delivery_id: delivery for delivery in new}
    changed = [(key, made) for key, made in batch.decisions.items() if key not in by_id]
    if changed:
        await writes.update_deliveries(connection, changed)
        moved_on = [key for key, made in changed if made.state is not State.WAITING]
        settled = [key for key, made in changed if made.state not in _UNSETTLED]
        await writes.close_cases(connection, moved_on, settled)
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
        await writes.insert_cases(connection, cases)


async def write_at_once(
    connection: asyncpg.Connection[Any],
    sought: Sought,
    batch: Batch,
    *,
    new: Sequence[Delivery],
    payments: Sequence[Payment],
) -> bool:
    """Write what was decided about ``new`` on the understanding that nothing else is known.

    Args:
        connection: outside any transaction.
        sought: what they speak of.
        batch: with a decision about each, none of them a case.
        new: deliveries of different events.
        payments: the registered ones that were decided with, as they were found.

    Returns:
        Whether it is written, and durable. If not, more is known or a member is refused, and
        nothing was written.
    """
    kept = [(delivery, batch.decisions[delivery.delivery_id]) for delivery in new]
    with tracing.span("ledger.post", attributes={"recon.postings": len(batch.entries)}):
        return await writes.take_at_once(connection, sought, payments, _taken(batch, kept))


def _taken(batch: Batch, kept: Sequence[tuple[Delivery, Decision]]) -> writes.Taken:
    return writes.Taken(
        [entry for _, entry in batch.entries], kept, batch.moved, list(batch.reports.values())
    )


async def _write_taken(
    connection: asyncpg.Connection[Any], batch: Batch, kept: Sequence[tuple[Delivery, Decision]]
) -> None:
    try:
        with tracing.span("ledger.post", attributes={"recon.postings": len(batch.entries)}):
            posted = await writes.write_taken(connection, _taken(batch, kept))
    except asyncpg.UniqueViolationError as error:
        missing = [movement for movement in batch.moved if _is_refused(error, movement)]
        if not missing:
            raise
        # Of one that was woken it must not keep the one that woke it from being booked.
        raise BookingRefusedError(
            dict.fromkeys((movement.delivery_id for movement in missing), "its movement is taken")
        ) from error
    refused = {
        delivery_id: f"the ledger says {outcome}"
        for (delivery_id, _), outcome in zip(batch.entries, posted, strict=True)
        if outcome not in _DONE
    }
    if refused:
        raise BookingRefusedError(refused)


def _is_refused(error: asyncpg.UniqueViolationError, movement: Movement) -> bool:
    """Whether Postgres says, in whatever language, that this movement is there already."""
    key = f"=({movement.endpoint}, {movement.object_id}, {movement.effect})"
    return error.constraint_name == "movements_pkey" and key in (error.detail or "")


def _case(delivery_id: UUID, endpoint: str, event: Event | Unusable, batch: Batch) -> Case:
    decision = batch.decisions[delivery_id]
    said = event if isinstance(event, Event) else event.hearsay
    return Case(
        case_id=new_id(),
        kind=decision.case or CaseKind.QUARANTINED,
        endpoint=endpoint,
        delivery_id=delivery_id,
        reference=said.reference,
        user_id=decision.user_id,
        amount=said.amount,
        reason=decision.reason or decision.state,
    )


async def keep_repeats(
    connection: asyncpg.Connection[Any], repeats: Sequence[tuple[Delivery, UUID, bool]]
) -> None:
    """Remember what came again: (delivery, the first one, same content); the rest is an alarm."""
    await writes.insert_repeats(connection, [(delivery, same) for delivery, _, same in repeats])
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
        event = delivery.event
        said = event if isinstance(event, Event) else event.hearsay
        cases.append(
            Case(
                case_id=new_id(),
                kind=CaseKind.EVENT_ID_REUSED,
                endpoint=delivery.endpoint,
                delivery_id=first,
                reference=said.reference,
                user_id=said.user_id,
                amount=said.amount,
                reason="the event id came again with other bytes, which were not booked",
            )
        )
    if cases:
        await writes.insert_cases(connection, cases)
