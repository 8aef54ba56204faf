"""One process listens: another follows when it dies or hangs, and never the two for long."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Never, cast

from recon.db.embedded.child import die_with_parent
from recon.game.stream import Lease, StreamWatch, hold, read_holding
from tests.game.stream.conftest import listening, until
from tests.game.stream.holder import QUICK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from tests.game.stream.conftest import Game

ROOT = Path(__file__).parents[3]
HELD_UNTIL = "SELECT held_until FROM stream_holders"


class Contender:
    """Somebody in this process who would listen."""

    def __init__(self) -> None:
        self.watch = StreamWatch()
        self.works = False
        self.turns: list[Contender] = []
        self.ended_at: float | None = None

    async def work(self) -> Never:
        self.works = True
        self.turns.append(self)
        try:
            await asyncio.Event().wait()
        finally:
            self.works = False
            self.ended_at = asyncio.get_running_loop().time()
        raise AssertionError


@asynccontextmanager
async def contending(pool: Pool, lease: Lease = QUICK) -> AsyncIterator[Contender]:
    contender = Contender()
    task = asyncio.create_task(hold(pool, contender.work, contender.watch, lease=lease))
    try:
        yield contender
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def process(game: Game, database_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that would listen, killed at the end."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.game.stream.holder"),
        cwd=ROOT,
        preexec_fn=die_with_parent(),
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "GAME_URL": game.url,
            "GAME_API_KEY": game.api_key,
        },
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def left_s(pool: Pool) -> float:
    """How long the lease lasts from now on."""
    left = await pool.fetchval("SELECT held_until - clock_timestamp() FROM stream_holders")
    return float(left.total_seconds())


async def holder_of(pool: Pool) -> object:
    return await pool.fetchval("SELECT held_by FROM stream_holders")


async def test_one_of_several_works_and_the_next_one_when_it_goes(pool: Pool) -> None:
    loop, lease = asyncio.get_running_loop(), replace(QUICK, lasts_s=30.0)
    async with contending(pool, lease) as second:
        async with contending(pool, lease) as first:
            await until(lambda: first.works or second.works)
            held_until = await pool.fetchval(HELD_UNTIL)
            while await pool.fetchval(HELD_UNTIL) == held_until:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.02)
            # Whoever came first keeps it by renewing it.
            one, other = (first, second) if first.works else (second, first)
            assert (one.works, other.works, one.ended_at) == (True, False, None)
            if one is second:
                return
            left = loop.time()
        await until(lambda: second.works)
        assert loop.time() - left < lease.lasts_s  # it was given back, not waited for


async def test_of_those_who_see_it_free_at_once_one_takes_it(pool: Pool, owner: Pool) -> None:
    await pool.execute("INSERT INTO stream_holders (stream, held_until) VALUES ('game', now())")
    async with AsyncExitStack() as stack:
        async with owner.acquire() as other, other.transaction():
            await other.execute("SELECT * FROM stream_holders FOR UPDATE")
            all_of_them = [await stack.enter_async_context(contending(pool)) for _ in range(8)]
            await asyncio.sleep(0.4)  # each has seen that nobody has it, and waits to write so
        await until(lambda: any(one.works for one in all_of_them))
        await asyncio.sleep(QUICK.lasts_s / 2)

        assert sum(one.works or one.ended_at is not None for one in all_of_them) == 1


async def test_those_who_hear_nothing_take_turns(pool: Pool) -> None:
    deaf = replace(QUICK, renew_s=0.05, deaf_s=0.1)
    async with contending(pool, deaf) as one, contending(pool, deaf) as other:
        turns = one.turns = other.turns
        await until(lambda: len(turns) == 8)

    assert all(before is not after for before, after in pairwise(turns))


async def test_a_killed_holder_is_followed_by_another_process(
    game: Game, pool: Pool, database_url: str
) -> None:
    loop = asyncio.get_running_loop()
    async with process(game, database_url) as first:
        await until(lambda: game.streams == 1)
        held = await holder_of(pool)
        async with process(game, database_url) as second:
            await asyncio.sleep(1.5 * QUICK.lasts_s)
            assert (game.streams, await holder_of(pool)) == (1, held)

            first.send_signal(signal.SIGKILL)
            killed = loop.time()
            await until(lambda: game.streams == 0)
            await until(lambda: game.streams == 1)
            took_s = loop.time() - killed
            assert await holder_of(pool) not in {held, None}
            assert second.returncode is None
    print(f"taken over {took_s:.2f} s after SIGKILL, by a lease of {QUICK.lasts_s:g} s")  # noqa: T201
    assert took_s < QUICK.lasts_s + 10.0


async def test_a_holder_that_hangs_loses_it_and_lets_go_when_it_wakes(
    game: Game, pool: Pool, database_url: str
) -> None:
    loop = asyncio.get_running_loop()
    async with process(game, database_url) as first:
        await until(lambda: game.streams == 1)
        held = await holder_of(pool)
        async with process(game, database_url):
            await asyncio.sleep(0.5)
            first.send_signal(signal.SIGSTOP)
            await until(lambda: game.streams == 2)  # its socket is still open, and nobody reads it
            followed = await holder_of(pool)
            assert followed != held

            woke_s = loop.time()
            first.send_signal(signal.SIGCONT)
            await until(lambda: game.streams == 1)
            assert loop.time() - woke_s < 10.0
            await asyncio.sleep(2 * QUICK.lasts_s)
            assert (game.streams, await holder_of(pool)) == (1, followed)


async def test_who_cannot_renew_hangs_up_before_the_lease_has_ended(
    pool: Pool, owner: Pool
) -> None:
    loop = asyncio.get_running_loop()
    async with contending(pool) as contender:
        await until(lambda: contender.works)
        async with owner.acquire() as other, other.transaction():
            await other.execute("SELECT * FROM stream_holders FOR UPDATE")  # a database that hangs
            ends_s = loop.time() + await left_s(owner)
            await until(lambda: not contender.works)
            assert contender.ended_at is not None
            assert contender.ended_at < ends_s
        await until(lambda: contender.works)


class StuckPool:
    """A pool on which, once ``stuck``, whoever gives up waiting waits on all the same."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.stuck = False

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[object]:
        if self.stuck:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(1.5 * QUICK.hang_up_s)
        async with self._pool.acquire() as connection:
            yield connection


