"""A fresh database for each run, cloned from one that is migrated and reads virtual time."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import asyncpg

from recon.db.embedded import SERVICE_USER
from recon.db.migrations import migrate
from recon.simulation.postgres import DEADLOCK_TIMEOUT_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Databases", "Server"]

_TEMPLATE: Final = "recon_simulation"
_VIRTUAL_TIME: Final = Path(__file__).with_name("virtual_time.sql")


class Server(Protocol):
    """What is needed of `recon.db.embedded.EmbeddedPostgres`."""

    def dsn_for(self, database: str) -> str:
        """A database, as its owner, who may make databases."""
        ...

    def service_dsn_for(self, database: str) -> str:
        """A database, as the service's role."""
        ...


class Databases:
    """Databases of one server; never one that anybody else uses.

    Args:
        server: an embedded one.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = count(1)
        self._prepared = False

    def prepare(self) -> None:
        """Make what the others are cloned from; `fresh` does it too where nobody has."""
        if not self._prepared:
            asyncio.run(self._prepare())
            self._prepared = True

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The address of an empty migrated database, as the service's role; dropped at the end."""
        self.prepare()
        name = f"{_TEMPLATE}_{next(self._numbers)}"
        asyncio.run(
            self._execute(
                f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy",
                # A clone does not get its template's settings.
                f"ALTER DATABASE {name} SET deadlock_timeout = '{DEADLOCK_TIMEOUT_MS}ms'",
            )
        )
        try:
            yield self._server.service_dsn_for(name)
        finally:
            asyncio.run(self._execute(f"DROP DATABASE {name} WITH (FORCE)"))

    async def _prepare(self) -> None:
        await self._execute(f"CREATE DATABASE {_TEMPLATE}")
        await migrate(self._server.dsn_for(_TEMPLATE), service_role=SERVICE_USER)
        await self._execute(
            _VIRTUAL_TIME.read_text(encoding="utf-8"),
            f"GRANT USAGE ON SCHEMA simulation TO {SERVICE_USER}",
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA simulation TO {SERVICE_USER}",
            database=_TEMPLATE,
        )

    async def _execute(self, *statements: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self._server.dsn_for(database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()
