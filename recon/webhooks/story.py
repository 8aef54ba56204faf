"""Everything that is known of one delivery, for whoever has to understand it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from recon.db import load
from recon.money import Money
from recon.webhooks.inbox import case_of, repeats_of
from recon.webhooks.queries import delivery_of
from recon.webhooks.replay import read_delivery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.webhooks.inbox import CaseRow, Repeat
    from recon.webhooks.model import StoredDelivery

__all__ = ["Moved", "Replayed", "Story", "read_story"]

_ROOM: Final = "recon.webhooks"


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement that a delivery has made, and the posting that books it.

    Args:
        effect: an `Effect`, with ``:released`` behind it where it left suspense.
        object_id: the PSP's id of what moved.
        payment_id: the PSP's id of the payment.
        user_id: the player, or the suspense book (which begins with ``~``).
        amount: above zero; the effect says which way.
        event_at: when, by the PSP.
        version: of the wallet, once it is posted.
    """

    effect: str
    object_id: str
    payment_id: str
    user_id: str
    amount: Money
    event_at: datetime
    version: int | None

    @property
    def in_suspense(self) -> bool:
        """Whether it stands in a suspense book."""
        return self.user_id.startswith("~")


@dataclass(frozen=True, slots=True)
class Replayed:
    """Somebody had it decided again: the state before and after."""

    at: datetime
    actor: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Story:
    """A delivery and what surrounds it.

    Args:
        delivery: with its body, unless that is redacted.
        repeats: how it came again, oldest first, a hundred at most.
        cases: what people must look at because of it, oldest first.
        moved: what it has moved.
        same_payment: all that this PSP said of the payment, itself included, in order of arrival.
        replays: newest first.
    """

    delivery: StoredDelivery
    repeats: Sequence[Repeat]
    cases: Sequence[CaseRow]
    moved: Sequence[Moved]
    same_payment: Sequence[StoredDelivery]
    replays: Sequence[Replayed]


async def read_story(connection: asyncpg.Connection[Any], delivery_id: UUID) -> Story:
    """Read all of it as of one instant.

    Raises:
        DeliveryNotFoundError: there is no such delivery.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        stored = await read_delivery(connection, delivery_id)
        cases = await connection.fetch(load(_ROOM, "cases_of"), delivery_id)
        replays = await connection.fetch(load(_ROOM, "replays_of"), f"delivery:{delivery_id}")
        return Story(
            delivery=stored,
            repeats=await repeats_of(connection, stored.endpoint, stored.event_id),
            cases=[case_of(row) for row in cases],
            moved=await _moved(connection, stored),
            same_payment=await _same_payment(connection, stored),
            replays=[
                Replayed(row["at"], row["actor"], row["detail"]["before"], row["detail"]["after"])
                for row in replays
            ],
        )


async def _moved(connection: asyncpg.Connection[Any], stored: StoredDelivery) -> list[Moved]:
    rows = await connection.fetch(
        load(_ROOM, "moved_by"),
        stored.delivery_id,
        stored.endpoint,
        [name for name in (stored.payment_id, stored.effect_id) if name is not None],
    )
    return [
        Moved(
            effect=row["effect"],
            object_id=row["object_id"],
            payment_id=row["payment_id"],
            user_id=row["user_id"],
            amount=Money(int(row["amount"]), row["currency"]),
            event_at=row["event_at"],
            version=row["version"],
        )
        for row in rows
    ]


async def _same_payment(
    connection: asyncpg.Connection[Any], stored: StoredDelivery
) -> list[StoredDelivery]:
    if stored.payment_id is None and stored.reference is None:
        return [stored]
    rows = await connection.fetch(
        load(_ROOM, "same_payment"), stored.endpoint, stored.payment_id, stored.reference
    )
    return [delivery_of(row) for row in rows]
