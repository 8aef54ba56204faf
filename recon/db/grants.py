"""What the service's own role may do: ``grants.sql``, filled in with its name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import asyncpg

from recon.db.pool import DatabaseUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["grants_for", "role_of"]

_ROLE = ':"service"'
"""A variable as psql writes it, so that the file can also be run by hand."""


def grants_for(script: Path, role: str) -> tuple[str, str]:
    """The statements that give a role its rights and nothing else, and a mark that they ran.

    Args:
        script: ``grants.sql``.
        role: the service's.
    """
    statements = script.read_text(encoding="utf-8").replace(_ROLE, _quoted(role))
    return statements, f"{role}: {hashlib.sha256(statements.encode()).hexdigest()[:16]}"


async def role_of(dsn: str) -> str:
    """Whom a URL connects as.

    Raises:
        DatabaseUnavailableError: no server answers, or it does not let us in.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=10, statement_cache_size=0)
        try:
            role: str = await connection.fetchval("SELECT current_user")
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise DatabaseUnavailableError(f"Postgres cannot be reached: {error}") from error
    return role


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
