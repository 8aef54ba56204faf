"""Discrepancies that share one root are one incident."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from recon.payments import ExpectedPayment
from recon.reconciliation import (
    Cause,
    DiscrepancyFilter,
    RunScope,
    RunState,
    abandon_run,
    climb,
    cut_run,
    fail_run,
    list_discrepancies,
    list_incidents,
    read_incident,
    read_run,
    start_run,
    sweep_range,
)
from recon.reconciliation.model import RunTotal
from recon.webhooks import register_payment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from recon.db import Pool
    from recon.reconciliation import Incident
    from tests.reconciliation.conftest import World


@dataclass
class Spell:
    """Webhooks that never came, of deposits registered some time ago."""

    world: World
    owner: Pool

    async def lose(self, user: str, endpoint: str, *, ago: timedelta) -> None:
        """A deposit of 20.00 that the game has."""
        await register(self.world, self.owner, user, endpoint, ago)
        self.world.game.set(user, "20.00")


@pytest.fixture
def spell(world: World, owner: Pool) -> Spell:
    return Spell(world, owner)


async def register(world: World, owner: Pool, user: str, endpoint: str, ago: timedelta) -> None:
    expected = msgspec.convert(
        {
            "reference": f"{endpoint}-{user}",
            "endpoint": endpoint,
            "direction": "deposit",
            "user_id": user,
            "amount": "20.00",
            "currency": "GBP",
        },
        ExpectedPayment,
    )
    await register_payment(world.pool, expected)
    async with owner.acquire() as connection:
        await connection.execute(
            "UPDATE payments SET registered_at = clock_timestamp() - $2::interval"
            " WHERE reference = $1",
            *(expected.reference, ago),
        )


async def incidents(world: World, *, only_open: bool = True) -> list[Incident]:
    async with world.pool.acquire() as connection:
        return await list_incidents(connection, only_open=only_open)


async def wallets_of(world: World, incident_id: UUID) -> set[str]:
    async with world.pool.acquire() as connection:
        found = await list_discrepancies(connection, DiscrepancyFilter(incident_id=incident_id))
    return {one.user_id for one in found}


async def test_what_an_endpoint_lost_in_one_spell_is_one_incident(
    world: World, spell: Spell
) -> None:
    for number in range(4):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3, minutes=5 * number))
    # Another spell, another endpoint, and two of one: too few.
    await spell.lose("u_early", "stripe", ago=timedelta(hours=5))
    await spell.lose("u_other", "adyen", ago=timedelta(hours=3))
    await spell.lose("u_third", "adyen", ago=timedelta(hours=3))
    # And one that nobody can explain.
    world.game.set("u_odd", "7.13")
    await world.deposit("u_odd", "1.00")

    await world.run()

    (incident,) = await incidents(world)
    assert (incident.cause, incident.root) == (Cause.MISSING_WEBHOOK, "stripe")
    assert (incident.discrepancies, incident.still_open) == (4, 4)
    assert [(part.currency, part.difference) for part in incident.parts] == [("GBP", 80_00)]
    assert timedelta(minutes=14) < incident.until_at - incident.from_at < timedelta(minutes=16)
    assert await wallets_of(world, incident.incident_id) == {"u_0", "u_1", "u_2", "u_3"}


async def test_an_incident_grows_is_found_once_and_closes_with_the_last_of_it(
    world: World, spell: Spell
) -> None:
    for number in range(3):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3, minutes=5 * number))
    await world.run()
    (first,) = await incidents(world)

    await spell.lose("u_late", "stripe", ago=timedelta(hours=3, minutes=18))
    await world.run()
    (grown,) = await incidents(world)
    for user in ("u_0", "u_1", "u_2", "u_late"):
        world.game.set(user, "0.00")
    await world.run()
    async with world.pool.acquire() as connection:
        closed = await read_incident(connection, first.incident_id)

    assert grown.incident_id == first.incident_id
    assert (first.discrepancies, grown.discrepancies) == (3, 4)
    assert grown.from_at < first.from_at
    assert await incidents(world) == []
    assert closed.closed_at is not None
    assert (closed.discrepancies, closed.still_open) == (4, 0)


async def test_what_is_explained_otherwise_later_leaves_its_incident(
    world: World, spell: Spell
) -> None:
    for number in range(4):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3))
    await world.run()
    (before,) = await incidents(world)

    world.game.set("u_3", "33.33")
    await world.run(RunScope.USERS, "u_3")

    (after,) = await incidents(world)
    assert before.incident_id == after.incident_id
    assert await wallets_of(world, after.incident_id) == {"u_0", "u_1", "u_2"}


async def test_what_comes_late_joins_an_incident_of_which_little_is_left(
    world: World, spell: Spell
) -> None:
    for number in range(3):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3))
    await world.run()
    (before,) = await incidents(world)

    world.game.set("u_0", "0.00")
    world.game.set("u_1", "0.00")
    await spell.lose("u_late", "stripe", ago=timedelta(hours=3, minutes=5))
    await spell.lose("u_else", "stripe", ago=timedelta(hours=5))
    await world.run()

    (after,) = await incidents(world)
    assert (after.incident_id, after.still_open) == (before.incident_id, 2)
    assert await wallets_of(world, after.incident_id) == {"u_0", "u_1", "u_2", "u_late"}


async def test_an_incident_is_open_again_when_part_of_it_comes_back(
    world: World, spell: Spell
) -> None:
    users = ("u_0", "u_1", "u_2")
    for user in users:
        await spell.lose(user, "stripe", ago=timedelta(hours=3))
    await world.run()
    (first,) = await incidents(world)
    for user in users:
        world.game.set(user, "0.00")
    await world.run()
    assert await incidents(world) == []

    world.game.set("u_1", "20.00")
    await world.run()

    (again,) = await incidents(world)
    assert again.incident_id == first.incident_id
    assert (again.closed_at, again.discrepancies, again.still_open) == (None, 3, 1)


async def under_way(world: World, owner: Pool) -> UUID:
    """A run that has confirmed three of one spell, and whose last range nobody finishes."""
    run_id = await start_run(world.pool, RunScope.ALL, trigger="test", queued=False)
    await cut_run(world.pool, run_id, queued=False)
    async with owner.acquire() as connection:
        (first_user,) = await connection.fetchrow(
            "SELECT first_user FROM run_ranges WHERE run_id = $1", run_id
        )
        await connection.execute(
            "INSERT INTO run_ranges (run_id, first_user, last_user) VALUES ($1, 'z', 'z')", run_id
        )
    await sweep_range(world.reconciler, run_id, first_user)
    while len(await world.found()) < 3:
        await climb(world.reconciler, run_id)
        await asyncio.sleep(0.05)
    return run_id


@pytest.mark.parametrize("end", [abandon_run, fail_run])
async def test_what_a_run_saw_is_grouped_though_it_is_cut_short(
    world: World, spell: Spell, owner: Pool, end: Callable[[Pool, UUID, str], Awaitable[None]]
) -> None:
    for number in range(3):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3))
    run_id = await under_way(world, owner)
    assert await incidents(world) == []

    await end(world.pool, run_id, "interrupted")

    (incident,) = await incidents(world)
    assert await wallets_of(world, incident.incident_id) == {"u_0", "u_1", "u_2"}
    async with world.pool.acquire() as connection:
        run = await read_run(connection, run_id)
    assert (run.changes.opened, run.wallets.discrepant) == (3, 3)
    assert run.totals == (RunTotal("GBP", 3, 60_00, 0, 60_00),)


async def test_a_run_has_not_ended_before_what_it_saw_is_grouped(
    world: World, spell: Spell, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3))
    run_id = await under_way(world, owner)
    await sweep_range(world.reconciler, run_id, "z")

    async def killed(*_: object) -> None:
        raise ConnectionError("the process was killed here")

    with monkeypatch.context() as dying:
        dying.setattr("recon.reconciliation.end.group_incidents", killed)
        with pytest.raises(ConnectionError):
            await climb(world.reconciler, run_id)
    await climb(world.reconciler, run_id)

    async with world.pool.acquire() as connection:
        assert (await read_run(connection, run_id)).state is RunState.FINISHED
    assert [one.discrepancies for one in await incidents(world)] == [3]


async def test_a_dry_run_groups_nothing(world: World, spell: Spell) -> None:
    for number in range(3):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3))

    await world.run(dry=True)

    assert await incidents(world, only_open=False) == []
