"""What the intake reads; private to this room. Rows become models only here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.money import Money
from recon.webhooks.model import (
    Kind,
    Movement,
    Named,
    State,
    StoredDelivery,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    import asyncpg

    from recon.webhooks.sought import Sought

__all__ = [
    "About",
    "delivery_of",
    "find_firsts",
    "find_movements",
    "find_sleepers",
    "find_told",
    "look_up",
    "money_of",
    "read_delivery_row",
    "take_locks",
]

_ROOM = "recon.webhooks"
_MOST_SLEEPERS = 200
"""Of one payment, with their bodies: no payment has so many that a person need not look."""


async def take_locks(connection: asyncpg.Connection[Any], keys: Sequence[int]) -> None:
    """Wait for every key, in their order; they are given back with the transaction."""
    await connection.fetch(load(_ROOM, "take_locks"), keys)


@dataclass(frozen=True, slots=True)
class About:
    """What there is already of deliveries that have come.

    Args:
        kept: (endpoint, event id) of those that the inbox has, to (delivery, content hash).
        moved: whether anything has moved under a name that they tell.
        sleeping: whether a delivery waits for more to be known about one of those names.
        registered: whether a payment may be registered under one of them.
    """

    kept: dict[tuple[str, str], tuple[UUID, bytes]]
    moved: bool
    sleeping: bool
    registered: bool


async def look_up(connection: asyncpg.Connection[Any], sought: Sought) -> About:
    """Wait until nobody else decides about deliveries that have come, and read what there is.

    The locks are held until the caller's transaction ends.
    """
    row = await connection.fetchrow(load(_ROOM, "look_up"), *sought.arguments())
    places, ids, hashes = row["kept"] or [], row["kept_delivery"], row["kept_content"]
    kept = {
        sought.places[place - 1]: (ids[number], hashes[number])
        for number, place in enumerate(places)
    }
    return About(kept, row["moved"], row["sleeping"], row["registered"])


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


async def find_told(
    connection: asyncpg.Connection[Any], payments: Sequence[tuple[str, str]]
) -> list[Named]:
    """What was told of these payments by an id of its own, and taken for what had moved already."""
    rows = await connection.fetch(
        load(_ROOM, "find_told"),
        [endpoint for endpoint, _ in payments],
        [payment_id for _, payment_id in payments],
    )
    return [
        Named(
            endpoint=row["endpoint"],
            payment_id=row["payment_id"],
            effect_id=row["effect_id"],
            kind=Kind(row["kind"]),
        )
        for row in rows
    ]


async def find_sleepers(
    connection: asyncpg.Connection[Any], named: Sequence[tuple[str, str]]
) -> list[StoredDelivery]:
    """Deliveries about these payments that may be decided otherwise later, oldest event first.

    Two hundred of each payment at most.
    """
    rows = await connection.fetch(
        load(_ROOM, "find_sleepers"),
        [endpoint for endpoint, _ in named],
        [payment_id for _, payment_id in named],
        _MOST_SLEEPERS,
    )
    return [delivery_of(row) for row in rows]


async def find_firsts(
    connection: asyncpg.Connection[Any], listed: Collection[UUID], called: Collection[UUID]
) -> list[StoredDelivery]:
    """Deliveries that came again: those ``listed`` now, and of those ``called`` the once listed."""
    rows = await connection.fetch(load(_ROOM, "find_firsts"), list(listed), list(called))
    return [delivery_of(row) for row in rows]


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
