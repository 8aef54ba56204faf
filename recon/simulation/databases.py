"""The database that runs are played on: migrated, on virtual time, and empty before each of them.

One database and its connections serve every run, one after the other: to make a database and to
connect anew, with everything that a session learns of types and plans, took as long as the run.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import asyncpg

from recon.db import load
from recon.db.embedded import SERVICE_USER
from recon.db.migrations import migrate
from recon.simulation.driver import Driver
from recon.simulation.postgres import DEADLOCK_TIMEOUT_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

__all__ = ["Databases", "Server"]

_NAME: Final = "recon_simulation"
_VIRTUAL_TIME: Final = Path(__file__).with_name("virtual_time.sql")
_HISTORY: Final = Path(__file__).with_name("history.sql")


class Server(Protocol):
    """What is needed of `recon.db.embedded.EmbeddedPostgres`."""

    def dsn_for(self, database: str) -> str:
        """A database, as its owner, who may make databases."""
        ...

    def service_dsn_for(self, database: str) -> str:
        """A database, as the service's role."""
        ...


class Databases:
    """A database of a server's for one run after the other; nobody else's.

    Used as a context manager, outside of any running event loop.

    Args:
        server: an embedded one.
        name: of the database, made when it is first needed.
        changes: statements for its owner to run once it is migrated, such as those that plant a
            bug.
    """

    def __init__(self, server: Server, *, name: str = _NAME, changes: Sequence[str] = ()) -> None:
        self._server = server
        self._name = name
        self._changes = changes
        self._driver: Driver | None = None
        self._owner: asyncpg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        driver, self._driver = self._driver, None
        if driver is None:
            return
        if self._owner is not None:
            self._owner.terminate()
        driver.close()
        asyncio.run(self._execute(f"DROP DATABASE {self._name} WITH (FORCE)"))

    def prepare(self) -> Driver:
        """Make the database; `fresh` does it too where nobody has."""
        if self._driver is None:
            asyncio.run(self._make())
            self._driver = Driver(self._server.service_dsn_for(self._name))
            self._owner = self._driver.do(asyncpg.connect(self._server.dsn_for(self._name)))
        return self._driver

    @contextmanager
    def fresh(self) -> Iterator[Driver]:
        """The way to the database, as the service's role; nothing of an earlier run is left."""
        driver = self.prepare()
        owner = self._owner
        if owner is None:
            raise RuntimeError("the database was made without its owner")
        driver.do(owner.execute(load("recon.simulation", "empty")))
        try:
            yield driver
        finally:
            driver.put_away()

    async def _make(self) -> None:
        await self._execute(f"CREATE DATABASE {self._name}")
        await migrate(self._server.dsn_for(self._name), service_role=SERVICE_USER)
        await self._execute(
            f"ALTER DATABASE {self._name} SET deadlock_timeout = '{DEADLOCK_TIMEOUT_MS}ms'",
            *self._changes,
            _VIRTUAL_TIME.read_text(encoding="utf-8"),
            _HISTORY.read_text(encoding="utf-8"),
            f"GRANT USAGE ON SCHEMA simulation TO {SERVICE_USER}",
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA simulation TO {SERVICE_USER}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA simulation TO {SERVICE_USER}",
            database=self._name,
        )

    async def _execute(self, *statements: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self._server.dsn_for(database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()
