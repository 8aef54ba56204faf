"""Migrations: alembic over our own connection, one at a time, never waiting long for a lock.

Each revision is one transaction, which takes the lock, looks where the schema is and goes one on:
nothing is kept in a session, so that a pooler by transaction may stand between.

The service runs meanwhile. Whoever waits for a table's lock holds up all who come after, so a
revision waits for a moment only, lets them pass, and tries again. And each says which code runs on
the schema that it leaves behind (docs/scaling.md, "Expand, then contract").
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg
from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from recon.db.grants import grants_for
from recon.db.pool import DatabaseUnavailableError
from recon.db.schema import SchemaStatus, schema_head, script_location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    _Step: TypeAlias = Callable[[Config, Connection], None]

_T = TypeVar("_T")

__all__ = ["downgrade", "migrate", "run_script"]

_ADVISORY_LOCK = 0x7265636F6E  # "recon"
_TRIES = 4
_BETWEEN_S = 0.4
"""Callers who waited behind the last try are served meanwhile."""


def run_script(version_file: str, direction: str) -> None:
    """Run ``<version>.<direction>.sql`` beside a version file, all of its statements.

    The driver's own ``execute`` takes a whole script; SQLAlchemy's prepares single statements.
    """
    script = Path(version_file).with_suffix(f".{direction}.sql").read_text(encoding="utf-8")
    _execute(op.get_bind(), script)


async def migrate(
    dsn: str, *, revision: str = "head", service_role: str | None = None, regrant: bool = False
) -> SchemaStatus:
    """Bring the schema up to ``revision``; safe to call from many processes at once.

    Args:
        dsn: the owner's, who makes and changes tables.
        revision: how far; grants are given at the newest one only.
        service_role: who runs the service, and gets exactly the rights in ``grants.sql``; ``None``,
            or the owner itself, for nobody.
        regrant: give the rights again even where they were given before.

    Raises:
        DatabaseUnavailableError: no server answers, another session holds a lock we need, or there
            is no such role.
    """

    def step(config: Config, connection: Connection) -> None:
        while _patiently(lambda: _move(config, connection, revision, up=True)):
            pass
        if service_role is None:
            return
        try:
            _patiently(lambda: _give(connection, service_role, regrant=regrant))
        except DatabaseUnavailableError:
            # Nor is it taken for done the next time.
            with _locked(connection):
                _execute(connection, "COMMENT ON TABLE alembic_version IS NULL")
            raise

    return await _run(dsn, step)


async def downgrade(dsn: str, *, revision: str) -> SchemaStatus:
    """Take the schema down to ``revision`` (``base`` for nothing at all)."""

    def step(config: Config, connection: Connection) -> None:
        while _patiently(lambda: _move(config, connection, revision, up=False)):
            pass

    return await _run(dsn, step)


async def _run(dsn: str, step: _Step) -> SchemaStatus:
    engine = create_async_engine(
        make_url(dsn).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        # Whoever has waited for the lock sees what was done meanwhile.
        isolation_level="READ COMMITTED",
        # No statement is left behind by name in a session that is somebody else's next.
        connect_args={"statement_cache_size": 0, "prepared_statement_cache_size": 0},
    )
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_walk, step)
    except (OSError, asyncpg.PostgresError, DBAPIError) as error:
        reason = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
        hint = (
            "; migrate as the tables' owner, RECON_MIGRATION_DATABASE_URL"
            if isinstance(reason, asyncpg.InsufficientPrivilegeError)
            else ""
        )
        raise DatabaseUnavailableError(f"the schema cannot be reached: {reason}{hint}") from error
    finally:
        await engine.dispose()


def _walk(connection: Connection, step: _Step) -> SchemaStatus:
    config = Config()
    config.set_main_option("script_location", str(script_location()))
    config.attributes["connection"] = connection
    step(config, connection)
    current = MigrationContext.configure(connection).get_current_revision()
    said = "SELECT col_description(to_regclass('alembic_version'), 1)"
    return SchemaStatus(current, schema_head(), connection.execute(text(said)).scalar())


def _patiently(work: Callable[[], _T]) -> _T:
    """Do what is one transaction again where a lock was not to be had in a moment."""
    for left in reversed(range(_TRIES)):
        try:
            return work()
        except (DBAPIError, asyncpg.PostgresError) as error:
            reason = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
            if not left or not isinstance(reason, asyncpg.LockNotAvailableError):
                raise
        await_only(asyncio.sleep(_BETWEEN_S))
    raise RuntimeError("unreachable")


def _move(config: Config, connection: Connection, revision: str, *, up: bool) -> bool:
    """Go one revision towards another; False where there is none to go."""
    with _locked(connection):
        script = ScriptDirectory.from_config(config)
        line = [one.revision for one in script.walk_revisions()][::-1]
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in line:
            raise DatabaseUnavailableError(
                f"the schema is at {current}, which this version does not know", code="schema_ahead"
            )
        here = line.index(current) if current is not None else -1
        target = script.as_revision_number(revision)
        there = line.index(target) if isinstance(target, str) else -1
        if here >= there if up else here <= there:
            return False
        if up:
            command.upgrade(config, line[here + 1])
        else:
            command.downgrade(config, line[here - 1] if here else "base")
        now_at = here + 1 if up else here - 1
        if now_at >= 0:
            _say_who_runs(connection, script, line[: now_at + 1])
    return True


def _say_who_runs(connection: Connection, script: ScriptDirectory, line: list[str]) -> None:
    """Keep in the database which code runs on it: what the most demanding of its revisions says.

    Each speaks of its own change alone, and one that says nothing runs with its own code: what it
    took away is not there again because a later one takes nothing.

    As a comment: it needs no rights, no table, and older code that asks for none is not disturbed.

    Args:
        connection: in the revision's transaction.
        script: the revisions.
        line: those that the database has, from the first on.
    """
    oldest_code = max(getattr(script.get_revision(one).module, "oldest_code", one) for one in line)
    _execute(connection, f"COMMENT ON COLUMN alembic_version.version_num IS '{oldest_code}'")


def _give(connection: Connection, role: str, *, regrant: bool) -> None:
    with _locked(connection):
        _grant(connection, role, regrant=regrant)


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """One transaction, alone among those who migrate."""
    with connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))
        yield


def _grant(connection: Connection, role: str, *, regrant: bool) -> None:
    """Give a role its rights, unless the mark says that it has them."""
    current = MigrationContext.configure(connection).get_current_revision()
    owner = connection.execute(text("SELECT current_user")).scalar_one()
    if current != schema_head() or owner == role:
        return
    statements, mark = grants_for(script_location() / "grants.sql", role)
    found = "SELECT obj_description('alembic_version'::regclass, 'pg_class')"
    if not regrant and connection.execute(text(found)).scalar() == mark:
        return
    quoted = mark.replace("'", "''")
    _execute(connection, f"{statements}\nCOMMENT ON TABLE alembic_version IS '{quoted}'")
    # What PUBLIC has there only the schema's owner takes back; from others it is a mere warning.
    left = "SELECT has_schema_privilege(:role, 'public', 'CREATE')"
    if connection.execute(text(left), {"role": role}).scalar():
        raise DatabaseUnavailableError(
            f"role {role} may create in schema public, where its functions and tables could stand"
            " for ours: have the schema's owner run REVOKE CREATE ON SCHEMA public FROM PUBLIC, or"
            " whomever it was granted to, and migrate again",
            code="role_too_mighty",
        )


def _execute(connection: Connection, script: str) -> None:
    driver: asyncpg.Connection[Any] | None = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("migrations need a live connection")
    await_only(driver.execute(script))
