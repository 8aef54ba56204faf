"""A worker: takes jobs and fires ticks until it is told to stop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from prometheus_client import Counter
from structlog.contextvars import bound_contextvars

from recon import tracing
from recon.db import load
from recon.db.pool import UNREACHABLE, is_lent
from recon.jobs.polling import PollingDriver

if TYPE_CHECKING:
    from pgqueuer.models import Job, Schedule

    from recon.db import Pool

__all__ = ["Handler", "Tick", "Worker", "run_until_cancelled"]

log = structlog.get_logger(__name__)

_restarts = Counter("recon_jobs_restarts", "Times that the jobs ended by themselves.")
_failed = Counter("recon_jobs_failed", "Jobs that ended in an error, and are begun again.", ["job"])
_ticks_failed = Counter(
    "recon_jobs_ticks_failed", "What the clock asks for and ended in an error.", ["tick"]
)

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
            payload = msgspec.json.decode(job.payload or b"{}", type=dict[str, str])
            run_id = payload.get("run_id")
            about = {} if run_id is None else {"run_id": run_id}
            with (
                bound_contextvars(job=name, **about),
                tracing.span(
                    f"job {name}",
                    kind="consumer",
                    attributes={f"recon.{key}": value for key, value in about.items()},
                    # All that is done of a run, in whichever process, is one trace.
                    trace_of=None if run_id is None else UUID(run_id),
                ),
            ):
                await self._run(name, handler, parked, job, payload)

        self._queue.entrypoint(name, concurrency_limit=concurrency, accepts_context=False)(run)

    def tick(self, name: str, cron: str, tick: Tick) -> None:
        """Fire at a cron time (UTC; a sixth field counts seconds), once among all workers."""
        _ticks_failed.labels(name)  # there from the start, so that the first failure is seen

        async def fire(_: Schedule) -> None:
            succeeded = False
            try:
                with bound_contextvars(tick=name):
                    await tick()
                succeeded = True
            except Exception:
                # The next tick comes anyway; a failing one must be seen, not end the worker.
                _ticks_failed.labels(name).inc()
                log.exception("tick_failed", tick=name)
            await self._note(name, succeeded=succeeded)

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

    async def _note(self, tick: str, *, succeeded: bool) -> None:
        """Write down how a tick ended: the next one may be another process's, hours later."""
        said = load("recon.jobs", "tick_succeeded" if succeeded else "tick_failed")
        try:
            async with self._pool.acquire() as connection:
                await connection.execute(said, tick)
        except UNREACHABLE as error:
            # As a rule it is why the tick failed, and told of as what it is.
            log.warning("tick_not_noted", tick=tick, error=type(error).__name__)

    async def _run(
        self, name: str, handler: Handler, parked: Handler, job: Job, payload: dict[str, str]
    ) -> None:
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
            _failed.labels(name).inc()
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
