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


async def sessions_of(pool: Pool) -> int:
    """How many sessions this database has."""
    return int(
        await pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        )
    )


async def more_sessions(pool: Pool, than: int) -> None:
    """Until another process is there as well."""
    async with asyncio.timeout(60):
        while await sessions_of(pool) <= than:  # noqa: ASYNC110 - Postgres sets no event
            await asyncio.sleep(0.05)


async def left_s(pool: Pool) -> float:
    """How long the lease lasts from now on."""
    left = await pool.fetchval("SELECT held_until - clock_timestamp() FROM stream_holders")
    return float(left.total_seconds())


async def holder_of(pool: Pool) -> object:
    return await pool.fetchval("SELECT held_by FROM stream_holders")


async def renewals(pool: Pool, times: int = 4) -> None:
    """Until the lease has been renewed so often; the others ask for it three times as often."""
    async with asyncio.timeout(60):
        for _ in range(times):
            before = await pool.fetchval(HELD_UNTIL)
            while await pool.fetchval(HELD_UNTIL) == before:  # noqa: ASYNC110 - a database
                await asyncio.sleep(0.02)


async def waiting_for_a_lock(pool: Pool, many: int) -> None:
    """Until so many of this database do."""
    async with asyncio.timeout(60):
        while many != await pool.fetchval(  # noqa: ASYNC110 - Postgres sets no event
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)


async def ends_soon(pool: Pool) -> None:
    """Nobody renews it any more, so that it is not worth waiting for its end."""
    await pool.execute(
        "UPDATE stream_holders SET held_until = clock_timestamp() + interval '0.5 s'"
    )


async def test_one_of_several_works_and_the_next_one_when_it_goes(pool: Pool) -> None:
    loop, lease = asyncio.get_running_loop(), replace(QUICK, lasts_s=30.0)
    async with contending(pool, lease) as second:
        async with contending(pool, lease) as first:
            await until(lambda: first.works or second.works)
            await renewals(pool, 1)
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
    lasting = replace(QUICK, lasts_s=60.0)
    async with AsyncExitStack() as stack:
        async with owner.acquire() as other, other.transaction():
            await other.execute("SELECT * FROM stream_holders FOR UPDATE")
            all_of_them = [
                await stack.enter_async_context(contending(pool, lasting)) for _ in range(8)
            ]
            await waiting_for_a_lock(owner, 8)  # each has seen that nobody has it
        await until(lambda: any(one.works for one in all_of_them))
        await waiting_for_a_lock(owner, 0)
        await renewals(pool)

        assert sum(one.works or one.ended_at is not None for one in all_of_them) == 1


async def test_those_who_hear_nothing_take_turns(pool: Pool) -> None:
    deaf = replace(QUICK, renew_s=0.05, deaf_s=0.1, ask_s=1.0)
    async with contending(pool, deaf) as one, contending(pool, deaf) as other:
        turns = one.turns = other.turns
        await until(lambda: len(turns) >= 4)

    assert all(before is not after for before, after in pairwise(turns[:4]))


async def test_a_killed_holder_is_followed_by_another_process(
    game: Game, pool: Pool, database_url: str
) -> None:
    async with process(game, database_url) as first:
        await until(lambda: game.streams == 1)
        held, sessions = await holder_of(pool), await sessions_of(pool)
        async with process(game, database_url) as second:
            await more_sessions(pool, sessions)
            await renewals(pool)
            assert (game.streams, await holder_of(pool)) == (1, held)

            first.send_signal(signal.SIGKILL)
            await until(lambda: game.streams == 0)
            assert (await holder_of(pool), await left_s(pool) > 0) == (held, True)
            await ends_soon(pool)
            await until(lambda: game.streams == 1)
            assert await holder_of(pool) not in {held, None}
            assert second.returncode is None


async def test_a_holder_that_hangs_loses_it_and_lets_go_when_it_wakes(
    game: Game, pool: Pool, database_url: str
) -> None:
    async with process(game, database_url) as first:
        await until(lambda: game.streams == 1)
        held, sessions = await holder_of(pool), await sessions_of(pool)
        async with process(game, database_url):
            await more_sessions(pool, sessions)
            first.send_signal(signal.SIGSTOP)
            await ends_soon(pool)
            await until(lambda: game.streams == 2)  # its socket is still open, and nobody reads it
            followed = await holder_of(pool)
            assert followed != held

            first.send_signal(signal.SIGCONT)
            await until(lambda: game.streams == 1)
            await renewals(pool)
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
        await renewals(pool, 2)  # of which the second began after it was told
        holding = await read_holding(pool)
        assert holding is not None
        assert holding.is_held
        assert holding.connected_at == listener.watch.connected_at
        assert holding.heard_at == listener.watch.heard_at
    holding = await read_holding(pool)
    assert holding is not None
    assert (holding.is_held, holding.connected_at) == (False, None)
