"""A process of the service: its tasks, and its death between any two awaits.

What is dead may still run its ``finally`` blocks, as Python insists; but every way out of it, to
Postgres and to the game, is shut in the same instant, so that nobody can tell.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine

    from recon.simulation.trace import Trace
    from recon.simulation.weather import Weather

__all__ = ["Process", "follow_processes"]

_T = TypeVar("_T")
_LONGEST_STALL_S: Final = 70.0
"""Longer than a claim on a bet lasts."""
_current: Final[ContextVar[Process | None]] = ContextVar("recon_simulation_process", default=None)


class Process:
    """One life of one process.

    Args:
        name: in the trace, such as ``p2.1`` for the second process in its first life.
        dice: when it dies, and how long it waits.
        weather: how likely that is, now.
        trace: hears of its death.
    """

    def __init__(
        self, name: str, dice: random.Random, weather: Callable[[], Weather], trace: Trace
    ) -> None:
        self.name = name
        self.dice = dice
        self.weather = weather
        self.trace = trace
        self.dead = False
        self.cuts = 0
        """How many of its connections to Postgres broke."""
        self.ended = asyncio.Event()
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._at_death: list[Callable[[], None]] = []

    def start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run something in this process; its tasks' tasks belong to it as well."""
        token = _current.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            _current.reset(token)

    def at_death(self, shut: Callable[[], None]) -> None:
        """Call ``shut`` in the instant of its death."""
        self._at_death.append(shut)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Let a task die with this process."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        if self.dead:
            task.cancel()

    async def wait(self, least_s: float, most_s: float) -> None:
        """Wait for Postgres or the game: an await at which the process may die."""
        self.must_live()
        weather = self.weather()
        if self.dice.random() < weather.death:
            self.die()
        wait_s = self.dice.uniform(least_s, most_s)
        if self.dice.random() < weather.stall:
            wait_s += self.dice.uniform(1.0, _LONGEST_STALL_S)
            self.trace.note("stall", self.name, f"{wait_s:.3f}")
        await asyncio.sleep(wait_s)

    def must_live(self) -> None:
        """Let nothing out of a dead process.

        Raises:
            asyncio.CancelledError: it is dead.
        """
        if self.dead:
            raise asyncio.CancelledError

    def die(self, kind: str = "death") -> None:
        """End, here and now: nothing that it does from now on is seen by anybody."""
        if self.dead:
            return
        self.dead = True
        self.trace.note(kind, self.name, f"with {len(self._tasks)} tasks")
        for shut in self._at_death:
            shut()
        for task in list(self._tasks):
            task.cancel()
        self.ended.set()


def follow_processes(loop: asyncio.AbstractEventLoop) -> None:
    """Have every task of the loop belong to the process that started it."""

    def make(
        loop: asyncio.AbstractEventLoop,
        work: Any,  # noqa: ANN401 - a coroutine or generator, by asyncio's own word
        **options: Any,  # noqa: ANN401 - likewise
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **options)
        process = _current.get()
        if process is not None:
            process.adopt(task)
        return task

    loop.set_task_factory(make)
