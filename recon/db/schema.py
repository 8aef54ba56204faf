"""Where a database's schema is, and bringing it up: alembic is loaded only when there is work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from pathlib import Path

import asyncpg

from recon.db.grants import grants_for
from recon.db.pool import DatabaseUnavailableError

__all__ = ["SchemaStatus", "bring_up", "schema_head", "schema_status", "script_location"]

_CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """The database's revision beside the newest one known; ``None`` before the first.

    Attributes:
        oldest_code: the head of the oldest code that runs on the database's schema, as the newest
            revision there says; ``None`` where it does not.
    """

    current: str | None
    head: str
    oldest_code: str | None = None

    @property
    def up_to_date(self) -> bool:
        """Whether the database has every migration, and no other."""
        return self.current == self.head

    @property
    def is_served(self) -> bool:
        """Whether this code runs on the database's schema: its own, or a newer one that says so.

        A schema is brought up while the code of before still runs, which is replaced afterwards.
        """
        return self.up_to_date or (
            self.current is not None
            and self.oldest_code is not None
            and self.oldest_code <= self.head < self.current
        )


async def schema_status(dsn: str) -> SchemaStatus:
    """The database's revision and the newest one known, changing nothing.

    Raises:
        DatabaseUnavailableError: no server answers, or it does not let us in.
    """
    status, _ = await _look(dsn)
    return status


async def bring_up(dsn: str, *, service_role: str) -> SchemaStatus:
    """Bring the schema and the service's rights up to this version, unless they are.

    Alembic and SQLAlchemy take a third of a second to load, which most starts can do without.

    Args:
        dsn: the owner's, who makes and changes tables.
        service_role: who gets exactly the rights in ``grants.sql``.

    Raises:
        DatabaseUnavailableError: as ``recon.db.migrations.migrate``.
    """
    status, mark = await _look(dsn)
    if status.is_served and not status.up_to_date:
        return status  # what is newer than we are is left to whoever made it so
    if status.up_to_date and mark == grants_for(script_location() / "grants.sql", service_role)[1]:
        return status
    migrations = import_module("recon.db.migrations")
    brought: SchemaStatus = await migrations.migrate(dsn, service_role=service_role)
    return brought


@cache
def schema_head() -> str:
    """The newest revision that this installation carries: they are numbered, without a gap."""
    versions = script_location() / "versions"
    numbers = [path.stem.partition("_")[0] for path in versions.glob("[0-9]*.py")]
    if not numbers:
        raise RuntimeError("there are no migrations in this installation")
    return max(numbers)


def script_location() -> Path:
    """The migrations: inside the wheel as ``recon/migrations``, in a checkout as ``alembic``."""
    packaged = Path(str(resources.files("recon"))) / "migrations"
    return packaged if packaged.is_dir() else packaged.parent.parent / "alembic"


async def _look(dsn: str) -> tuple[SchemaStatus, str | None]:
    """Where the schema is, and the mark of the rights that were given in it."""
    try:
        # No statement stays by name in a session that may be a pooler's.
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_TIMEOUT_S, statement_cache_size=0)
        try:
            # A table is asked for its rows only where it is there: parsing would fail without it.
            mark: str | None = await connection.fetchval(
                "SELECT coalesce(obj_description(to_regclass('alembic_version'), 'pg_class'), '')"
                " WHERE to_regclass('alembic_version') IS NOT NULL"
            )
            if mark is None:
                return SchemaStatus(None, schema_head()), None
            row = await connection.fetchrow(
                "SELECT version_num, col_description('alembic_version'::regclass, 1)"
                " FROM alembic_version"
            )
            current, oldest_code = (None, None) if row is None else tuple(row)
            return SchemaStatus(current, schema_head(), oldest_code), mark
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise DatabaseUnavailableError(f"the schema cannot be reached: {error}") from error
