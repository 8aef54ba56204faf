"""What the intake writes; private to this room."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from recon.db import load
from recon.webhooks.model import Event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.money import Money
    from recon.webhooks.model import Case, Delivery, Movement, Unusable
    from recon.webhooks.rules import Decision

__all__ = [
    "close_cases",
    "describe_delivery",
    "insert_cases",
    "insert_deliveries",
    "insert_movements",
    "insert_repeats",
    "update_deliveries",
]

_ROOM = "recon.webhooks"


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
