"""One channel's events in the order of their numbers: doubled ones dropped, missing ones named.

A message that comes too early waits for those before it, but neither for long nor in great number:
then what is missing is given up as a gap, and those behind it go on. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PATIENCE_S", "WINDOW", "Gap", "Ordering", "Taken"]

WINDOW: Final = 32
"""At most so many messages wait for one that is missing."""
PATIENCE_S: Final = 0.5
"""A message that was overtaken is at most so much later than the one that overtook it."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Gap:
    """The numbers ``first`` to ``last`` will not be waited for any more."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Taken(Generic[_T]):
    """What one message, or the passing of time, came to.

    Attributes:
        events: in the order of their numbers; none was given before.
        gaps: what was given up to get there.
        dropped: messages whose number was given, or given up, before.
    """

    events: tuple[_T, ...] = ()
    gaps: tuple[Gap, ...] = ()
    dropped: int = 0


class Ordering(Generic[_T]):
    """Puts one channel of one connection in order.

    Args:
        last: the number that the server had given last when the subscription began.
        window: at most so many messages wait.
        patience_s: at most so long.
    """

    def __init__(self, last: int, *, window: int = WINDOW, patience_s: float = PATIENCE_S) -> None:
        self._next = last + 1
        self._window = window
        self._patience_s = patience_s
        self._early: dict[int, tuple[_T, float]] = {}

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do; None while nothing waits."""
        if not self._early:
            return None
        return min(at for _, at in self._early.values()) + self._patience_s

    def take(self, number: int, event: _T, *, at: float) -> Taken[_T]:
        """Take a message.

        Args:
            number: its place in the channel.
            event: what it says.
            at: monotonic seconds.
        """
        if number < self._next or number in self._early:
            return Taken(dropped=1)
        self._early[number] = (event, at)
        events, gaps = [*self._ready()], list[Gap]()
        while len(self._early) > self._window:
            gaps.append(self._give_up())
            events += self._ready()
        return Taken(tuple(events), tuple(gaps))

    def expire(self, at: float) -> Taken[_T]:
        """Give up what was waited for long enough.

        Args:
            at: monotonic seconds.
        """
        events, gaps = list[_T](), list[Gap]()
        while (deadline := self.deadline) is not None and deadline <= at:
            gaps.append(self._give_up())
            events += self._ready()
        return Taken(tuple(events), tuple(gaps))

    def _give_up(self) -> Gap:
        gap = Gap(self._next, min(self._early) - 1)
        self._next = gap.last + 1
        return gap

    def _ready(self) -> Iterator[_T]:
        while self._next in self._early:
            event, _ = self._early.pop(self._next)
            self._next += 1
            yield event
