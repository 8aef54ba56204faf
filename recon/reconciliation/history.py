"""What happened to a discrepancy, as it was appended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

__all__ = ["HistoryEvent", "list_events", "read_event"]


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One step: by a run (``run:<id>``) or a principal, with what it says and changed."""

    event_id: UUID
    discrepancy_id: UUID
    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


async def list_events(
    connection: asyncpg.Connection[Any],
    discrepancy_id: UUID,
    *,
    after: UUID | None = None,
    limit: int = 50,
) -> list[HistoryEvent]:
    """A page of a discrepancy's history, oldest first, after the event that ``after`` names."""
    rows = await connection.fetch(
        load("recon.reconciliation", "events"), discrepancy_id, after, limit
    )
    return [_event(row) for row in rows]


async def read_event(
    connection: asyncpg.Connection[Any], user_id: str, discrepancy_id: UUID, event_id: UUID
) -> HistoryEvent:
    """One event.

    Raises:
        NotFound: ``event_not_found``.
    """
    row = await connection.fetchrow(
        load("recon.reconciliation", "event"), user_id, discrepancy_id, event_id
    )
    if row is None:
        raise NotFound(f"there is no event {event_id}", code="event_not_found")
    return _event(row)


def _event(row: asyncpg.Record) -> HistoryEvent:
    return HistoryEvent(
        event_id=row["event_id"],
        discrepancy_id=row["discrepancy_id"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        detail=row["detail"],
    )
