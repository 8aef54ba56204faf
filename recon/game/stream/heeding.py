"""Look into what the stream tells: at once, together, and never so often that the game minds.

One look at a time: a later one may end what an earlier one has begun to ask, so that, told without
end that something was missed, the two together would conclude nothing. While a look takes long the
jobs ask as if there were no stream.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from recon.game.stream.news import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import NoReturn

    from recon.game.stream.news import Bulletin, News

__all__ = ["heed"]

log = structlog.get_logger(__name__)

_GATHER_S: Final = 0.02
"""The end of a round is told as one message for each of its bets: they are looked into together."""
_APART_S: Final = 0.2
_AGAIN_S: Final = 1.0


async def heed(
    bulletin: Bulletin,
    look: Callable[[News], Awaitable[None]],
    *,
    apart_s: float = _APART_S,
    again_s: float = _AGAIN_S,
) -> NoReturn:
    """Look into news until cancelled.

    Args:
        bulletin: where it is.
        look: looks into it; what it fails at is everybody's news again.
        apart_s: at least so long between two looks.
        again_s: how long to wait after one that failed.
    """
    while True:
        await bulletin.wait()
        await asyncio.sleep(_GATHER_S)
        try:
            await look(bulletin.take())
        except Exception:
            # The database, mostly. The jobs ask in their own time; this asks for all, a bit later:
            # whatever was wrong with this news, it is not said again.
            log.exception("stream_news_not_looked_into")
            bulletin.put(EVERYTHING)
            await asyncio.sleep(again_s)
        await asyncio.sleep(apart_s)
