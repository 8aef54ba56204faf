"""The driver of the real Postgres: a loop of its own, run between two turns of the virtual one.

It outlives a run, and so do its connections: what they have learnt serves the next.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from recon.db import load, open_pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from datetime import datetime

    import asyncpg
    from asyncpg.transaction import Transaction

    from recon.db import Pool

__all__ = ["Driver", "Session"]

_T = TypeVar("_T")

_SEARCH_PATH: Final = "simulation, pg_catalog, public, pg_temp"
"""The simulation's ``clock_timestamp()`` comes before Postgres's own."""
_CONNECTIONS: Final = 60
_TELL_TIME: Final = ("clock_timestamp", "statement_timestamp", "now")


class Session:
    """A connection to Postgres, for one user at a time.

    Attributes:
        real: asyncpg's.
        pid: of its backend.
        at: the virtual instant that it was told last; None: not in this run, or taken back.
        transaction: the one that is open.
        broken: to its user, it is gone.
    """

    def __init__(self, real: asyncpg.Connection[Any]) -> None:
        self.real = real
        self.pid = real.get_server_pid()
        self.at: datetime | None = None
        self.transaction: Transaction | None = None
        self.broken = False


class Driver:
    """Makes real calls of Postgres, each to its end.

    Args:
        dsn: of the database, as the service's role.
    """

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.pool: Pool = self.do(
            self._stack.enter_async_context(open_pool(dsn, max_size=_CONNECTIONS))
        )
        self._idle: list[Session] = []
        self._used: dict[Session, None] = {}
        names = "|".join(self.do(self._functions()))
        self._timely = re.compile(
            rf"\b(INSERT|UPDATE|DELETE|clock_timestamp|statement_timestamp|now|{names})\b"
        )

    @cache  # noqa: B019 - a driver lives as long as its database
    def may_read_time(self, statement: str) -> bool:
        """Whether Postgres may look at the clock for a statement: it writes, or calls for it."""
        return self._timely.search(statement) is not None

    def do(self, work: Awaitable[_T]) -> _T:
        """Do something now, to its end."""
        return self._loop.run_until_complete(work)

    def begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Begin something that goes on while the driver runs."""
        return self._loop.create_task(work)

    def run_while(self, call: asyncio.Task[Any], at_most_s: float) -> bool:
        """Run until a call has ended, or so long; whether it has."""
        if not call.done():
            # A future of this wait's own: a stop of the loop that comes late would end the next.
            over = self._loop.create_future()

            def end(_: object = None) -> None:
                if not over.done():
                    over.set_result(None)

            enough = self._loop.call_later(at_most_s, end)
            call.add_done_callback(end)
            self._loop.run_until_complete(over)
            call.remove_done_callback(end)
            enough.cancel()
        return call.done()

    def take(self) -> Session:
        """A session that nobody uses."""
        session = self._idle.pop() if self._idle else self.do(self._new_session())
        self._used[session] = None
        return session

    def give_back(self, session: Session) -> None:
        """Let others use a session, which is in no transaction; a broken one is let go."""
        if not session.broken:
            del self._used[session]
            self._idle.append(session)

    def drop(self, session: Session, *, waits: bool = False) -> None:
        """Break a session: when this returns, its transaction is gone and so are its locks.

        A connection that does nothing is rolled back and serves another user, to whom it is new:
        nobody can tell it from one that was closed, and those take a while to learn what it knows.

        Args:
            session: in use.
            waits: a statement of it is under way, and waits for a lock.
        """
        session.broken = True
        if session in self._used:
            del self._used[session]
            self.do(self._end(session) if waits else self._take_back(session))

    def put_away(self) -> None:
        """End a run: what is still used is dropped, the others are told the next one's time."""
        for session in list(self._used):
            self.drop(session, waits=True)
        for session in self._idle:
            session.at = None

    def close(self) -> None:
        """Close every connection."""
        # Sessions are never given back to the pool: they would be waited for.
        self.pool.terminate()
        self.do(self._stack.aclose())
        self._loop.close()

    async def is_blocked(self, session: Session) -> bool:
        """Whether a session waits for a lock that another holds or asked for first."""
        async with self.pool.acquire() as connection:
            return bool(
                await connection.fetchval(load("recon.simulation", "is_blocked"), session.pid)
            )

    async def _functions(self) -> list[str]:
        async with self.pool.acquire() as connection:
            return list(await connection.fetchval(load("recon.simulation", "functions")))

    async def _new_session(self) -> Session:
        connection: asyncpg.Connection[Any] = await self.pool.acquire()
        await connection.execute(f"SET search_path = {_SEARCH_PATH}")
        return Session(connection)

    async def _take_back(self, session: Session) -> None:
        if session.transaction is not None:
            await session.transaction.rollback()
        await session.real.execute("SELECT pg_advisory_unlock_all()")
        self._idle.append(Session(session.real))

    async def _end(self, session: Session) -> None:
        session.real.terminate()  # the pool forgets it by itself
        async with self.pool.acquire() as connection:
            await connection.fetchval(load("recon.simulation", "terminate"), session.pid)
