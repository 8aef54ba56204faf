"""Two runs over the same wallets at the same time: one record for each difference, and no crash."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from recon.reconciliation import (
    RunScope,
    RunState,
    Status,
    abandon_run,
    read_run,
    start_run,
)
from recon.reconciliation.account import Account, account_for
from recon.reconciliation.record import record_agreements
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from recon.db import Pool
    from recon.reconciliation import Comparison, Reconciler
    from tests.reconciliation.conftest import World

USERS = [f"u_{number:03}" for number in range(200)]


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


async def test_two_runs_at_once_over_200_differing_wallets_open_one_record_for_each(
    world: World,
) -> None:
    for user in USERS:
        await world.deposit(user, "10.00")
        world.game.set(user, "0.00")

    first, second = await asyncio.gather(world.run(), world.run())

    found = await world.found(*Status)
    assert {first.state, second.state} == {RunState.FINISHED}
    assert (first.wallets.discrepant, second.wallets.discrepant) == (200, 200)
    assert sorted(one.user_id for one in found) == USERS
    assert {one.occurrences for one in found} == {2}


async def test_two_runs_that_confirm_one_wallet_write_one_record_each_after_the_other(
    cases: Cases,
) -> None:
    for user in USERS[:20]:
        await cases.deposit(user, "10.00")

    both = [cases.seen(user, "0.00") for user in USERS[:20] for _ in range(2)]
    ids = await asyncio.gather(*both)

    assert len(set(ids)) == 20
    for one in set(ids):
        assert (await cases.read(one)).occurrences == 2
        assert await cases.history(one) == [("run", "opened")]


async def until_waiting(pool: Pool, count: int) -> None:
    """Until so many of this database wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(60):
        while await pool.fetchval(waiting) < count:  # noqa: ASYNC110 - Postgres sets no event
            await asyncio.sleep(0.01)


async def test_an_agreement_and_a_confirmation_of_one_wallet_do_not_lock_in_a_ring(
    cases: Cases, pool: Pool
) -> None:
    await cases.deposit("u_1", "10.00")
    await cases.seen("u_1", "0.00")

    async with pool.acquire() as connection:
        # Somebody reviews the discrepancy while one run confirms it and another clears it.
        async with connection.transaction():
            await connection.execute("SELECT FROM discrepancies FOR NO KEY UPDATE")
            confirming = asyncio.create_task(cases.seen("u_1", "0.00"))
            await until_waiting(pool, 1)
            clearing = asyncio.create_task(cases.agree("u_1"))
            await until_waiting(pool, 2)
        await asyncio.gather(confirming, clearing)
        settled = await connection.fetchval("SELECT NOT unsettled FROM checks")

    (only,) = {confirming.result()}
    assert (await cases.read(only)).status is Status.CLEARED
    assert settled


async def test_an_agreement_with_what_the_wallet_was_clears_nothing(cases: Cases) -> None:
    await cases.deposit("u_1", "10.00")
    seen = await cases.seen("u_1", "0.00")

    async def the_wallet_moves() -> None:
        await cases.deposit("u_1", "5.00")

    await cases.agree("u_1", meanwhile=the_wallet_moves)
    assert (await cases.read(seen)).status is Status.OPEN

    await cases.agree("u_1")
    assert (await cases.read(seen)).status is Status.CLEARED


async def begun(cases: Cases) -> UUID:
    """A run over u_1, whose only wallet is not compared yet."""
    await cases.deposit("u_1", "10.00")
    return await start_run(cases.pool, RunScope.USERS, trigger="test", users=["u_1"], queued=False)


SUSPECTED = (
    "INSERT INTO suspects (user_id, currency, run_id, state, since, first_seen_at, due_at)"
    " VALUES ('u_1', 'GBP', $1, 'differs', now(), now(), now())"
)
COUNTED = "UPDATE runs SET discrepant = discrepant + 1, compared = compared + 1 WHERE run_id = $1"


async def test_a_page_written_while_its_run_is_ended_leaves_nobody_waiting(
    cases: Cases, pool: Pool
) -> None:
    run_id = await begun(cases)

    async with pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute(SUSPECTED, run_id)
            await connection.execute(COUNTED, run_id)
            ending = asyncio.create_task(abandon_run(pool, run_id, "interrupted"))
            await asyncio.sleep(0.2)
        await ending
        left = await connection.fetchval("SELECT count(*) FROM suspects")
        run = await read_run(connection, run_id)

    assert left == 0
    assert (run.state, run.wallets.compared, run.wallets.not_compared) == (
        RunState.INCOMPLETE,
        1,
        0,
    )


async def test_a_page_whose_commit_met_another_in_a_ring_is_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in USERS[:3]:
        await world.deposit(user, "10.00")
        world.game.set(user, "10.00")
    refused = 0

    async def at_first_refused(*args: Any, **named: Any) -> None:  # noqa: ANN401 - passed through
        nonlocal refused
        if not refused:
            refused += 1
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        await record_agreements(*args, **named)

    monkeypatch.setattr("recon.reconciliation.sweep.record_agreements", at_first_refused)
    run = await world.run()

    assert refused == 1
    assert (run.state, run.wallets.agreed, run.wallets.total) == (RunState.FINISHED, 3, 3)


async def test_a_run_is_ended_though_a_look_decides_on_its_suspect_at_that_moment(
    cases: Cases, pool: Pool
) -> None:
    run_id = await begun(cases)
    await pool.execute(SUSPECTED, run_id)

    async with pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("DELETE FROM suspects")
            ending = asyncio.create_task(abandon_run(pool, run_id, "interrupted"))
            await asyncio.sleep(0.2)
            await connection.execute(COUNTED, run_id)
        await ending
        run = await read_run(connection, run_id)

    assert (run.state, run.wallets.discrepant, run.wallets.not_compared) == (
        RunState.INCOMPLETE,
        1,
        0,
    )


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("agreed_before", [False, True])
async def test_what_another_run_saw_agree_after_the_last_look_is_no_discrepancy(
    world: World, monkeypatch: pytest.MonkeyPatch, *, held: bool, agreed_before: bool
) -> None:
    """Also where the suspect is locked at that moment, so that the other run leaves it alone."""
    await world.deposit("u_1", "10.00")
    if agreed_before:
        await Cases(world.pool).agree("u_1")
    world.game.set("u_1", "15.00")
    accounted = 0

    async def while_the_game_comes_right(
        reconciler: Reconciler, look: Comparison, *, since: datetime
    ) -> Account:
        nonlocal accounted
        accounted += 1
        found = await account_for(reconciler, look, since=since)
        world.game.set("u_1", "10.00")
        async with world.pool.acquire() as connection, connection.transaction():
            if held:
                await connection.execute("SELECT FROM suspects FOR UPDATE")
            await Cases(world.pool).agree("u_1")
        return found

    module = import_module("recon.reconciliation.climb")  # the room's `climb` is the function
    monkeypatch.setattr(module, "account_for", while_the_game_comes_right)
    run = await world.run()

    assert (accounted, run.wallets.agreed, run.wallets.discrepant) == (1, 1, 0)
    assert await world.found(*Status) == []
