"""Which messages there were, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from recon.alerts.model import AlertType
from recon.db import load

if TYPE_CHECKING:
    import asyncpg

__all__ = ["DeliveryView", "SentAlert", "list_alerts"]


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """A message's way through one channel; ``next_at`` while it is on its way."""

    channel: str
    state: str
    attempts: int
    next_at: datetime | None
    ended_at: datetime | None
    last_error: str | None


class SentAlert(msgspec.Struct, frozen=True, kw_only=True):
    """A message, what it says, and its deliveries."""

    alert_id: UUID
    type: AlertType
    created_at: datetime
    summary: str
    data: dict[str, Any]
    deliveries: list[DeliveryView]


async def list_alerts(
    connection: asyncpg.Connection[Any],
    *,
    state: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[SentAlert]:
    """A page of messages, newest first.

    Args:
        connection: any.
        state: only those of which a delivery is in this one; ``None``: any.
        before: only messages before this one.
        limit: how many.
    """
    rows = await connection.fetch(load("recon.alerts", "list_alerts"), before, state, limit)
    return [
        SentAlert(
            alert_id=row["alert_id"],
            type=AlertType(row["type"]),
            created_at=row["created_at"],
            summary=row["payload"]["data"]["summary"],
            data=row["payload"]["data"],
            deliveries=msgspec.convert(row["deliveries"], list[DeliveryView]),
        )
        for row in rows
    ]
