"""The real Postgres under a simulation: one call at a time, while virtual time stands still.

The driver has a loop of its own, which runs between two turns of the virtual one. A call is made
and waited for before anything else in the simulation happens, so that how long it really takes
changes nothing. Only a statement that waits for another process's lock is set aside: Postgres says
so (``pg_blocking_pids``), and it is looked at again whenever a transaction has ended. Whether it is
blocked depends on what the others have done, not on how fast the machine is; a deadlock is broken
by Postgres, always at the expense of who closed the circle, because its ``deadlock_timeout`` has
passed before anybody else goes on.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from datetime import datetime

    import asyncpg

    from recon.db import Pool
    from recon.simulation.driver import Driver, Session
    from recon.simulation.loop import VirtualLoop

__all__ = ["DEADLOCK_TIMEOUT_MS", "Postgres"]

_T = TypeVar("_T")

DEADLOCK_TIMEOUT_MS: Final = 10
"""What the database is set to: so long, and Postgres looks whether a wait is a deadlock."""
_LONG_S: Final = 0.05
_GIVE_UP_S: Final = 60.0


@dataclass(slots=True, eq=False)
class _Statement:
    """A call under way; ``over`` is told when it has ended, however it has."""

    session: Session
    over: asyncio.Future[None]
    call: asyncio.Task[Any] | None = None


class Postgres:
    """The way from a virtual loop to one database.

    Args:
        virtual: the simulation's loop.
        driver: makes the calls, between the loop's turns.
        now: the virtual instant.
    """

    def __init__(self, virtual: VirtualLoop, driver: Driver, now: Callable[[], datetime]) -> None:
        self._virtual = virtual
        self._driver = driver
        self._now = now
        self._blocked: list[_Statement] = []
        self.calls = 0
        self.waits = 0

    async def run(self, work: Callable[[Pool], Coroutine[Any, Any, _T]]) -> _T:
        """Do something on the real pool, at once and to its end."""
        return await self._between_turns(lambda: self._driver.do(work(self._driver.pool)))

    async def take(self) -> Session:
        """A session nobody uses."""
        return await self._between_turns(self._driver.take)

    def give_back(self, session: Session) -> None:
        """Let others use a session, which is in no transaction; a broken one is let go."""
        self._driver.give_back(session)

    async def perform(
        self,
        session: Session,
        call: Callable[[asyncpg.Connection[Any]], Awaitable[_T]],
        *,
        statement: str = "",
    ) -> _T:
        """Make a call; nothing else happens meanwhile, unless it waits for somebody's lock.

        Args:
            session: in use.
            call: of it.
            statement: what Postgres is told; nothing where a transaction begins or ends.
        """
        waiting = _Statement(session, self._virtual.create_future())
        reads_time = self._driver.may_read_time(statement)

        def job() -> None:
            if waiting.over.done():
                return  # its process died before it was sent
            self.calls += 1
            work = self._at_this_instant(session, call, reads_time=reads_time)
            waiting.call = self._driver.begin(work)
            if self._has_ended(waiting):
                waiting.over.set_result(None)
                if self._blocked and not session.real.is_in_transaction():
                    self._look_again()
            else:
                self.waits += 1
                self._blocked.append(waiting)

        self._virtual.between_turns(job)
        try:
            await waiting.over
        except asyncio.CancelledError:
            if waiting in self._blocked:
                self.drop(session)
            raise
        if waiting.call is None:
            raise RuntimeError("a statement that was never made has ended")
        result: _T = waiting.call.result()
        return result

    def drop(self, session: Session) -> None:
        """Break a connection: before anything else happens, it and its transaction are gone."""
        if session.broken:
            return
        session.broken = True

        def job() -> None:
            waits = any(one.session is session for one in self._blocked)
            self._driver.drop(session, waits=waits)
            self._look_again()

        self._virtual.between_turns(job)

    async def _between_turns(self, work: Callable[[], _T]) -> _T:
        found: asyncio.Future[_T] = self._virtual.create_future()

        def job() -> None:
            if found.done():
                return  # nobody asks for it any more
            try:
                found.set_result(work())
            except Exception as error:  # noqa: BLE001 - whatever it is, it is whose work it is
                found.set_exception(error)

        self._virtual.between_turns(job)
        return await found

    async def _at_this_instant(
        self,
        session: Session,
        call: Callable[[asyncpg.Connection[Any]], Awaitable[_T]],
        *,
        reads_time: bool,
    ) -> _T:
        now = self._now()
        if reads_time and session.at != now:
            session.at = now
            await session.real.execute(f"SET simulation.now = '{now.isoformat()}'")
        return await call(session.real)

    def _has_ended(self, statement: _Statement) -> bool:
        """Whether the call has ended; False once it certainly waits for a lock."""
        call = statement.call
        if call is None:
            raise RuntimeError("nothing was called")
        deadline, was_blocked = time.monotonic() + _GIVE_UP_S, False
        while time.monotonic() < deadline:
            if self._driver.run_while(call, _LONG_S):
                return True
            blocked = self._is_blocked(statement)
            if blocked and was_blocked:
                # It was so a while ago too: were it a deadlock, Postgres would have broken it.
                return False
            was_blocked = blocked
        raise TimeoutError("Postgres does not answer")

    def _look_again(self) -> None:
        """Let those go on whose lock has come free, in the order in which they began to wait."""
        for statement in list(self._blocked):
            if not self._is_blocked(statement) and self._has_ended(statement):
                self._blocked.remove(statement)
                if statement.over.done():
                    # Nobody is left to be told, nor to be told of an error.
                    _ = statement.call is None or statement.call.exception()
                else:
                    statement.over.set_result(None)

    def _is_blocked(self, statement: _Statement) -> bool:
        return self._driver.do(self._driver.is_blocked(statement.session))
