"""How far a run is, while it is under way; and what it let pass by a tolerance."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recon.reconciliation import (
    Phase,
    Progress,
    Run,
    RunScope,
    Tolerated,
    read_run,
    run_here,
    start_run,
)
from recon.reconciliation.views import run_view

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import asyncpg

    from tests.reconciliation.conftest import World


async def until(world: World, run_id: UUID, true: Callable[[Run, Progress], bool]) -> Run:
    async with asyncio.timeout(60):
        while True:
            async with world.pool.acquire() as connection:
                run = await read_run(connection, run_id)
            if run.progress is not None and true(run, run.progress):
                return run
            await asyncio.sleep(0.02)


async def test_a_run_moves_within_a_page_and_says_when_it_looks_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.reconciliation.sweep._TOUCH_EVERY_S", 0.05)
    for number in range(30):
        await world.deposit(f"u_{number:02}", "1.00")
        world.game.set(f"u_{number:02}", "1.00")
    world.game.set("u_03", "0.50")
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    world.game.meanwhile["u_20"] = wait
    run_id = await start_run(world.pool, RunScope.ALL, trigger="test", queued=False)
    async with world.pool.acquire() as connection:
        begun = await read_run(connection, run_id)
    grace = timedelta(seconds=4)
    reconciler = replace(world.reconciler, concurrency=1, grace=grace)
    running = asyncio.create_task(run_here(reconciler, run_id))
    half_way = await until(world, run_id, lambda _, progress: progress.compared >= 20)
    go_on.set()
    again = await until(world, run_id, lambda _, progress: progress.phase is Phase.LOOKING_AGAIN)
    world.game.set("u_03", "1.00")
    ended = await running

    assert begun.progress is not None
    assert (begun.progress.phase, begun.progress.eta_s) == (Phase.CUTTING, None)
    assert half_way.progress is not None
    # The page is not written yet.
    assert (half_way.wallets.total, half_way.wallets.compared) == (30, 0)
    assert (half_way.progress.phase, half_way.progress.compared) == (Phase.SWEEPING, 20)
    assert half_way.progress.per_second > 0
    assert half_way.progress.eta_s is not None
    assert again.progress is not None
    assert (again.progress.compared, again.progress.waiting, again.wallets.agreed) == (30, 1, 29)
    assert again.progress.next_look_in_s is not None
    assert 0 <= again.progress.next_look_in_s <= 4
    assert ended.progress is None
    assert run_view(ended).progress is None


async def test_the_numbers_of_a_run_are_of_one_instant(world: World) -> None:
    """What is decided while they are read counts in all of them or in none."""
    for number in range(3):
        await world.deposit(f"u_{number}", "1.00")
    run_id = await start_run(world.pool, RunScope.ALL, trigger="test", queued=False)
    async with world.pool.acquire() as connection:
        ask = connection.fetch

        async def meanwhile(statement: str, *args: Any) -> list[asyncpg.Record]:  # noqa: ANN401 - of any statement
            if "under_way" in statement:
                async with world.pool.acquire() as other:
                    await other.execute(
                        "UPDATE runs SET cut_at = now(), total = 3, compared = 3, agreed = 3"
                    )
            rows: list[asyncpg.Record] = await ask(statement, *args)
            return rows

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(connection), "fetch", lambda _, *args: meanwhile(*args))
            run = await read_run(connection, run_id)

    assert run.progress is not None
    assert (run.progress.phase, run.progress.compared) == (Phase.LOOKING_AGAIN, 3)
    assert (run.wallets.total, run.wallets.compared, run.wallets.agreed) == (3, 3, 3)


async def test_a_run_tells_what_it_let_pass_by_a_tolerance(world: World) -> None:
    """Five cents in euros count as none, and nothing does in pounds."""
    shown = {"u_1": "10.05", "u_2": "9.97", "u_3": "10.00", "u_4": "10.06"}
    for user, balance in shown.items():
        for currency in ("EUR", "GBP"):
            await world.deposit(user, "10.00", currency)
            world.game.set(user, balance if currency == "EUR" else "10.00", currency=currency)

    run = await world.run()
    dry = await world.run(dry=True)
    (found,) = await world.found()

    for one in (run, dry):
        assert one.tolerated == (Tolerated("EUR", tolerance=5, wallets=2, amount=8),)
    assert [one.amount for one in run_view(run).tolerated] == ["0.08"]
    assert (found.user_id, found.difference, found.tolerance) == ("u_4", 6, 5)


async def test_a_tolerance_in_force_is_told_though_it_let_nothing_pass(world: World) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "10.00")

    run = await world.run()

    assert run.tolerated == (Tolerated("EUR", tolerance=5, wallets=0, amount=0),)


async def test_what_the_ladder_finds_within_the_tolerance_counts_as_well(world: World) -> None:
    await world.deposit("u_1", "10.00", "EUR")
    world.game.set("u_1", "0.00", currency="EUR")

    async def the_update_comes() -> None:
        await asyncio.sleep(0.15)
        world.game.set("u_1", "9.98", currency="EUR")

    run, _ = await asyncio.gather(world.run(), the_update_comes())

    assert run.tolerated == (Tolerated("EUR", tolerance=5, wallets=1, amount=2),)
