"""A process may die between any two awaits; what it leaves behind is finished by another."""

from __future__ import annotations

import asyncio
import types
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from recon.bets import RoundClosedError
from recon.bets.desk import Desk
from recon.ledger import InsufficientBalanceError, verify_books
from tests.bets.conftest import open_world

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from recon.db import Pool
    from recon.game import Answer, Outgoing
    from tests.bets.conftest import World

# To prepare a statement is an await more.
pytestmark = pytest.mark.cold

MANY = 200


@dataclass
class Death:
    """Comes at the ``at``-th time that the process waits, in whichever of its tasks."""

    at: int
    waits: int = 0
    process: asyncio.Task[Any] | None = None
    others: set[asyncio.Task[Any]] = field(default_factory=set)
    """Tasks that the process started, and that die with it."""
    kills_all: bool = True

    @types.coroutine
    def watch(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Run ``work``, counting how often it waits."""
        error: BaseException | None = None
        while True:
            try:
                waited = work.send(None) if error is None else work.throw(error)
            except StopIteration as end:
                return end.value
            error = None
            self.waits += 1
            if self.waits == self.at:
                assert self.process is not None
                self.process.cancel()
                for task in self.others:
                    task.cancel()
            try:
                yield waited
            except BaseException as raised:  # noqa: BLE001 - handed on to the work
                error = raised


DYING: ContextVar[Death | None] = ContextVar("death", default=None)


def mortal(
    loop: asyncio.AbstractEventLoop,
    work: Any,  # noqa: ANN401 - a coroutine, by asyncio's own word
    **options: Any,  # noqa: ANN401 - likewise
) -> asyncio.Task[Any]:
    """Tasks that a dying process starts die with it; those of the game live on."""
    death = DYING.get()
    return asyncio.Task(work if death is None else _watched(death, work), loop=loop, **options)


async def _watched(death: Death, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - its own
    # What gives a connection back lives on: in truth the whole pool would be gone.
    if death.kills_all and getattr(work, "__qualname__", "") == "Shared._work":
        if death.waits >= death.at:
            # The process has died before this began.
            work.close()
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        death.others.add(task)
    return await death.watch(work)


async def killed(work: Coroutine[Any, Any, Any], at: int) -> bool:
    """Whether the work was killed before its end."""
    loop = asyncio.get_running_loop()
    before, death = loop.get_task_factory(), Death(at)
    loop.set_task_factory(mortal)
    token = DYING.set(death)
    try:
        death.process = asyncio.create_task(work)
        DYING.reset(token)
        await asyncio.wait([death.process])
        if death.process.cancelled() and death.others:
            await asyncio.wait(death.others)
    finally:
        loop.set_task_factory(before)
    if death.process.cancelled():
        return True
    death.process.result()
    return False


async def deaths(world: World, *, desk: bool) -> int:
    """Place a bet again and again, killed one await later each time, until one survives."""
    for at in range(1, MANY):
        user = f"u_{at}"
        await world.deposit("10.00", user)
        # Each process has its own queues.
        shared = Desk(world.pool) if desk else None
        if not await killed(world.place(world.wish("10.00", user=user), desk=shared), at):
            return at
    raise AssertionError("no bet survived")


@pytest.mark.parametrize("desk", [True, False], ids=["shared", "alone"])
@pytest.mark.parametrize("closed", [True, False])
async def test_a_bet_whose_process_died_at_any_await_is_finished_by_another(
    pool: Pool,
    closed: bool,  # noqa: FBT001 - a parameter of the test
    desk: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    betting_s = 10.0 if closed else 600.0
    async with open_world(pool, betting_s=betting_s, hold_ttl_s=500.0) as world:
        steps = await deaths(world, desk=desk)
        assert steps > 6
        await world.resolve(after_s=46)

        states = [bet.state for bet in await world.bets()]
        if closed:
            # Confirmed before the death: settled as any bet. Not confirmed: the stake is free.
            await world.resolve()
            states = [bet.state for bet in await world.bets()]
            assert set(states) == {"rejected", "lost"}
        else:
            assert set(states) == {"placed"}
        assert len(world.sandbox.book.bets) == len([s for s in states if s != "rejected"])
        await world.come_to_rest()


async def test_a_cash_out_whose_process_died_at_any_await_is_finished_by_another(
    pool: Pool,
) -> None:
    async with open_world(pool, max_active_s=2000.0) as world:
        bets = []
        for at in range(1, 40):
            user = f"u_{at}"
            await world.deposit("10.00", user)
            bets.append(await world.place(world.wish("10.00", user=user)))
        world.fly(seconds=100)
        survived = [
            at for at, bet in enumerate(bets, 1) if not await killed(world.cash_out(bet), at)
        ]
        assert 6 < min(survived) < 40

        await world.resolve(after_s=46)
        world.end_round()
        await world.resolve()

        # Before its intent was committed, a cash-out was never asked for: such a bet is lost.
        states = [str((await world.bet(bet)).state) for bet in bets]
        assert set(states) == {"lost", "cashed_out"}
        keys = [o.headers["Idempotency-Key"] for o in world.network.calls("/cashout")]
        assert len(set(keys)) == states.count("cashed_out") == len(world.sandbox.book.payouts)
        await world.come_to_rest()


async def test_a_resolver_that_died_at_any_await_leaves_the_bet_to_the_next(pool: Pool) -> None:
    async with open_world(pool, betting_s=100_000.0, hold_ttl_s=50_000.0) as world:
        for at in range(1, MANY):
            user = f"u_{at}"
            await world.deposit("10.00", user)
            world.network.lose("POST /api/v1/bets/holds", "after" if at % 2 else "before")
            bet = await world.place(world.wish("10.00", user=user))
            died = await killed(world.resolve(), at)
            await world.resolve(after_s=46)
            assert (await world.bet(bet)).state == "placed"
            if not died:
                break
        assert not died
        assert at > 12

        assert len(world.sandbox.book.bets) == len(world.sandbox.book.holds) == at
        await world.come_to_rest()


async def test_whoever_has_lost_the_claim_concludes_nothing(world: World) -> None:
    """The first process sleeps through its claim between hold and confirm; another finishes."""
    await world.deposit("10.00")
    asleep, wake = asyncio.Event(), asyncio.Event()
    real = world.network.real.send

    async def sleepy(outgoing: Outgoing) -> Answer:
        if outgoing.target.endswith("/confirm") and not asleep.is_set():
            asleep.set()
            await wake.wait()
        return await real(outgoing)

    world.network.real.send = sleepy  # type: ignore[method-assign]
    first = asyncio.create_task(world.place())
    await asleep.wait()
    await world.resolve(after_s=46)
    (bet,) = await world.bets()
    assert (bet.state, bet.fence) == ("rejected", 2)

    wake.set()
    with pytest.raises(RoundClosedError):
        await first

    assert (await world.bet(bet)).state == "rejected"
    assert await world.ledger() == world.at_game() == ("10.00", "0.00")
    with pytest.raises(InsufficientBalanceError):
        await world.place(world.wish("10.01"))


async def test_a_bet_that_the_game_owned_up_to_too_late_is_not_booked_but_shown(
    pool: Pool,
) -> None:
    """No sound game says "nothing" of a closed round and then has the bet; this one does."""
    async with open_world(pool) as world:
        await world.deposit("10.00")
        asleep, wake = asyncio.Event(), asyncio.Event()
        real = world.network.real.send

        async def sleepy(outgoing: Outgoing) -> Answer:
            answer = await real(outgoing)
            if outgoing.target.endswith("/confirm"):
                asleep.set()
                await wake.wait()
            return answer

        world.network.real.send = sleepy  # type: ignore[method-assign]
        first = asyncio.create_task(world.place())
        await asleep.wait()
        world.sandbox.book.by_key.clear()
        await world.resolve(after_s=46)
        wake.set()
        with pytest.raises(RoundClosedError):
            await first

        (case,) = await pool.fetch("SELECT kind, user_id, amount FROM cases")
        assert tuple(case) == ("late_bet", "u_1", 1000)
        assert [bet.state for bet in await world.bets()] == ["rejected"]
        assert await world.ledger() == ("10.00", "0.00")
        assert (await verify_books(pool)).ok
