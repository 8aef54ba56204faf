"""Time as the sandbox sees it, and what is due when.

Everything that happens by itself (a phase ends, a hold expires, a payout completes) is an action
on one timeline. Whoever is about to look at the state first lets the timeline catch up, so that
what a caller sees depends on the clock alone, never on when a background task was woken.
"""

from __future__ import annotations

import heapq
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from recon import clock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "Timeline", "WallClock"]


class Clock(Protocol):
    """Where time comes from; a test puts its own here and turns it by hand."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def now(self) -> datetime:
        """The current instant, in UTC."""
        ...


class WallClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def now(self) -> datetime:
        """The current instant, in UTC."""
        return clock.now()


class Timeline:
    """Actions in the order in which they are due; ties in the order in which they were set."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0

    def at(self, due: float, action: Callable[[float], None]) -> None:
        """Set an action; it is called with ``due``, however late the call is made.

        Args:
            due: in the clock's monotonic seconds.
            action: must not raise.
        """
        self._count += 1
        heapq.heappush(self._due, (due, self._count, action))

    def catch_up(self) -> float:
        """Do everything that is due; the monotonic instant up to which the state is now true."""
        reached = self.clock.monotonic()
        while self._due and self._due[0][0] <= reached:
            due, _, action = heapq.heappop(self._due)
            action(due)
        return reached

    def next_due(self) -> float | None:
        """When the next action is due; None when nothing is."""
        return self._due[0][0] if self._due else None

    def instant(self, monotonic: float) -> datetime:
        """The wall-clock time of a monotonic instant."""
        behind = self.clock.monotonic() - monotonic
        return self.clock.now() - timedelta(seconds=behind)
