"""Whatever the network does and whoever dies: once it stops, both sides agree to the penny."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from recon.errors import ReconError
from tests.bets.conftest import open_world

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.bets.conftest import World

PLAYERS = [f"u_{n}" for n in range(4)]
ACTIONS = 60


class Storm:
    """Random faults and deaths over random wishes; the seed repeats it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.dice = random.Random(seed)  # noqa: S311 - repeatable, no secret

    async def blow(self) -> None:
        dice, world = self.dice, self.world
        for _ in range(ACTIONS):
            for path in ("/bets", "/payouts", "/game/"):
                if dice.random() < 0.3:
                    world.network.lose(path, dice.choice(["before", "after", "refused"]))
            acts = [asyncio.create_task(self._act()) for _ in range(3)]
            for act in acts:
                if dice.random() < 0.2:
                    await asyncio.sleep(dice.random() / 200)
                    act.cancel()
            for outcome in await asyncio.gather(*acts, return_exceptions=True):
                assert outcome is None or isinstance(outcome, asyncio.CancelledError)
            world.clock.passed_s += dice.choice([0.1, 0.5, 2.0, 50.0])

    async def _act(self) -> None:
        dice, world = self.dice, self.world
        try:
            match dice.randrange(5):
                case 0 | 1:
                    auto = dice.choice([None, "1.50", "3.00"])
                    await world.place(world.wish("1.00", user=dice.choice(PLAYERS), auto=auto))
                case 2:
                    placed = [b for b in await world.bets() if b.state == "placed"]
                    if placed:
                        await world.cash_out(dice.choice(placed))
                case 3:
                    await world.resolve(after_s=0)
                case _:
                    if dice.random() < 0.1:
                        reached = world.sandbox.timeline.catch_up()
                        world.sandbox.engine.cancel_current(reached)
        except ReconError:
            pass  # a refusal is an answer; what it did to the money is what counts


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_any_faults_both_sides_agree(pool: Pool, seed: int) -> None:
    async with open_world(pool) as world:
        for user in PLAYERS:
            await world.deposit("20.00", user)

        await Storm(world, seed).blow()
        await world.come_to_rest()

        bets = await world.bets()
        states = {bet.state for bet in bets}
        assert len(bets) > 20
        assert states >= {"rejected", "lost", "cashed_out"}
        tickets = {bet.ticket_id for bet in bets if bet.ticket_id}
        assert tickets == set(world.sandbox.book.bets)
        assert await pool.fetchval("SELECT count(*) FROM cases") == 0
