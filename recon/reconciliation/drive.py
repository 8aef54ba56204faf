"""Drive runs: a whole one inside the calling process, or what a worker's ticks owe to all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from structlog.contextvars import bound_contextvars

from recon.clock import first_id_at
from recon.db import load, with_retries
from recon.reconciliation.climb import climb
from recon.reconciliation.cut import cut_run
from recon.reconciliation.end import end_run
from recon.reconciliation.model import Run, RunScope, RunState
from recon.reconciliation.queueing import queue_cut, queue_range
from recon.reconciliation.read import read_run
from recon.reconciliation.sweep import STALE_AFTER, sweep_range

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from recon.db import Pool
    from recon.reconciliation.model import Reconciler

__all__ = [
    "abandon_run",
    "climb_all",
    "fail_run",
    "forget_ranges",
    "forget_seen",
    "resume_stale_ranges",
    "run_here",
]

log = structlog.get_logger(__name__)

_LONGEST_SLEEP_S = 1.0
_FORGOTTEN_AT_ONCE: Final = 5_000


async def run_here(
    reconciler: Reconciler, run_id: UUID, *, progress: Callable[[Run], None] = lambda _: None
) -> Run:
    """Sweep and climb until the run has ended; `progress` is told about every second."""
    with bound_contextvars(run_id=str(run_id)):
        return await _run_here(reconciler, run_id, progress)


async def _run_here(reconciler: Reconciler, run_id: UUID, progress: Callable[[Run], None]) -> Run:
    async with reconciler.pool.acquire() as connection:
        run = await read_run(connection, run_id)
    sweeping = asyncio.create_task(_sweep_all(reconciler, run_id))
    try:
        while True:
            due_in_s = await climb(reconciler, run_id, dry_run=run.dry_run)
            async with reconciler.pool.acquire() as connection:
                run = await read_run(connection, run_id)
            progress(run)
            if run.state is not RunState.RUNNING:
                await sweeping
                return run
            if sweeping.done():
                sweeping.result()
            wait_s = _LONGEST_SLEEP_S if due_in_s is None else due_in_s
            pause_s = min(max(wait_s, 0.02), _LONGEST_SLEEP_S)
            if sweeping.done():
                await asyncio.sleep(pause_s)
            else:
                await asyncio.wait({sweeping}, timeout=pause_s)
    finally:
        sweeping.cancel()


async def climb_all(reconciler: Reconciler) -> None:
    """Look again at what is due in every running run; one that fails holds up no other."""
    async with reconciler.pool.acquire() as connection:
        rows = await connection.fetch(load("recon.reconciliation", "running_runs"))
    for row in rows:
        async with reconciler.pool.acquire() as connection:
            run = await read_run(connection, row["run_id"])
        try:
            with bound_contextvars(run_id=str(run.run_id)):
                await climb(reconciler, run.run_id, dry_run=run.dry_run)
        except Exception:
            # The other runs go on; this one is climbed again with the next tick.
            log.exception("climb_failed", run_id=str(run.run_id))


async def resume_stale_ranges(reconciler: Reconciler) -> int:
    """Queue again the ranges and cuts whose worker has gone; how many ranges there were."""
    async with reconciler.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(load("recon.reconciliation", "stale_ranges"), STALE_AFTER)
        for row in rows:
            scope = RunScope(row["scope"])
            await queue_range(connection, row["run_id"], row["first_user"], scope)
        uncut = await connection.fetch(load("recon.reconciliation", "stale_cuts"), STALE_AFTER)
        for row in uncut:
            await queue_cut(connection, row["run_id"], RunScope(row["scope"]))
    return len(rows)


async def fail_run(pool: Pool, run_id: UUID, reason: str) -> None:
    """End a run that cannot go on; what was not decided counts as not compared."""
    await _end(pool, run_id, RunState.FAILED, reason)


async def abandon_run(pool: Pool, run_id: UUID, reason: str) -> None:
    """End a run whose driver leaves; it says nothing about what was not decided."""
    await _end(pool, run_id, RunState.INCOMPLETE, reason)


async def forget_ranges(pool: Pool, before: datetime) -> None:
    """Drop how long-ended runs were cut; the runs themselves stay."""
    async with pool.acquire() as connection:
        await connection.execute(load("recon.reconciliation", "forget_ranges"), before)


async def forget_seen(pool: Pool, before: datetime) -> None:
    """Forget what long-ended runs saw, one by one; the runs stay, with their counts and sums.

    Each run is first marked, so that nobody takes it for one that saw nothing. Discrepancies stay
    as they are, with their histories: this is only which run saw which of them.
    """
    started_before = first_id_at(before)
    async with pool.acquire() as connection:
        await connection.execute(
            load("recon.reconciliation", "mark_forgotten"), started_before, before
        )
    gone = _FORGOTTEN_AT_ONCE
    while gone == _FORGOTTEN_AT_ONCE:
        # Each in a commit of its own, with a connection that others may have between them.
        async with pool.acquire() as connection:
            gone = await connection.fetchval(
                load("recon.reconciliation", "forget_seen"), started_before, _FORGOTTEN_AT_ONCE
            )


@with_retries
async def _end(pool: Pool, run_id: UUID, state: RunState, reason: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await end_run(connection, run_id, state, reason):
            return
    log.error("run_ended", run_id=str(run_id), state=state, reason=reason)


async def _sweep_all(reconciler: Reconciler, run_id: UUID) -> None:
    """Cut, and sweep until no range is left; one that another process holds is waited for."""
    await cut_run(reconciler.pool, run_id, queued=False)
    while True:
        async with reconciler.pool.acquire() as connection:
            ranges = await connection.fetch(load("recon.reconciliation", "ranges"), run_id)
        if not ranges:
            return
        swept = [await sweep_range(reconciler, run_id, row["first_user"]) for row in ranges]
        if not any(swept):
            await asyncio.sleep(_LONGEST_SLEEP_S)
