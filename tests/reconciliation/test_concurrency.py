"""Two runs over the same wallets at the same time: one record for each difference, and no crash."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from recon.reconciliation import RunState, Status
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from recon.db import Pool
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
            await asyncio.sleep(0.2)
            clearing = asyncio.create_task(cases.agree("u_1"))
            await asyncio.sleep(0.2)
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
