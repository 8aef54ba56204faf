"""What a PSP's API lists and the inbox has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.db import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from recon.db import Pool
    from recon.webhooks.backfill.listing import EventList, ListedEvent

__all__ = ["missed_events", "not_in_inbox"]


async def missed_events(
    pool: Pool, events: EventList, *, since: datetime, until: datetime
) -> AsyncIterator[ListedEvent]:
    """Events between two instants that no webhook has brought, newest first; nothing is booked.

    Errors as in `EventList.pages`. Each event's ``body`` can be read as a delivery's.
    """
    async for page in events.pages(int(since.timestamp()), int(until.timestamp())):
        for event in await not_in_inbox(pool, events.account.endpoint.name, page):
            yield event


async def not_in_inbox(
    pool: Pool, endpoint: str, listed: Sequence[ListedEvent]
) -> list[ListedEvent]:
    """Those of a page that the inbox has not, in their order."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            load("recon.webhooks", "missed_events"),
            endpoint,
            [event.event_id for event in listed],
        )
    missing = {row["event_id"] for row in rows}
    return [event for event in listed if event.event_id in missing]
