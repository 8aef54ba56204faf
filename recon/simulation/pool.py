"""A process's pool as the rooms use it, over the real Postgres and in virtual time.

Each statement takes its time on the way there and on the way back. A process that dies, and a
connection that breaks, does so before the statement or after its effect; what was in a transaction
is gone with it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from recon.simulation.driver import Session
    from recon.simulation.postgres import Postgres
    from recon.simulation.process import Process

__all__ = ["SimulatedPool"]

_T = TypeVar("_T")

_SIZE: Final = 10
_WAIT_S: Final = 5.0
_LEAST_S: Final = 0.0002
_MOST_S: Final = 0.004
_SHOWN: Final = 60
_PATIENT_S: Final = 3600.0
"""Of real time, which must not matter: how long a statement may wait for a lock."""


class SimulatedPool:
    """What the rooms need of `recon.db.Pool`.

    Args:
        process: whose it is.
        postgres: the way to the database.
    """

    def __init__(self, process: Process, postgres: Postgres) -> None:
        self._process = process
        self._postgres = postgres
        self._free = asyncio.Semaphore(_SIZE)
        self._used: dict[Session, None] = {}
        process.at_death(self._shut)

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> AsyncIterator[_Connection]:  # noqa: ASYNC109 - asyncpg's own signature
        """A connection.

        Raises:
            TimeoutError: none became free in time.
        """
        self._process.must_live()
        async with asyncio.timeout(_WAIT_S if timeout is None else timeout):
            await self._free.acquire()
        try:
            self._process.must_live()
            session = await self._postgres.take()
            self._used[session] = None
            try:
                yield _Connection(self._process, self._postgres, session)
            finally:
                # A dead process's sessions were dropped in the instant of its death.
                if session in self._used:
                    del self._used[session]
                    self._postgres.give_back(session)
        finally:
            self._free.release()

    def _shut(self) -> None:
        used, self._used = list(self._used), {}
        for session in used:
            self._postgres.drop(session)


class _Connection:
    """What the rooms need of `asyncpg.Connection`."""

    def __init__(self, process: Process, postgres: Postgres, session: Session) -> None:
        self._process = process
        self._postgres = postgres
        self._session = session

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's own
        """All rows."""
        del timeout  # of real time, which does not pass
        return await self._make(
            _named(query, args),
            lambda real: real.fetch(query, *args, timeout=_PATIENT_S),
            statement=query,
        )

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's own
        """The first row, or None."""
        del timeout
        return await self._make(
            _named(query, args),
            lambda real: real.fetchrow(query, *args, timeout=_PATIENT_S),
            statement=query,
        )

    async def fetchval(self, query: str, *args: Any, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's own
        """The first column of the first row, or None."""
        del timeout
        return await self._make(
            _named(query, args),
            lambda real: real.fetchval(query, *args, timeout=_PATIENT_S),
            statement=query,
        )

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's own
        """The status."""
        del timeout
        return await self._make(
            _named(query, args),
            lambda real: real.execute(query, *args, timeout=_PATIENT_S),
            statement=query,
        )

    def give_up(self) -> None:
        """Drop the connection, as the rooms do with one that takes too long."""
        self._process.trace.note("given_up", self._process.name, "")
        self._process.cuts += 1
        self._postgres.drop(self._session)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AsyncIterator[None]:
        """As asyncpg's."""
        session = self._session
        real = session.real.transaction(isolation=isolation, readonly=readonly)
        outer = session.transaction

        async def start(_: object) -> None:
            await real.start()
            session.transaction = outer or real

        async def end(how: Callable[[], Awaitable[None]]) -> None:
            session.transaction = outer
            await how()

        await self._make("begin", start)
        try:
            yield
        except BaseException:
            if not session.broken:
                await self._make("rollback", lambda _: end(real.rollback))
                session.at = None  # what was set in it is taken back with it
            raise
        await self._make("commit", lambda _: end(real.commit))

    async def _make(
        self,
        what: str,
        call: Callable[[asyncpg.Connection[Any]], Awaitable[_T]],
        *,
        statement: str = "",
    ) -> _T:
        process = self._process
        await process.wait(_LEAST_S, _MOST_S)
        process.must_live()
        self._may_break(what, "before")
        result: _T
        try:
            result = await self._postgres.perform(self._session, call, statement=statement)
        except asyncpg.PostgresError as error:
            process.trace.note("db", process.name, f"{what} failed: {type(error).__name__}")
            await process.wait(_LEAST_S, _MOST_S)
            raise
        process.trace.note("db", process.name, f"{what} -> {_digest(result)}")
        self._may_break(what, "after")
        await process.wait(_LEAST_S, _MOST_S)
        return result

    def _may_break(self, what: str, when: str) -> None:
        process = self._process
        if not self._session.broken and process.dice.random() < process.weather().database_cut:
            process.trace.note("database_cut", process.name, f"{when} {what}")
            process.cuts += 1
            self._postgres.drop(self._session)
        if self._session.broken:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the simulation")


def _named(query: str, args: tuple[Any, ...]) -> str:
    """What a statement is, for the trace."""
    lines = (line for line in query.splitlines() if not line.startswith("--"))
    return f"{' '.join(' '.join(lines).split())[:_SHOWN]} {_digest([*map(_steady, args)])}"


def _steady(argument: object) -> object:
    """Names that come out of a set come in any order, which means nothing."""
    if isinstance(argument, list) and all(isinstance(one, str) for one in argument):
        return sorted(argument)
    return argument


def _digest(value: object) -> str:
    return sha256(repr(value).encode()).hexdigest()[:12]
