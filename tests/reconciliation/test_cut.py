"""A run is cut into ranges by whoever works, not in the call that starts it; nothing is lost."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from recon.app import run_worker
from recon.db import load
from recon.reconciliation import (
    Run,
    RunScope,
    RunState,
    cut,
    cut_run,
    read_run,
    run_here,
    start_run,
)
from recon.settings import Settings

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.reconciliation.conftest import World


async def make_wallets(world: World, count: int) -> None:
    """Players u_000 and on with a pound each, of which every third one has euros as well."""
    for number in range(count):
        for currency in ("GBP", "EUR") if number % 3 == 0 else ("GBP",):
            await world.deposit(f"u_{number:03}", "1.00", currency)
            world.game.set(f"u_{number:03}", "1.00", currency=currency)


async def read(world: World, run_id: UUID) -> Run:
    async with world.pool.acquire() as connection:
        return await read_run(connection, run_id)


async def _ended(world: World, run_id: UUID) -> Run | None:
    run = await read(world, run_id)
    return None if run.state is RunState.RUNNING else run


async def ranges(world: World, run_id: UUID) -> list[tuple[str, str]]:
    async with world.pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT first_user, last_user FROM run_ranges WHERE run_id = $1 ORDER BY first_user",
            run_id,
        )
    return [(row["first_user"], row["last_user"]) for row in rows]


@pytest.mark.parametrize("scope", [RunScope.ALL, RunScope.CHANGED])
async def test_a_start_answers_at_once_and_a_worker_cuts_and_sweeps_it(
    world: World, database_url: str, scope: RunScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.reconciliation.cut._RANGE", 4)
    await make_wallets(world, 9)

    run_id = await start_run(world.pool, scope, trigger="test")
    started = await read(world, run_id)
    settings = Settings(
        database_url=SecretStr(database_url), game_stream=False, reconcile_every=None
    )
    jobs = asyncio.create_task(run_worker(settings, world.pool, world.reconciler.game))
    try:
        async with asyncio.timeout(60):
            while (ended := await _ended(world, run_id)) is None:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.1)
    finally:
        monkeypatch.setattr("recon.jobs.worker._DRAIN_S", 0.1)
        jobs.cancel()
        await asyncio.gather(jobs, return_exceptions=True)

    assert (started.state, started.wallets.total) == (RunState.RUNNING, 0)
    assert (ended.state, ended.wallets.total, ended.wallets.agreed) == (RunState.FINISHED, 12, 12)
    assert len(await ranges(world, run_id)) > 1


async def cut_and_die(world: World, run_id: UUID) -> None:
    """Cut one range; whoever does it dies over the second."""
    cut_one, cuts = cut._cut_more, 0  # noqa: SLF001 - a commit

    async def cut_once(pool: Pool, run_id: UUID, *, queued: bool) -> bool:
        nonlocal cuts
        cuts += 1
        if cuts == 1:
            return await cut_one(pool, run_id, queued=queued)
        dying = asyncio.ensure_future(cut_one(pool, run_id, queued=queued))
        await asyncio.sleep(0)
        dying.cancel()
        return await dying

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "_cut_more", cut_once)
        with pytest.raises(asyncio.CancelledError):
            await cut_run(world.pool, run_id, queued=False)


async def test_whoever_cuts_on_goes_on_where_the_last_one_was_and_two_take_turns(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.reconciliation.cut._RANGE", 5)
    await make_wallets(world, 30)
    run_id = await start_run(world.pool, RunScope.ALL, trigger="test", queued=False)

    await cut_and_die(world, run_id)
    before = await ranges(world, run_id)
    half_way = (await read(world, run_id)).wallets.total
    await asyncio.gather(*(cut_run(world.pool, run_id, queued=False) for _ in range(3)))
    await cut_run(world.pool, run_id, queued=False)

    cut = await ranges(world, run_id)
    assert 0 < half_way < 40
    assert cut[: len(before)] == before
    assert len(cut) > 5
    assert all(last < first for (_, last), (first, _) in pairwise(cut)), "nobody is in two of them"
    assert (await read(world, run_id)).wallets.total == 40
    run = await run_here(world.reconciler, run_id)
    assert (run.state, run.wallets.agreed, len(world.game.asked)) == (RunState.FINISHED, 40, 40)


async def test_a_run_that_is_not_cut_to_its_end_never_ends_as_finished(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has been cut is swept and climbed, and still it waits for the rest."""
    monkeypatch.setattr("recon.reconciliation.cut._RANGE", 5)
    await make_wallets(world, 9)
    run_id = await start_run(world.pool, RunScope.ALL, trigger="test", queued=False)
    await cut_and_die(world, run_id)
    async with world.pool.acquire() as connection:
        await connection.execute("UPDATE run_ranges SET finished_at = clock_timestamp()")
        ended = await connection.fetchval(load("recon.reconciliation", "finish_run"), run_id)

    assert ended is None
    assert (await read(world, run_id)).state is RunState.RUNNING
