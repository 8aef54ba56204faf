"""How far each account's list was compared, for people and for `GET /metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from recon.db import load

if TYPE_CHECKING:
    from datetime import datetime

    from recon.db import Pool

__all__ = ["BackfillProgress", "read_progress", "refresh_gauges"]

_age = Gauge(
    "recon_backfill_age_seconds",
    "Since a PSP's own list of events was last compared with the inbox to its end.",
    ["endpoint"],
)
_events = Gauge(
    "recon_backfilled_events",
    "Events that no webhook had brought, taken in from the PSP's own list so far.",
    ["endpoint"],
)
_failing = Gauge(
    "recon_backfill_failing",
    "Whether the last comparison with a PSP's own list of events failed.",
    ["endpoint"],
)


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """One account's; ``failure`` is why the last comparison failed, ``None`` if it did not."""

    endpoint: str
    listed_until: datetime | None
    started_at: datetime
    completed_at: datetime | None
    failed_at: datetime | None
    failure: str | None
    events: int
    age_s: float | None


async def read_progress(pool: Pool) -> list[BackfillProgress]:
    """Every account whose events were ever listed, by its name."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.webhooks", "backfills"))
    return [BackfillProgress(**dict(row)) for row in rows]


async def refresh_gauges(pool: Pool) -> None:
    """Set this room's gauges by the database: the jobs may run in a process without metrics."""
    for one in await read_progress(pool):
        # Never completed is older than any alarm.
        _age.labels(one.endpoint).set(float("inf") if one.age_s is None else one.age_s)
        _events.labels(one.endpoint).set(one.events)
        _failing.labels(one.endpoint).set(one.failure is not None)
