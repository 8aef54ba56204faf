"""Discrepancies that share one root are one incident."""

from __future__ import annotations

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
    list_discrepancies,
    list_incidents,
    read_incident,
)
from recon.reconciliation.incidents import group_incidents
from recon.webhooks import register_payment

if TYPE_CHECKING:
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
    await group_incidents(world.pool, (await world.run()).run_id)
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


async def test_a_dry_run_groups_nothing(world: World, spell: Spell) -> None:
    for number in range(3):
        await spell.lose(f"u_{number}", "stripe", ago=timedelta(hours=3))

    await world.run(dry=True)

    assert await incidents(world, only_open=False) == []
