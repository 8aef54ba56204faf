"""The intake's statements; private to this room. Rows become models only here."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from recon.db import load
from recon.money import Money
from recon.webhooks.model import (
    Case,
    Delivery,
    Event,
    Kind,
    Movement,
    State,
    StoredDelivery,
    Unusable,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    import asyncpg

    from recon.webhooks.rules import Decision

__all__ = [
    "close_cases",
    "delivery_of",
    "describe_delivery",
    "find_kept",
    "find_movements",
    "find_sleepers",
    "insert_cases",
    "insert_deliveries",
    "insert_movements",
    "insert_repeats",
    "read_delivery_row",
    "take_locks",
    "update_deliveries",
]

_ROOM = "recon.webhooks"


async def take_locks(connection: asyncpg.Connection[Any], keys: Collection[int]) -> None:
    """Wait for every key, in ascending order; they are given back with the transaction."""
    await connection.fetch(load(_ROOM, "take_locks"), sorted(set(keys)))


async def find_kept(
    connection: asyncpg.Connection[Any], deliveries: Sequence[Delivery]
) -> dict[tuple[str, str], tuple[UUID, bytes]]:
    """Which of these events the inbox has: (endpoint, event id) to (delivery, content hash)."""
    rows = await connection.fetch(
        load(_ROOM, "find_kept"),
        [delivery.endpoint for delivery in deliveries],
        [delivery.event.event_id for delivery in deliveries],
    )
    return {
        (row["endpoint"], row["event_id"]): (row["delivery_id"], row["content_sha256"])
        for row in rows
    }


async def find_movements(
    connection: asyncpg.Connection[Any], named: Sequence[tuple[str, str | None, str | None]]
) -> list[Movement]:
    """Movements by (endpoint, a name of the payment, the id of what moved), oldest first."""
    rows = await connection.fetch(
        load(_ROOM, "find_movements"),
        [endpoint for endpoint, _, _ in named],
        [payment_id for _, payment_id, _ in named],
        [object_id for _, _, object_id in named],
    )
    return [
        Movement(
            endpoint=row["endpoint"],
            object_id=row["object_id"],
            effect=row["effect"],
            delivery_id=row["delivery_id"],
            payment_id=row["payment_id"],
            also_known_as=row["also_known_as"],
            user_id=row["user_id"],
            amount=Money(int(row["amount"]), row["currency"]),
            event_at=row["event_at"],
        )
        for row in rows
    ]


async def find_sleepers(
    connection: asyncpg.Connection[Any], named: Sequence[tuple[str, str]]
) -> list[StoredDelivery]:
    """Deliveries about these payments that may be decided otherwise later, oldest event first."""
    rows = await connection.fetch(
        load(_ROOM, "find_sleepers"),
        [endpoint for endpoint, _ in named],
        [payment_id for _, payment_id in named],
    )
    return [delivery_of(row) for row in rows]


async def insert_deliveries(
    connection: asyncpg.Connection[Any], kept: Sequence[tuple[Delivery, Decision]]
) -> int:
    """Keep deliveries with what became of them; how many were not there before."""
    events = [
        _columns(delivery.event, delivery.endpoint, delivery.provider) for delivery, _ in kept
    ]
    rows = await connection.fetch(
        load(_ROOM, "insert_deliveries"),
        [delivery.delivery_id for delivery, _ in kept],
        [delivery.endpoint for delivery, _ in kept],
        [delivery.event.event_id for delivery, _ in kept],
        [delivery.provider for delivery, _ in kept],
        [delivery.received_at for delivery, _ in kept],
        [delivery.body for delivery, _ in kept],
        [delivery.body_sha256 for delivery, _ in kept],
        [delivery.content_sha256 for delivery, _ in kept],
        [msgspec.json.encode(delivery.headers).decode() for delivery, _ in kept],
        [delivery.verified_by for delivery, _ in kept],
        [event.event_type for event in events],
        [event.kind for event in events],
        [event.payment_id for event in events],
        [event.effect_id for event in events],
        [event.reference for event in events],
        [decision.user_id for _, decision in kept],
        [_currency(event.amount) for event in events],
        [_minor(event.amount) for event in events],
        [event.event_at for event in events],
        [decision.state for _, decision in kept],
        [decision.reason for _, decision in kept],
    )
    return len(rows)


async def insert_movements(
    connection: asyncpg.Connection[Any], movements: Sequence[Movement]
) -> set[tuple[str, str, str]]:
    """Write what has moved; (endpoint, object, effect) of those that were not there before."""
    rows = await connection.fetch(
        load(_ROOM, "insert_movements"),
        [movement.endpoint for movement in movements],
        [movement.object_id for movement in movements],
        [movement.effect for movement in movements],
        [movement.delivery_id for movement in movements],
        [movement.payment_id for movement in movements],
        [movement.also_known_as for movement in movements],
        [movement.user_id for movement in movements],
        [movement.amount.currency for movement in movements],
        [_minor(movement.amount) for movement in movements],
        [movement.event_at for movement in movements],
    )
    return {(row["endpoint"], row["object_id"], row["effect"]) for row in rows}


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


async def close_cases(connection: asyncpg.Connection[Any], deliveries: Sequence[UUID]) -> None:
    """Close the cases of deliveries that have found their place."""
    await connection.execute(load(_ROOM, "close_cases"), deliveries)


async def describe_delivery(
    connection: asyncpg.Connection[Any], delivery_id: UUID, event: Event
) -> None:
    """Write what a kept delivery's bytes are now read to say."""
    await connection.execute(
        load(_ROOM, "describe_delivery"),
        *(delivery_id, event.event_type, event.kind, event.payment_id, event.effect_id),
        *(event.reference, _currency(event.amount), _minor(event.amount), event.event_at),
    )


async def read_delivery_row(
    connection: asyncpg.Connection[Any], delivery_id: UUID
) -> StoredDelivery | None:
    """One delivery with its body."""
    row = await connection.fetchrow(load(_ROOM, "delivery"), delivery_id)
    return None if row is None else delivery_of(row)


def delivery_of(row: asyncpg.Record) -> StoredDelivery:
    """One row of ``deliveries``."""
    return StoredDelivery(
        delivery_id=row["delivery_id"],
        endpoint=row["endpoint"],
        event_id=row["event_id"],
        provider=row["provider"],
        received_at=row["received_at"],
        verified_by=row["verified_by"],
        event_type=row["event_type"],
        kind=None if row["kind"] is None else Kind(row["kind"]),
        payment_id=row["payment_id"],
        effect_id=row["effect_id"],
        reference=row["reference"],
        user_id=row["user_id"],
        amount=money_of(row),
        event_at=row["event_at"],
        state=State(row["state"]),
        reason=row["reason"],
        body=row["body"],
        body_sha256=row["body_sha256"],
        headers=row["headers"],
    )


def money_of(row: asyncpg.Record) -> Money | None:
    """The ``amount`` and ``currency`` of a row, where it has them."""
    return None if row["amount"] is None else Money(int(row["amount"]), row["currency"])


def _columns(event: Event | Unusable, endpoint: str, provider: str) -> Event:
    """An unusable event is one that says nothing."""
    if isinstance(event, Event):
        return event
    return Event(
        endpoint=endpoint,
        provider=provider,
        event_id=event.event_id,
        event_type=event.event_type,
        kind=None,
    )


def _currency(amount: Money | None) -> str | None:
    return None if amount is None else amount.currency


def _minor(amount: Money | None) -> Decimal | None:
    return None if amount is None else Decimal(amount.minor)
