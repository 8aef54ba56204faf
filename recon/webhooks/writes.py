"""What the intake writes; private to this room."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec

from recon.db import load
from recon.ledger import Outcome as Posting
from recon.ledger import entry_rows
from recon.payments import report_columns
from recon.webhooks.model import Event

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from recon.ledger import Entry
    from recon.money import Money
    from recon.payments import Payment, Report
    from recon.webhooks.model import Case, Delivery, Movement, Unusable
    from recon.webhooks.rules import Decision
    from recon.webhooks.sought import Sought

__all__ = [
    "Taken",
    "close_cases",
    "describe_delivery",
    "insert_cases",
    "insert_repeats",
    "take_at_once",
    "update_deliveries",
    "write_taken",
]

_ROOM = "recon.webhooks"
_REFUSED = "RC001"
"""As ``intake_take`` raises it."""


class Taken(NamedTuple):
    """What is to be written of a batch together.

    Args:
        entries: to be posted.
        kept: deliveries with what became of them.
        movements: what has moved.
        reports: of registered payments, one for each at most.
    """

    entries: Sequence[Entry]
    kept: Sequence[tuple[Delivery, Decision]]
    movements: Sequence[Movement]
    reports: Collection[Report]

    def arguments(self) -> tuple[Sequence[object], ...]:
        """As ``intake_write`` takes them."""
        return (
            entry_rows(self.entries),
            [_delivery_row(delivery, decision) for delivery, decision in self.kept],
            [_movement_row(movement) for movement in self.movements],
            *report_columns(self.reports),
        )


async def write_taken(connection: asyncpg.Connection[Any], taken: Taken) -> list[Posting]:
    """Write it all in one statement: each more would wait for its turn among the calls.

    Returns:
        What became of each entry, in their order.
    """
    posted = await connection.fetchval(load(_ROOM, "write_taken"), *taken.arguments())
    return [Posting(text) for text in posted or []]


async def take_at_once(
    connection: asyncpg.Connection[Any],
    sought: Sought,
    payments: Sequence[Payment],
    taken: Taken,
) -> bool:
    """Lock, look, and write as `write_taken` does, in a statement that is a transaction by itself.

    Args:
        connection: outside any transaction.
        sought: what to lock and look for.
        payments: all that are known to be registered of it.
        taken: what to write if nothing else is known.

    Returns:
        False where more is known, or where the books refuse a member: nothing was written.
    """
    known = sorted(payments, key=lambda payment: payment.reference)
    try:
        return bool(
            await connection.fetchval(
                load(_ROOM, "take_at_once"),
                *sought.arguments(),
                *sought.of_payments(),
                [payment.reference for payment in known],
                [payment.state for payment in known],
                [payment.payment_id for payment in known],
                *taken.arguments(),
            )
        )
    except asyncpg.PostgresError as error:
        if error.sqlstate != _REFUSED:
            raise
        return False


async def insert_repeats(
    connection: asyncpg.Connection[Any], repeats: Sequence[tuple[Delivery, bool]]
) -> None:
    """Remember deliveries that came again; the body of one with other content is kept."""
    await connection.execute(
        load(_ROOM, "insert_repeats"),
        [delivery.endpoint for delivery, _ in repeats],
        [delivery.event.event_id for delivery, _ in repeats],
        [delivery.delivery_id for delivery, _ in repeats],
        [delivery.received_at for delivery, _ in repeats],
        [delivery.body_sha256 for delivery, _ in repeats],
        [same for _, same in repeats],
        [None if same else delivery.body for delivery, same in repeats],
    )


async def insert_cases(connection: asyncpg.Connection[Any], cases: Sequence[Case]) -> None:
    """Open cases; a delivery has one of a kind at most."""
    await connection.execute(
        load(_ROOM, "insert_cases"),
        [case.case_id for case in cases],
        [case.kind for case in cases],
        [case.endpoint for case in cases],
        [case.delivery_id for case in cases],
        [case.reference for case in cases],
        [case.user_id for case in cases],
        [_currency(case.amount) for case in cases],
        [_minor(case.amount) for case in cases],
        [case.reason for case in cases],
    )


async def update_deliveries(
    connection: asyncpg.Connection[Any], decided: Sequence[tuple[UUID, Decision]]
) -> None:
    """Write what became of deliveries that were kept before."""
    await connection.execute(
        load(_ROOM, "update_deliveries"),
        [delivery_id for delivery_id, _ in decided],
        [decision.state for _, decision in decided],
        [decision.reason for _, decision in decided],
        [decision.user_id for _, decision in decided],
    )


async def close_cases(
    connection: asyncpg.Connection[Any], moved_on: Sequence[UUID], settled: Sequence[UUID]
) -> None:
    """Close what is a case no longer: of deliveries that wait no longer, and of settled ones."""
    await connection.execute(load(_ROOM, "close_cases"), moved_on, settled)


async def describe_delivery(
    connection: asyncpg.Connection[Any], delivery_id: UUID, event: Event
) -> None:
    """Write what a kept delivery's bytes are now read to say."""
    await connection.execute(
        load(_ROOM, "describe_delivery"),
        *(delivery_id, event.event_type, event.kind, event.payment_id, event.effect_id),
        *(event.reference, _currency(event.amount), _minor(event.amount), event.event_at),
    )


def _delivery_row(delivery: Delivery, decision: Decision) -> tuple[object, ...]:
    """An ``intake_delivery``."""
    event = _columns(delivery.event, delivery.endpoint, delivery.provider)
    return (
        delivery.delivery_id,
        delivery.endpoint,
        event.event_id,
        delivery.provider,
        delivery.received_at,
        delivery.body,
        delivery.body_sha256,
        delivery.content_sha256,
        msgspec.json.encode(delivery.headers).decode(),
        delivery.verified_by,
        event.event_type,
        event.kind,
        event.payment_id,
        event.effect_id,
        event.reference,
        decision.user_id,
        _currency(event.amount),
        _digits(event.amount),
        event.event_at,
        decision.state,
        decision.reason,
    )


def _movement_row(movement: Movement) -> tuple[object, ...]:
    """An ``intake_movement``."""
    return (
        movement.endpoint,
        movement.object_id,
        movement.effect,
        movement.delivery_id,
        movement.payment_id,
        movement.also_known_as,
        movement.user_id,
        movement.amount.currency,
        _digits(movement.amount),
        movement.event_at,
    )


def _columns(event: Event | Unusable, endpoint: str, provider: str) -> Event:
    """The columns of an unusable event hold what it seems to say: evidence, never booked."""
    if isinstance(event, Event):
        return event
    said = event.hearsay
    return Event(
        endpoint=endpoint,
        provider=provider,
        event_id=event.event_id,
        event_type=event.event_type,
        kind=said.kind,
        payment_id=said.payment_id,
        effect_id=said.effect_id,
        reference=said.reference,
        amount=said.amount,
        event_at=said.event_at,
    )


def _currency(amount: Money | None) -> str | None:
    return None if amount is None else amount.currency


def _minor(amount: Money | None) -> Decimal | None:
    return None if amount is None else Decimal(amount.minor)


def _digits(amount: Money | None) -> str | None:
    """Minor units as text, which is sent several times as fast as a ``Decimal``."""
    return None if amount is None else str(amount.minor)
