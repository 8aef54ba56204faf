"""What the simulated world promises, each part by itself."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from recon.db.sharing import Shared
from recon.simulation import simulate_seed
from recon.simulation.instants import START, Instants
from recon.simulation.loop import StuckError, VirtualLoop
from recon.simulation.pool import SimulatedPool
from recon.simulation.postgres import Postgres
from recon.simulation.process import Process, follow_processes
from recon.simulation.trace import Trace
from recon.simulation.weather import CALM, Weather

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from recon.simulation import Databases


@contextmanager
def a_loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    follow_processes(loop)
    yield loop
    loop.close()


class World:
    """Two processes on one database."""

    def __init__(self, loop: VirtualLoop, postgres: Postgres) -> None:
        dice, trace = random.Random(1), Trace(loop.time)  # noqa: S311 - repeatable, no secret
        self.processes = [Process(name, dice, lambda: CALM, trace) for name in ("p1", "p2")]
        self.pools = [SimulatedPool(process, postgres) for process in self.processes]
        self.postgres = postgres


def in_a_world(databases: Databases, play: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    with databases.fresh() as driver, a_loop() as loop:
        instants = Instants(loop.time, random.Random(1))  # noqa: S311 - likewise
        postgres = Postgres(loop, driver, instants.now)

        async def begin() -> None:
            await play(World(loop, postgres))

        loop.run_until_complete(begin())
        assert loop.faults == []


LOCK = "SELECT pg_advisory_xact_lock($1)"


def test_an_hour_takes_no_time_and_what_cannot_come_is_said() -> None:
    with a_loop() as loop:
        loop.run_until_complete(asyncio.sleep(3600))
        assert loop.time() == 3600

        with pytest.raises(StuckError):
            loop.run_until_complete(asyncio.Event().wait())


def test_postgres_reads_the_same_clock(databases: Databases) -> None:
    async def play(world: World) -> None:
        await asyncio.sleep(7200)
        async with world.pools[0].acquire() as connection:
            now = await connection.fetchval("SELECT clock_timestamp()")
            stored = await connection.fetchval(
                "INSERT INTO audit (audit_id, actor, action, object) "
                "VALUES ($1, 'a', 'b', 'c') RETURNING at",
                Instants(lambda: 0.0, random.Random(2)).new_id(),  # noqa: S311 - likewise
            )
        assert timedelta(hours=2) <= now - START < timedelta(hours=2, seconds=1)
        assert stored - now < timedelta(seconds=1)

    in_a_world(databases, play)


def test_a_statement_waits_for_the_lock_of_another_process(databases: Databases) -> None:
    order: list[str] = []

    async def hold(world: World, number: int, for_s: float) -> None:
        async with world.pools[number].acquire() as connection, connection.transaction():
            await connection.execute(LOCK, 7)
            order.append(f"{number} has it")
            await asyncio.sleep(for_s)
            order.append(f"{number} lets go")

    async def play(world: World) -> None:
        loop = asyncio.get_running_loop()
        first = loop.create_task(hold(world, 0, 30.0))
        await asyncio.sleep(1)
        await hold(world, 1, 0.0)
        await first
        assert loop.time() > 30

    in_a_world(databases, play)
    assert order == ["0 has it", "0 lets go", "1 has it", "1 lets go"]


def test_whoever_closes_a_circle_of_locks_is_told(databases: Databases) -> None:
    async def both(world: World, number: int, keys: tuple[int, int]) -> None:
        async with world.pools[number].acquire() as connection, connection.transaction():
            for key in keys:
                await connection.execute(LOCK, key)
                await asyncio.sleep(10 + number)

    async def play(world: World) -> None:
        tasks = [both(world, 0, (1, 2)), both(world, 1, (2, 1))]
        first, second = await asyncio.gather(*tasks, return_exceptions=True)
        assert first is None
        assert isinstance(second, asyncpg.DeadlockDetectedError)

    in_a_world(databases, play)


def test_a_dead_process_holds_nothing_and_writes_nothing_more(databases: Databases) -> None:
    async def write(world: World) -> None:
        async with world.pools[0].acquire() as connection, connection.transaction():
            await connection.execute(LOCK, 7)
            await asyncio.sleep(10)
        raise AssertionError("it lived on")

    async def play(world: World) -> None:
        dying = world.processes[0].start(write(world))
        await asyncio.sleep(5)
        world.processes[0].die()
        await asyncio.wait([dying])
        assert dying.cancelled()
        async with world.pools[1].acquire() as connection:
            assert await connection.fetchval("SELECT pg_try_advisory_lock(7)")
        with pytest.raises(asyncio.CancelledError):
            await world.pools[0].acquire().__aenter__()

    in_a_world(databases, play)


def test_a_shared_commit_dies_with_its_process_also_when_nobody_waits_for_it(
    databases: Databases,
) -> None:
    """The worker was begun by a caller who has gone; it is the process's all the same."""
    taken: list[int] = []

    async def play(world: World) -> None:
        async def take_in(units: Sequence[int]) -> Sequence[int]:
            async with world.pools[0].acquire() as connection, connection.transaction():
                await connection.execute(LOCK, 7)
                await asyncio.sleep(10)
            taken.extend(units)
            return units

        shared: Shared[int, int] = Shared(take_in)
        caller = world.processes[0].start(shared.take_one(1))
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.wait([caller])
        assert len(asyncio.all_tasks()) == 2, "the worker and this test"
        world.processes[0].die()
        await asyncio.sleep(1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        async with world.pools[1].acquire() as connection:
            assert await connection.fetchval("SELECT pg_try_advisory_lock(7)")

    in_a_world(databases, play)
    assert taken == []


def test_the_stream_is_heard_lost_and_heard_again(databases: Databases) -> None:
    """Through the real talk of both sides; whoever holds it dies, and another process follows."""
    shown: list[str] = []

    report = simulate_seed(
        databases,
        3,
        40,
        weather=Weather(death=0.03, stream_cut=0.05, stream_late=0.3, stream_gap=0.3),
        show=shown.append,
    )

    assert report.failures == []
    assert report.counts["stream_opened"] > 2
    assert report.counts["stream_late"] > 0
    holders = {line.split()[1] for line in shown if " stream_opened" in line}
    assert len(holders) > 1


def test_a_statement_that_ends_as_its_time_does_is_heard_of_once(databases: Databases) -> None:
    """What ends one wait must not end the next: it would be cut off before its answer."""

    async def ends_in_the_turn_in_which_its_time_is_up() -> None:
        await asyncio.sleep(0)
        time.sleep(0.01)  # noqa: ASYNC251 - so that the time is up when the next turn begins
        await asyncio.sleep(0)

    with databases.fresh() as driver:
        call = driver.begin(ends_in_the_turn_in_which_its_time_is_up())
        assert driver.run_while(call, 0.005)
        assert driver.do(asyncio.sleep(0.001, "answer")) == "answer"
