"""Whoever asks may be cut off at any await; the stake is taken exactly once or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError, web

from recon.bets.desk import Desk
from recon.http.seen_through import finish_calls
from tests.bets.calling import body, once, serving
from tests.bets.conftest import open_world
from tests.bets.test_deaths import DYING, Death, mortal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from recon.db import Pool
    from tests.bets.conftest import World

# To prepare a statement is an await more.
pytestmark = pytest.mark.cold

MANY = 100
LONG_S = 100_000.0
"""The round stays open, however often a claim must run out."""


async def cancelled(work: Coroutine[Any, Any, Any], at: int) -> bool:
    """Whether the work was cancelled, at its ``at``-th await; what it has started goes on."""
    death = Death(at)

    async def mortal() -> Any:  # noqa: ANN401 - its own
        return await death.watch(work)

    death.process = asyncio.create_task(mortal())
    await asyncio.wait([death.process])
    if death.process.cancelled():
        return True
    death.process.result()
    return False


class Cut:
    """A middleware that cancels a call at its ``at``-th await, in whichever of its tasks."""

    def __init__(self) -> None:
        self.at = 0
        self.hit = False

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        death = Death(self.at, process=asyncio.current_task(), kills_all=False)
        loop = asyncio.get_running_loop()
        before, token = loop.get_task_factory(), DYING.set(death)
        loop.set_task_factory(mortal)
        try:
            return await death.watch(handler(request))  # type: ignore[arg-type, no-any-return]
        finally:
            loop.set_task_factory(before)
            DYING.reset(token)
            self.hit = self.hit or 0 < self.at <= death.waits


async def settle(world: World, users: list[str]) -> None:
    """Claims run out, everything is finished; each stake went to the game once or nowhere."""
    await world.resolve(after_s=46)
    await world.resolve()
    at_the_game = [bet.hold.user_id for bet in world.sandbox.book.bets.values()]
    assert len(at_the_game) == len(set(at_the_game))
    for user in users:
        assert await world.ledger(user) == world.at_game(user)
        expected = "0.00" if user in at_the_game else "10.00"
        assert await world.ledger(user) == (expected, "0.00")


async def test_a_callers_request_cancelled_at_any_await_is_one_bet_or_none(pool: Pool) -> None:
    async with open_world(pool, betting_s=LONG_S, hold_ttl_s=LONG_S) as world:
        world.clock.ticking = True
        cut = Cut()
        users = []
        answered: list[tuple[str, bool]] = []
        async with serving(world, world.game, middlewares=[cut.middleware]) as api:
            for at in range(1, MANY):
                users.append(user := f"u_{at}")
                await world.deposit("10.00", user)
                wish, headers = body(world, user_id=user, auto_cashout=None), once(f"k_{at}")
                cut.at, cut.hit = at, False
                try:
                    await api.post("/api/v1/bets", json=wish, headers=headers)
                except ClientError:
                    assert cut.hit
                await finish_calls()
                before = [bet for bet in await world.bets() if bet.user_id == user]
                cut.at = 0
                again = await api.post("/api/v1/bets", json=wish, headers=headers)
                assert (again.status, (await again.json())["state"]) == (201, "placed")
                # What was seen through was answered in the commit of its outcome.
                replayed = again.headers.get("Idempotency-Replayed") == "true"
                answered.append((str(before[0].state) if before else "none", replayed))
                if not cut.hit:
                    break
        assert not cut.hit
        assert len(users) > 10
        assert set(answered) == {("none", False), ("placed", True)}
        await settle(world, users)
        assert len(world.sandbox.book.bets) == len(users)


@pytest.mark.parametrize("desk", [True, False], ids=["shared", "alone"])
async def test_a_bet_cancelled_at_any_await_is_finished_by_the_resolver(
    pool: Pool,
    desk: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The verb without its shield; what shares commits goes on, as it serves others."""
    async with open_world(pool, betting_s=LONG_S, hold_ttl_s=LONG_S) as world:
        shared = Desk(pool) if desk else None
        users = []
        for at in range(1, MANY):
            users.append(user := f"u_{at}")
            await world.deposit("10.00", user)
            work = world.place(world.wish("10.00", user=user), desk=shared)
            if not await cancelled(work, at):
                break
        assert 4 < len(users) < MANY - 1
        if shared is not None:
            await shared.finish()
        await settle(world, users)
        states = {bet.user_id: str(bet.state) for bet in await world.bets()}
        assert set(states.values()) == {"placed"}
        assert len(world.sandbox.book.bets) == len(states) > len(users) / 2


@pytest.mark.parametrize("desk", [True, False], ids=["shared", "alone"])
async def test_a_cash_out_cancelled_at_any_await_is_paid_once_or_lost(
    pool: Pool,
    desk: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async with open_world(pool, max_active_s=2000.0) as world:
        shared = Desk(pool) if desk else None
        placed = []
        for at in range(1, 30):
            await world.deposit("10.00", f"u_{at}")
            placed.append(await world.place(world.wish("10.00", user=f"u_{at}")))
        world.fly(seconds=100)
        survived = [
            at
            for at, bet in enumerate(placed, 1)
            if not await cancelled(world.cash_out(bet, desk=shared), at)
        ]
        assert 3 < min(survived) < 29
        if shared is not None:
            await shared.finish()
        await world.come_to_rest()
        states = [str((await world.bet(bet)).state) for bet in placed]
        assert set(states) == {"lost", "cashed_out"}
        assert states.count("cashed_out") == len(world.sandbox.book.payouts)
