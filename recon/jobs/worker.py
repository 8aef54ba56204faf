"""A worker: takes jobs and fires ticks until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog
from pgqueuer import PgQueuer

from recon.db import load

if TYPE_CHECKING:
    from pgqueuer.models import Job, Schedule

    from recon.db import Pool

__all__ = ["Handler", "Tick", "Worker", "run_until_cancelled"]

log = structlog.get_logger(__name__)

Handler = Callable[[dict[str, str]], Awaitable[None]]
Tick = Callable[[], Awaitable[None]]

# A killed worker's jobs run again after at most the sum of the two; the library's defaults: 60 s.
_HEARTBEAT_TIMEOUT = timedelta(seconds=8)
_DEQUEUE_TIMEOUT = timedelta(seconds=5)
_PARK_AFTER_STARTS = 5


class Worker:
    """Runs what is registered, on one pool.

    Args:
        pool: where the queue lives; one connection is kept to listen.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._queue = PgQueuer.from_asyncpg_pool(pool)

    def handle(self, name: str, handler: Handler, *, concurrency: int) -> None:
        """Let ``handler`` run the jobs of a name, at least once each."""

        async def run(job: Job) -> None:
            await self._run(name, handler, job)

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
            dequeue_timeout=_DEQUEUE_TIMEOUT,
            heartbeat_timeout=_HEARTBEAT_TIMEOUT,
            batch_size=4,
        )

    def stop(self) -> None:
        """Take no further job."""
        self._queue.shutdown.set()

    async def _run(self, name: str, handler: Handler, job: Job) -> None:
        key = f"{name}:{job.id}"
        async with self._pool.acquire() as connection:
            starts = await connection.fetchval(load("recon.jobs", "start"), key)
            if starts > _PARK_AFTER_STARTS:
                await connection.execute(load("recon.jobs", "park"), key)
                log.error("job_parked", job=name, job_id=job.id, starts=starts)
                return
        payload = msgspec.json.decode(job.payload or b"{}", type=dict[str, str])
        try:
            await handler(payload)
        except Exception:
            log.exception("job_failed", job=name, job_id=job.id, **payload)
        async with self._pool.acquire() as connection:
            await connection.execute(load("recon.jobs", "finish"), key)


async def run_until_cancelled(worker: Worker) -> None:
    """Run a worker as a task of a service: on cancellation it stops taking jobs and drains."""
    running = asyncio.ensure_future(worker.run())
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        worker.stop()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({running}, timeout=10)
        running.cancel()
        raise