async def test_a_renewal_that_cannot_even_be_given_up_does_not_keep_it_listening(
    pool: Pool,
) -> None:
    loop = asyncio.get_running_loop()
    stuck = StuckPool(pool)
    async with contending(cast("Pool", stuck)) as contender:
        await until(lambda: contender.works)
        stuck.stuck = True
        ends_s = loop.time() + await left_s(pool)
        await until(lambda: not contender.works)
        assert contender.ended_at is not None
        assert contender.ended_at < ends_s
        stuck.stuck = False


async def test_whose_lease_somebody_else_has_stops_at_once(pool: Pool) -> None:
    async with contending(pool) as contender:
        await until(lambda: contender.works)
        await pool.execute(
            "UPDATE stream_holders SET held_by = gen_random_uuid(),"
            " held_until = clock_timestamp() + interval '1 second'"
        )
        await until(lambda: not contender.works)
        await until(lambda: contender.works)


async def test_the_database_says_how_the_stream_stands(pool: Pool, game: Game) -> None:
    assert await read_holding(pool) is None
    async with contending(pool) as contender, listening(game) as listener:
        await listener.next()
        contender.watch.connected_at = listener.watch.connected_at
        contender.watch.heard_at = listener.watch.heard_at

        await until(lambda: contender.works)
        await asyncio.sleep(3 * QUICK.renew_s)
        holding = await read_holding(pool)
        assert holding is not None
        assert holding.is_held
        assert holding.connected_at == listener.watch.connected_at
        assert holding.heard_at == listener.watch.heard_at
    holding = await read_holding(pool)
    assert holding is not None
    assert (holding.is_held, holding.connected_at) == (False, None)
