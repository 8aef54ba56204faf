"""What the stream has told and nobody has looked into yet: small, however much it tells."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

__all__ = ["EVERYTHING", "NOTHING", "Bulletin", "News"]

_MOST: Final = 5000
"""More than so many at once, and looking into everything is the shorter question."""


@dataclass(frozen=True, slots=True)
class News:
    """What is worth a question over REST. It may be wrong, and proves nothing.

    Attributes:
        tickets: bets that were decided, or whose payouts were.
        ended: rounds that have ended, so that bets in play are decided.
        paid: rounds that are being paid out, where nothing is told of each payout.
        everything: something was missed, nobody knows what.
    """

    tickets: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    paid: frozenset[str] = frozenset()
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.tickets or self.ended or self.paid)


NOTHING: Final = News()
EVERYTHING: Final = News(everything=True)
"""Also what too much at once comes to."""


class Bulletin:
    """Keeps news until it is taken. Putting some in never waits, so that a reader never does."""

    def __init__(self) -> None:
        self._tickets: set[str] = set()
        self._ended: set[str] = set()
        self._paid: set[str] = set()
        self._everything = False
        self._any = asyncio.Event()

    def put(self, news: News) -> None:
        """Add to what waits."""
        if not news:
            return
        self._tickets |= news.tickets
        self._ended |= news.ended
        self._paid |= news.paid
        self._everything |= news.everything
        if len(self._tickets) + len(self._ended) + len(self._paid) > _MOST:
            self._clear()
            self._everything = True
        self._any.set()

    async def wait(self) -> None:
        """Wait until there is some."""
        await self._any.wait()

    def take(self) -> News:
        """All that waits; from now on it is the taker's."""
        news = News(
            frozenset(self._tickets),
            frozenset(self._ended),
            frozenset(self._paid),
            self._everything,
        )
        self._clear()
        self._any.clear()
        return news

    def _clear(self) -> None:
        self._tickets.clear()
        self._ended.clear()
        self._paid.clear()
        self._everything = False
