"""Which calls a look goes before: suspects and re-checks, then what changed, then everything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from recon import schedule
from recon.app import run_worker
from recon.clock import new_id
from recon.game import Priority
from recon.game.admission import Admission
from recon.reconciliation import RunScope
from recon.reconciliation.queueing import queue_range
from recon.settings import Settings

if TYPE_CHECKING:
    from recon.game.admission import Pass
    from tests.reconciliation.conftest import World


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[Priority]:
    """The priorities of the calls that were sent."""
    seen: list[Priority] = []
    enter = Admission.enter

    async def enter_and_tell(
        self: Admission, priority: Priority, request_id: str, *, may_probe: bool
    ) -> Pass:
        seen.append(priority)
        return await enter(self, priority, request_id, may_probe=may_probe)

    monkeypatch.setattr(Admission, "enter", enter_and_tell)
    return seen


@pytest.mark.parametrize(
    ("scope", "users", "lane"),
    [
        (RunScope.ALL, [], Priority.SWEEP),
        (RunScope.CHANGED, [], Priority.CHANGED),
        (RunScope.USERS, ["u_1"], Priority.SUSPECT),
    ],
)
async def test_a_run_asks_in_its_own_lane_and_of_its_suspects_before_others(
    world: World, entered: list[Priority], scope: RunScope, users: list[str], lane: Priority
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "3.00")

    run = await world.run(scope, *users)

    assert run.wallets.discrepant == 1
    # The first look and its second reading; from then on it is a suspect.
    assert entered[:2] == [lane, lane]
    assert set(entered[2:]) == {Priority.SUSPECT}
    assert len(entered) >= 4


async def test_ranges_of_the_full_sweep_that_take_long_leave_what_changed_its_turn(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six ranges of a run over everything, each of which takes an hour; then two of other runs."""
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def sweep(_: object, __: object, first_user: str) -> bool:
        begun.put_nowait(first_user)
        if first_user.startswith("all"):
            await asyncio.sleep(3600)
        return True

    monkeypatch.setattr(schedule, "sweep_range", sweep)
    settings = Settings(
        database_url=SecretStr(database_url), game_stream=False, reconcile_every=None
    )
    async with world.pool.acquire() as connection:
        for number in range(6):
            await queue_range(connection, new_id(), f"all {number}", RunScope.ALL)
        jobs = asyncio.create_task(run_worker(settings, world.pool, world.reconciler.game))
        try:
            async with asyncio.timeout(60):
                first = [await begun.get() for _ in range(4)]
                await queue_range(connection, new_id(), "changed", RunScope.CHANGED)
                await queue_range(connection, new_id(), "named", RunScope.USERS)
                then = [await begun.get() for _ in range(2)]
        finally:
            monkeypatch.setattr("recon.jobs.worker._DRAIN_S", 0.1)
            jobs.cancel()
            await asyncio.gather(jobs, return_exceptions=True)

    assert {name.partition(" ")[0] for name in first} == {"all"}
    assert sorted(then) == ["changed", "named"]
