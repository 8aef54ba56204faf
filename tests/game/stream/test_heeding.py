"""News is looked into at once, together, one look at a time, and never too often."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from recon.game.stream import EVERYTHING, Bulletin, News, Pace, heed
from tests.game.stream.conftest import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUICK = Pace(gather_s=0.01, apart_s=0.05, everything_apart_s=0.5, again_s=0.1)


def tickets(*names: str) -> News:
    return News(tickets=frozenset(names))


@dataclass
class Looks:
    """What was looked into and when; the first ``fail`` looks fail."""

    bulletin: Bulletin
    fail: int = 0
    takes_s: float = 0.0
    seen: list[News] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    under_way: int = 0

    async def look(self, news: News) -> None:
        self.under_way += 1
        assert self.under_way == 1
        self.seen.append(news)
        self.at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes_s)
        self.under_way -= 1
        if len(self.seen) <= self.fail:
            raise OSError("the database is gone")


@asynccontextmanager
async def heeding(*, fail: int = 0, takes_s: float = 0.0) -> AsyncIterator[Looks]:
    looks = Looks(Bulletin(), fail=fail, takes_s=takes_s)
    task = asyncio.create_task(heed(looks.bulletin, looks.look, pace=QUICK))
    try:
        yield looks
    finally:
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_comes_together_is_looked_into_together() -> None:
    async with heeding() as looks:
        for number in range(100):
            looks.bulletin.put(tickets(f"t_{number}"))
        await until(lambda: looks.seen)

        assert looks.seen == [tickets(*(f"t_{number}" for number in range(100)))]


async def test_what_comes_while_one_looks_is_looked_into_next_and_not_beside_it() -> None:
    async with heeding(takes_s=0.1) as looks:
        looks.bulletin.put(tickets("t_1"))
        await until(lambda: looks.under_way)
        looks.bulletin.put(tickets("t_2"))
        looks.bulletin.put(tickets("t_3"))
        await until(lambda: len(looks.seen) == 2)

        assert looks.seen[1] == tickets("t_2", "t_3")
        assert looks.at[1] - looks.at[0] >= 0.15


async def test_a_look_that_fails_is_made_again_into_everything() -> None:
    async with heeding(fail=2) as looks:
        looks.bulletin.put(tickets("t_1"))
        await until(lambda: len(looks.seen) == 3)
        await asyncio.sleep(0.2)

        assert looks.seen == [tickets("t_1"), EVERYTHING, EVERYTHING]
        assert looks.at[1] - looks.at[0] >= 0.1
        assert looks.at[2] - looks.at[1] >= 0.2


async def test_a_stream_that_misses_messages_all_the_time_does_not_make_us_ask_all_the_time() -> (
    None
):
    async with heeding() as looks:
        for number in range(40):
            looks.bulletin.put(EVERYTHING)
            looks.bulletin.put(tickets(f"t_{number}"))
            await asyncio.sleep(0.02)
        names = {f"t_{n}" for n in range(40)}
        await until(lambda: sum(news.everything for news in looks.seen) >= 3)
        await until(lambda: {t for news in looks.seen for t in news.tickets} == names)

        everything = [at for at, news in zip(looks.at, looks.seen, strict=True) if news.everything]
        assert all(later - one >= 0.5 for one, later in pairwise(everything))
        # And what has a name does not wait for it.
        assert len(looks.seen) > len(everything) + 2
