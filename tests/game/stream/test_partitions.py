"""Who holds the stream is cut off, from the database or from the game."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from recon.db import open_pool
from recon.game.stream import Backoff, Bulletin, StreamAddress, StreamWatch, hold, listen
from tests.game.stream.conftest import PATIENCE, until
from tests.game.stream.holder import QUICK
from tests.game.stream.test_holding import holder_of, left_s, renewals
from tests.violence.line import Line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from recon.game.stream import Lease
    from tests.game.stream.conftest import Game

LEASE = replace(QUICK, deaf_s=1.5, refused_s=1.5)


class Member:
    """A process of a deployment, as the stream sees it."""

    def __init__(self) -> None:
        self.bulletin, self.watch = Bulletin(), StreamWatch()
        self.backoff = Backoff(first_s=0.02, longest_s=0.1, first_refused_s=0.2)

    @property
    def listens(self) -> bool:
        return self.watch.listening_since_s is not None


@asynccontextmanager
async def member(pool: Pool, url: str, api_key: str, lease: Lease = LEASE) -> AsyncIterator[Member]:
    one = Member()
    address = StreamAddress(url, api_key)
    patience = replace(PATIENCE, silence_s=2.0)
    task = asyncio.create_task(
        hold(
            pool,
            lambda: listen(
                address, one.bulletin, one.watch, patience=patience, backoff=one.backoff
            ),
            one.watch,
            lease=lease,
        )
    )
    try:
        yield one
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    line = Line(url)
    await line.mend()
    try:
        yield line
    finally:
        await line.close()


@asynccontextmanager
async def heartbeats(game: Game) -> AsyncIterator[None]:
    """Something is said all the time, more often than the game's own heart beats."""

    async def tell() -> None:
        while True:
            game.tell_round("r_1", "betting")
            await asyncio.sleep(0.1)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()


async def until_let_go(pool: Pool, held: object) -> None:
    async with asyncio.timeout(60):
        while await holder_of(pool) == held:  # noqa: ASYNC110 - a database
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("fault", ["swallow_everything", "cut"])
async def test_cut_off_from_the_database_it_hangs_up_before_another_listens(
    game: Game, pool: Pool, database_url: str, fault: str
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        line = await enter(line_to(database_url))
        far = await enter(open_pool(line.database_url, max_size=2))
        await enter(heartbeats(game))
        first = await enter(member(far, game.url, game.api_key))
        await until(lambda: first.listens)
        held = await holder_of(pool)
        second = await enter(member(pool, game.url, game.api_key))

        getattr(line, fault)()
        await until(lambda: not first.listens)
        assert (await left_s(pool) > 0, second.listens) == (True, False)
        await until(lambda: second.listens)
        assert await holder_of(pool) != held

        # The network is mended: it is one of those who wait.
        await line.mend()
        await renewals(pool)
        assert (first.listens, second.listens, game.streams) == (False, True, 1)


@pytest.mark.parametrize("fault", ["swallow_everything", "cut"])
async def test_cut_off_from_the_game_it_lets_another_try(
    game: Game, pool: Pool, fault: str
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        line = await enter(line_to(game.url))
        await enter(heartbeats(game))
        first = await enter(member(pool, line.game_url, game.api_key))
        await until(lambda: first.listens)
        held = await holder_of(pool)
        second = await enter(member(pool, game.url, game.api_key))

        getattr(line, fault)()
        await until(lambda: not first.listens)
        await until(lambda: second.listens)
        assert await holder_of(pool) not in {held, None}

        await line.mend()
        await renewals(pool)
        assert (first.listens, second.listens) == (False, True)


async def test_a_game_that_is_away_for_a_moment_changes_nothing(game: Game, pool: Pool) -> None:
    patient = replace(LEASE, deaf_s=30.0)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        line = await enter(line_to(game.url))
        await enter(heartbeats(game))
        first = await enter(member(pool, line.game_url, game.api_key, patient))
        await until(lambda: first.listens)
        second = await enter(member(pool, line.game_url, game.api_key, patient))
        held = await holder_of(pool)

        line.cut()
        await until(lambda: not first.listens)
        await renewals(pool, 2)
        await line.mend()
        await until(lambda: first.listens)
        assert (second.listens, await holder_of(pool)) == (False, held)


async def test_alone_it_goes_on_until_the_game_is_back(game: Game, pool: Pool) -> None:
    async with (
        line_to(game.url) as line,
        heartbeats(game),
        member(pool, line.game_url, game.api_key) as only,
    ):
        await until(lambda: only.listens)
        line.cut()
        await until(lambda: not only.listens)
        held = await holder_of(pool)
        await until_let_go(pool, held)
        await line.mend()
        await until(lambda: only.listens)
        assert await holder_of(pool) not in {held, None}


async def test_whose_key_was_revoked_makes_room_for_one_with_the_new_key(
    game: Game, pool: Pool
) -> None:
    new = await game.key("read:game_state", "read:bet")
    async with heartbeats(game), member(pool, game.url, "ck_sandbox_revoked") as first:
        await until(lambda: first.watch.is_refused)
        async with member(pool, game.url, new) as second:
            await until(lambda: second.listens)
            assert not first.listens
