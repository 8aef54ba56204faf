"""An event loop in virtual time: a wait costs nothing, and no file or socket is ever waited for.

The idea is that of FoundationDB's simulator and of `looptime` and `madsim`: when nothing is ready,
time jumps to whatever is due next. What is real (the calls of Postgres) happens between two turns
of the loop, to its end, while everything in it stands still. So the order of events depends on the
program and the seed alone.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["StuckError", "VirtualLoop"]


class StuckError(Exception):
    """Nothing is ready, and nothing ever will be: a task waits for what cannot come."""


class _NoSelector(selectors.SelectSelector):
    """Waits by turning the clock."""

    def __init__(self, each_turn: Callable[[], None]) -> None:
        super().__init__()
        self.passed_s = 0.0
        self.jobs: deque[Callable[[], None]] = deque()
        self._each_turn = each_turn

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._each_turn()
        if self.jobs:
            self._stand_still()
        elif timeout is None:
            raise StuckError("every task waits, and nothing is due")
        else:
            self.passed_s += max(0.0, timeout)
        return []

    def _stand_still(self) -> None:
        # No task of the virtual loop is running here: another loop may, in the same thread.
        virtual = asyncio._get_running_loop()  # noqa: SLF001 - exported for those who write loops
        asyncio._set_running_loop(None)  # noqa: SLF001 - likewise
        try:
            while self.jobs:
                self.jobs.popleft()()
        finally:
            asyncio._set_running_loop(virtual)  # noqa: SLF001 - likewise


class VirtualLoop(asyncio.SelectorEventLoop):
    """As any loop of asyncio, but `time` starts at zero and runs only while everybody waits.

    Args:
        each_turn: is called between two turns; what it raises ends the run.
    """

    def __init__(self, each_turn: Callable[[], None] = lambda: None) -> None:
        self._turned = _NoSelector(each_turn)
        super().__init__(self._turned)
        self.faults: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._turned.passed_s

    def between_turns(self, job: Callable[[], None]) -> None:
        """Do something real before anything else happens here, in the order of asking.

        Args:
            job: may run another loop; must not raise.
        """
        self._turned.jobs.append(job)

    def _note(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """What asyncio would only log is a fault of the run."""
        self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")
