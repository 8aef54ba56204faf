"""How far each account's list was compared, for people and for `GET /metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from recon.db import load
from recon.db.numbers import DatabaseNumbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recon.db import Pool

__all__ = ["BackfillProgress", "backfill_numbers", "read_progress"]

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


def backfill_numbers(endpoints: Sequence[str]) -> DatabaseNumbers:
    """Whether the lists of PSPs are compared by the clock; the jobs may be another process's.

    Args:
        endpoints: the accounts whose lists are. What is known of any other is nobody's concern: it
            was retired, or is listed by hand.
    """
    names = frozenset(endpoints)

    async def refresh(pool: Pool) -> None:
        progress = await read_progress(pool)
        for gauge in (_age, _events, _failing):
            gauge.clear()
        for one in progress:
            if one.endpoint not in names:
                continue
            # Never completed is older than any alarm.
            _age.labels(one.endpoint).set(float("inf") if one.age_s is None else one.age_s)
            _events.labels(one.endpoint).set(one.events)
            _failing.labels(one.endpoint).set(one.failure is not None)

    return DatabaseNumbers("backfills", refresh, (_age, _events, _failing))
