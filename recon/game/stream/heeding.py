"""Look into what the stream tells: at once, together, and never so often that the game minds.

One look at a time: a later one may end what an earlier one has begun to ask, so that, told without
end that something was missed, the two together would conclude nothing. While a look takes long the
jobs ask as if there were no stream.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from recon.game.stream.news import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import NoReturn

    from recon.game.stream.news import Bulletin, News

__all__ = ["Pace", "heed"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to look.

    Args:
        gather_s: the end of a round is told as one message for each of its bets: those that come
            within so long are looked into together.
        apart_s: at least so long between two looks.
        everything_apart_s: the same between two looks into everything: a stream on which messages
            are missing all the time must not make us ask all the time.
        again_s: how long to wait after a look that failed; doubled with each.
        again_longest_s: at most.
    """

    gather_s: float = 0.02
    apart_s: float = 0.2
    everything_apart_s: float = 5.0
    again_s: float = 1.0
    again_longest_s: float = 30.0


async def heed(
    bulletin: Bulletin, look: Callable[[News], Awaitable[None]], *, pace: Pace | None = None
) -> NoReturn:
    """Look into news until cancelled.

    Args:
        bulletin: where it is.
        look: looks into it; should it fail, everything is looked into a bit later.
        pace: how often.
    """
    pace, loop = pace or Pace(), asyncio.get_running_loop()
    everything_from_s, failures = loop.time(), 0
    while True:
        await bulletin.wait()
        await asyncio.sleep(pace.gather_s)
        news = bulletin.take()
        if news.everything:
            if loop.time() < everything_from_s:
                loop.call_at(everything_from_s, bulletin.put, EVERYTHING)
                news = replace(news, everything=False)
            else:
                everything_from_s = loop.time() + pace.everything_apart_s
        try:
            if news:
                await look(news)
                failures = 0
        except Exception:
            # The database, mostly. The jobs ask in their own time; whatever was wrong with this
            # news, it is not said again.
            log.exception("stream_news_not_looked_into", failures=failures)
            bulletin.put(EVERYTHING)
            everything_from_s = loop.time()
            await asyncio.sleep(min(pace.again_longest_s, pace.again_s * 2.0 ** min(failures, 32)))
            failures += 1
        await asyncio.sleep(pace.apart_s)
