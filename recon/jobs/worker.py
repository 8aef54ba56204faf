"""A worker: takes jobs and fires ticks until it is told to stop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from prometheus_client import Counter

from recon.db import load
from recon.db.pool import is_lent
from recon.jobs.polling import PollingDriver

if TYPE_CHECKING:
    from pgqueuer.models import Job, Schedule

    from recon.db import Pool

__all__ = ["Handler", "Tick", "Worker", "run_until_cancelled"]

log = structlog.get_logger(__name__)

_restarts = Counter("recon_jobs_restarts", "Times that the jobs ended by themselves.")

Handler = Callable[[dict[str, str]], Awaitable[None]]
Tick = Callable[[], Awaitable[None]]

# A killed worker's jobs run again after at most the sum of the two; the library's defaults: 60 s.
_HEARTBEAT_TIMEOUT = timedelta(seconds=8)
_DEQUEUE_TIMEOUT = timedelta(seconds=5)
# How often to look for a job where no notification can wake us.
_POLL = timedelta(seconds=1)
_PARK_AFTER_STARTS = 5

_DRAIN_S = 5.0
_STABLE_S = 60.0
_LONGEST_DELAY_S = 15.0


class Worker:
    """Runs what is registered, on one pool.

    Args:
        pool: where the queue lives; one connection is kept to listen, where it can be.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._polls = is_lent(pool)
        driver = PollingDriver(pool) if self._polls else AsyncpgPoolDriver(pool)
        self._queue = PgQueuer(driver)

    def handle(self, name: str, handler: Handler, *, concurrency: int, parked: Handler) -> None:
        """Let ``handler`` run the jobs of a name, at least once each.

        Args:
            name: as queued.
            handler: idempotent; given the payload.
            concurrency: how many at once, among all workers.
            parked: told of a payload that was started several times and never ended well.
        """

        async def run(job: Job) -> None:
            await self._run(name, handler, parked, job)

        self._queue.entrypoint(name, concurrency_limit=concurrency, accepts_context=False)(run)

    def tick(self, name: str, cron: str, tick: Tick) -> None:
        """Fire at a cron time (UTC; a sixth field counts seconds), once among all workers."""

        async def fire(_: Schedule) -> None:
            try:
                await tick()
            except Exception:
                # The next tick comes anyway; a failing one must be seen, not end the worker.
                log.exception("tick_failed", tick=name)

        self._queue.schedule(name, cron, accepts_context=False)(fire)

    async def run(self) -> None:
        """Work until `stop`; jobs under way are finished first."""
        await self._queue.run(
            dequeue_timeout=_POLL if self._polls else _DEQUEUE_TIMEOUT,
            heartbeat_timeout=_HEARTBEAT_TIMEOUT,
            batch_size=4,
        )

    def stop(self) -> None:
        """Take no further job."""
        self._queue.shutdown.set()

    async def _run(self, name: str, handler: Handler, parked: Handler, job: Job) -> None:
        payload = msgspec.json.decode(job.payload or b"{}", type=dict[str, str])
        # By what it is about, not by its id: it may be queued anew after each failure.
        key = f"{name}:{msgspec.json.encode(dict(sorted(payload.items()))).decode()}"
        async with self._pool.acquire() as connection:
            starts = await connection.fetchval(load("recon.jobs", "start"), key)
        if starts > _PARK_AFTER_STARTS:
            log.error("job_parked", job=name, job_id=job.id, starts=starts, **payload)
            await parked(payload)
            async with self._pool.acquire() as connection:
                await connection.execute(load("recon.jobs", "park"), key)
            return
        try:
            await handler(payload)
        except Exception:
            # Counted as started and not as ended: a few more tries, then it is parked.
            log.exception("job_failed", job=name, job_id=job.id, **payload)
            return
        async with self._pool.acquire() as connection:
            await connection.execute(load("recon.jobs", "finish"), key)


async def run_until_cancelled(build: Callable[[], Worker]) -> None:
    """Keep a worker running: one that ends by itself, as when Postgres is gone, is built anew.

    On cancellation it takes no further job, finishes what it can within a few seconds, and ends.
    """
    failures = 0
    while True:
        worker = build()
        started = asyncio.get_running_loop().time()
        running = asyncio.ensure_future(worker.run())
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            worker.stop()
            await asyncio.wait({running}, timeout=_DRAIN_S)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            raise
        if asyncio.get_running_loop().time() - started > _STABLE_S:
            failures = 0
        error = running.exception()
        log.error("jobs_stopped", error=repr(error), failures=failures)
        _restarts.inc()
        delay_s = min(_LONGEST_DELAY_S, 2.0**failures) * random.uniform(0.5, 1)  # noqa: S311 - spreads retries
        failures += 1
        await asyncio.sleep(delay_s)
