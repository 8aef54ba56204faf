"""The schedule starts a run when it is due: once, and whatever clocks and processes have done."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from recon.db import open_pool
from recon.reconciliation import RunScope, start_due_run
from recon.reconciliation.start import start_run

if TYPE_CHECKING:
    from recon.db import Pool

FIVE = timedelta(minutes=5)
DAY = timedelta(days=1)


async def started(pool: Pool, scope: RunScope = RunScope.CHANGED, every: timedelta = FIVE) -> bool:
    return await start_due_run(pool, scope, every) is not None


async def end(pool: Pool, state: str = "finished") -> None:
    await pool.execute("UPDATE runs SET state = $1, finished_at = clock_timestamp()", state)


async def earlier(pool: Pool, span: timedelta) -> None:
    await pool.execute("UPDATE runs SET started_at = started_at - $1::interval", span)


async def test_many_processes_at_once_start_one_run(pool: Pool, database_url: str) -> None:
    async with open_pool(database_url, max_size=8) as other:
        found = await asyncio.gather(*(started(one) for one in (pool, other) * 8))

    assert sum(found) == 1
    assert await pool.fetchval("SELECT count(*) FROM runs") == 1


async def test_it_is_due_a_period_after_the_last_began_and_not_while_that_one_runs(
    pool: Pool,
) -> None:
    assert await started(pool)
    await earlier(pool, 3 * FIVE)
    assert not await started(pool), "its process may have died; whoever works next goes on with it"
    await end(pool, "failed")
    assert await started(pool)
    await end(pool)
    assert not await started(pool)


async def test_everything_is_compared_a_period_after_the_first_run_of_any_kind(pool: Pool) -> None:
    assert not await started(pool, RunScope.ALL, DAY)
    await start_run(pool, RunScope.CHANGED, trigger="test")
    assert not await started(pool, RunScope.ALL, DAY)
    await earlier(pool, DAY)
    assert await started(pool, RunScope.ALL, DAY)


async def test_a_clock_that_was_a_year_ahead_for_a_while_neither_stops_runs_nor_hides_changes(
    pool: Pool,
) -> None:
    assert await started(pool)
    await end(pool)
    await earlier(pool, -365 * DAY)

    assert await started(pool)
    since = "SELECT since FROM runs WHERE state = 'running'"
    assert await pool.fetchval(since) is None, "no run is known to have looked at what changed"
