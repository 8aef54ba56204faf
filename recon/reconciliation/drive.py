"""Drive runs: a whole one inside the calling process, or what a worker's ticks owe to all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from recon.clock import now
from recon.db import load
from recon.reconciliation.climb import climb
from recon.reconciliation.model import Run, RunState
from recon.reconciliation.read import read_run
from recon.reconciliation.start import queue_range
from recon.reconciliation.sweep import STALE_AFTER, sweep_range

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from recon.reconciliation.model import Reconciler

__all__ = ["climb_all", "resume_stale_ranges", "run_here"]

_LONGEST_SLEEP_S = 1.0


async def run_here(
    reconciler: Reconciler, run_id: UUID, *, progress: Callable[[Run], None] = lambda _: None
) -> Run:
    """Sweep and climb until the run has ended; `progress` is told about every second."""
    async with reconciler.pool.acquire() as connection:
        run = await read_run(connection, run_id)
    sweeping = asyncio.create_task(_sweep_all(reconciler, run_id))
    try:
        while True:
            due = await climb(reconciler, run_id, dry_run=run.dry_run)
            async with reconciler.pool.acquire() as connection:
                run = await read_run(connection, run_id)
            progress(run)
            if run.state is not RunState.RUNNING:
                await sweeping
                return run
            if sweeping.done():
                sweeping.result()
            wait_s = _LONGEST_SLEEP_S if due is None else (due - now()).total_seconds()
            pause_s = min(max(wait_s, 0.02), _LONGEST_SLEEP_S)
            if sweeping.done():
                await asyncio.sleep(pause_s)
            else:
                await asyncio.wait({sweeping}, timeout=pause_s)
    finally:
        sweeping.cancel()


async def climb_all(reconciler: Reconciler) -> None:
    """Look again at what is due in every running run."""
    async with reconciler.pool.acquire() as connection:
        rows = await connection.fetch(load("recon.reconciliation", "running_runs"))
    for row in rows:
        async with reconciler.pool.acquire() as connection:
            run = await read_run(connection, row["run_id"])
        await climb(reconciler, run.run_id, dry_run=run.dry_run)


async def resume_stale_ranges(reconciler: Reconciler) -> int:
    """Queue again the ranges whose worker has gone; how many there were."""
    async with reconciler.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            load("recon.reconciliation", "stale_ranges"), now() - STALE_AFTER
        )
        for row in rows:
            await queue_range(connection, row["run_id"], row["first_user"])
    return len(rows)


async def _sweep_all(reconciler: Reconciler, run_id: UUID) -> None:
    """Sweep until no range is left; one that another process holds is waited for."""
    while True:
        async with reconciler.pool.acquire() as connection:
            ranges = await connection.fetch(load("recon.reconciliation", "ranges"), run_id)
        if not ranges:
            return
        swept = [await sweep_range(reconciler, run_id, row["first_user"]) for row in ranges]
        if not any(swept):
            await asyncio.sleep(_LONGEST_SLEEP_S)
