"""The table: what runs, how often, and which jobs a worker takes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from recon.bets import resolve_due
from recon.clock import now
from recon.db import load
from recon.jobs import Worker
from recon.reconciliation import (
    SWEEP_JOB,
    climb_all,
    resume_stale_ranges,
    start_due_run,
    sweep_range,
)

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.game import GameClient
    from recon.reconciliation import Reconciler

__all__ = ["build_worker"]

# Six fields: the last one counts seconds.
_EVERY_SECOND = "* * * * * *"
_EVERY_TEN_SECONDS = "* * * * * */10"
_HOURLY = "17 * * * *"

_KEEP_ANSWERS = timedelta(days=7)
_KEEP_JOB_LOGS = timedelta(days=3)
_RANGES_AT_ONCE = 1
_BETS_AT_ONCE = 500


def build_worker(
    pool: Pool, reconciler: Reconciler | None, *, reconcile_every: timedelta | None
) -> Worker:
    """A worker for everything that the service does by itself.

    Args:
        pool: the database.
        reconciler: ``None`` when no game API is configured: then nothing is compared or settled.
        reconcile_every: the schedule of runs; ``None`` turns it off, runs on demand still work.
    """
    worker = Worker(pool)

    async def clean() -> None:
        async with pool.acquire() as connection:
            await connection.execute(load("recon.jobs", "clean"), now() - _KEEP_JOB_LOGS)
            await connection.execute(load("recon.http", "forget_answers"), now() - _KEEP_ANSWERS)

    worker.tick("clean", _HOURLY, clean)
    if reconciler is None:
        return worker

    async def settle() -> None:
        await _settle_bets(pool, reconciler.game)

    async def climb() -> None:
        await climb_all(reconciler)

    async def start() -> None:
        if reconcile_every is not None:
            await start_due_run(pool, reconcile_every)

    async def resume() -> None:
        await resume_stale_ranges(reconciler)

    async def sweep(payload: dict[str, str]) -> None:
        await sweep_range(reconciler, UUID(payload["run_id"]), payload["first_user"])
        await climb_all(reconciler)

    worker.tick("settle_bets", _EVERY_SECOND, settle)
    worker.tick("climb", _EVERY_SECOND, climb)
    worker.tick("start_runs", _EVERY_SECOND, start)
    worker.tick("resume_ranges", _EVERY_TEN_SECONDS, resume)
    worker.handle(SWEEP_JOB, sweep, concurrency=_RANGES_AT_ONCE)
    return worker


async def _settle_bets(pool: Pool, game: GameClient) -> None:
    """Look after every bet that is due, some at a time."""
    while True:
        done = await resolve_due(pool, game, limit=_BETS_AT_ONCE)
        if not done.reachable or not done.claimed or done.due < _BETS_AT_ONCE:
            return
