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
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from recon.db import load, open_pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from datetime import datetime

    import asyncpg

    from recon.db import Pool
    from recon.simulation.loop import VirtualLoop

__all__ = ["DEADLOCK_TIMEOUT_MS", "Postgres", "Session", "open_postgres"]

_T = TypeVar("_T")

DEADLOCK_TIMEOUT_MS: Final = 10
"""What the database is set to: so long, and Postgres looks whether a wait is a deadlock."""
_SEARCH_PATH: Final = "simulation, pg_catalog, public, pg_temp"
"""The simulation's ``clock_timestamp()`` comes before Postgres's own."""
_SAME_INSTANT: Final = timedelta(milliseconds=50)
_LONG_S: Final = 0.05
_GIVE_UP_S: Final = 60.0
_CONNECTIONS: Final = 60


class Session:
    """A connection to Postgres, for one user at a time.

    Attributes:
        real: asyncpg's.
        at: the virtual instant that it was told last; None: not in this use, or taken back.
        broken: it is gone.
    """

    def __init__(self, real: asyncpg.Connection[Any]) -> None:
        self.real = real
        self.pid = real.get_server_pid()
        self.at: datetime | None = None
        self.broken = False


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
        driver: runs between its turns.
        pool: the driver's.
        now: the virtual instant.
    """

    def __init__(
        self,
        virtual: VirtualLoop,
        driver: asyncio.AbstractEventLoop,
        pool: Pool,
        now: Callable[[], datetime],
    ) -> None:
        self._virtual = virtual
        self._driver = driver
        self._pool = pool
        self._now = now
        self._idle: list[Session] = []
        self._blocked: list[_Statement] = []
        self.calls = 0
        self.waits = 0

    async def run(self, work: Callable[[Pool], Coroutine[Any, Any, _T]]) -> _T:
        """Do something on the real pool, at once and to its end."""
        found: asyncio.Future[_T] = self._virtual.create_future()

        def job() -> None:
            if found.done():
                return  # nobody asks for it any more
            try:
                found.set_result(self._do(work(self._pool)))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is whose work it is
                found.set_exception(error)

        self._virtual.between_turns(job)
        return await found

    async def take(self) -> Session:
        """A session nobody uses."""
        session = self._idle.pop() if self._idle else await self.run(_new_session)
        session.at = None
        return session

    def give_back(self, session: Session) -> None:
        """Let others use a session, which is in no transaction; a broken one is let go."""
        if not session.broken:
            self._idle.append(session)

    async def perform(
        self, session: Session, call: Callable[[asyncpg.Connection[Any]], Awaitable[_T]]
    ) -> _T:
        """Make a call; nothing else happens meanwhile, unless it waits for somebody's lock."""
        statement = _Statement(session, self._virtual.create_future())

        def job() -> None:
            if statement.over.done():
                return  # its process died before it was sent
            self.calls += 1
            statement.call = self._driver.create_task(self._at_this_instant(session, call))
            if self._has_ended(statement):
                statement.over.set_result(None)
                if self._blocked and not session.real.is_in_transaction():
                    self._look_again()
            else:
                self.waits += 1
                self._blocked.append(statement)

        self._virtual.between_turns(job)
        try:
            await statement.over
        except asyncio.CancelledError:
            if statement in self._blocked:
                self.drop(session)
            raise
        if statement.call is None:
            raise RuntimeError("a statement that was never made has ended")
        result: _T = statement.call.result()
        return result

    def drop(self, session: Session) -> None:
        """Break a connection: before anything else happens, it and its transaction are gone."""
        if session.broken:
            return
        session.broken = True

        def job() -> None:
            self._do(self._drop(session))
            self._look_again()

        self._virtual.between_turns(job)

    async def _at_this_instant(
        self, session: Session, call: Callable[[asyncpg.Connection[Any]], Awaitable[_T]]
    ) -> _T:
        """A few milliseconds of virtual time are the same instant; a stall is not."""
        now = self._now()
        if session.at is None or now - session.at > _SAME_INSTANT:
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
            self._do(asyncio.wait({call}, timeout=_LONG_S))
            if call.done():
                return True
            blocked = self._do(self._is_blocked(statement.session.pid))
            if blocked and was_blocked:
                # It was so a while ago too: were it a deadlock, Postgres would have broken it.
                return False
            was_blocked = blocked
        raise TimeoutError("Postgres does not answer")

    def _look_again(self) -> None:
        """Let those go on whose lock has come free, in the order in which they began to wait."""
        for statement in list(self._blocked):
            still = self._do(self._is_blocked(statement.session.pid))
            if not still and self._has_ended(statement):
                self._blocked.remove(statement)
                if statement.over.done():
                    # Nobody is left to be told, nor to be told of an error.
                    _ = statement.call is None or statement.call.exception()
                else:
                    statement.over.set_result(None)

    async def _is_blocked(self, pid: int) -> bool:
        async with self._pool.acquire() as connection:
            return bool(await connection.fetchval(load("recon.simulation", "is_blocked"), pid))

    async def _drop(self, session: Session) -> None:
        session.real.terminate()  # the pool forgets it by itself
        async with self._pool.acquire() as connection:
            await connection.fetchval(load("recon.simulation", "terminate"), session.pid)

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._driver.run_until_complete(work)


@contextmanager
def open_postgres(
    virtual: VirtualLoop, dsn: str, now: Callable[[], datetime]
) -> Iterator[Postgres]:
    """The way to a database that has `recon.simulation.databases`' virtual time.

    Args:
        virtual: the simulation's loop, not running yet.
        dsn: as the service's role.
        now: the virtual instant.
    """
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        pool = runner.run(
            stack.enter_async_context(open_pool(dsn, min_size=2, max_size=_CONNECTIONS))
        )
        try:
            yield Postgres(virtual, runner.get_loop(), pool, now)
        finally:
            # Sessions that were never given back would be waited for.
            pool.terminate()
            runner.run(stack.aclose())


async def _new_session(pool: Pool) -> Session:
    connection: asyncpg.Connection[Any] = await pool.acquire()
    await connection.execute(f"SET search_path = {_SEARCH_PATH}")
    return Session(connection)
