"""Gauges of the queue: what waits, and whether any worker is there."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge

from recon.db import load
from recon.db.numbers import DatabaseNumbers

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["JOB_NUMBERS"]

_queued = Gauge("recon_jobs_queued", "Jobs that wait for a worker.", ["job"])
_running = Gauge("recon_jobs_running", "Jobs that a worker has taken.", ["job"])
_oldest_s = Gauge(
    "recon_jobs_oldest_queued_seconds",
    "How long the first of the jobs that are due has waited; 0: none is.",
    ["job"],
)
_tick_age_s = Gauge(
    "recon_jobs_last_tick_age_seconds",
    "How long ago any worker last did what the clock asks for; it asks every second.",
)
_parked = Gauge(
    "recon_jobs_parked", "Jobs that were begun again and again and never ended, and were given up."
)
_tick_failures = Gauge(
    "recon_jobs_tick_failures",
    "Times that what the clock asks for failed since it last succeeded four times on end, "
    "whichever worker tried.",
    ["tick"],
)
_tick_failing_s = Gauge(
    "recon_jobs_tick_failing_seconds",
    "How long ago the first of those failures was.",
    ["tick"],
)

_BEGAN_S: Final = monotonic()
_known: Final[set[str]] = set()


async def _refresh(pool: Pool) -> None:
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.jobs", "measure"))
        failing = await connection.fetch(load("recon.jobs", "measure_ticks"))
    jobs = {row["job"]: row for row in rows}
    schedule = jobs.pop(None)
    _known.update(jobs)
    for job in _known:
        row = jobs.get(job)
        _queued.labels(job).set(0 if row is None else row["queued"])
        _running.labels(job).set(0 if row is None else row["running"])
        _oldest_s.labels(job).set(0 if row is None else row["oldest_s"])
    age_s = schedule["tick_age_s"]
    # Where no worker ever was, one could have been for as long as this process is there.
    _tick_age_s.set(monotonic() - _BEGAN_S if age_s is None else age_s)
    _parked.set(schedule["parked"])
    for gauge in (_tick_failures, _tick_failing_s):
        gauge.clear()
    for row in failing:
        _tick_failures.labels(row["tick"]).set(row["failures"])
        _tick_failing_s.labels(row["tick"]).set(row["failing_s"])


JOB_NUMBERS: Final = DatabaseNumbers(
    "jobs",
    _refresh,
    (_queued, _running, _oldest_s, _tick_age_s, _parked, _tick_failures, _tick_failing_s),
)
