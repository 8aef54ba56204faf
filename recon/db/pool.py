"""The connection pool.

No session state is relied on, so that a transaction-level pooler may stand between.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import msgspec
from aiohttp import web

from recon.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

__all__ = ["MIN_SERVER_VERSION", "POOL", "DatabaseUnavailableError", "Pool", "open_pool"]

MIN_SERVER_VERSION = 15

POOL: web.AppKey[Pool] = web.AppKey("pool", asyncpg.Pool)


class DatabaseUnavailableError(Unavailable):
    """Postgres cannot be reached, or is older than we can use."""

    code = "database_unavailable"


async def _prepare(connection: asyncpg.Connection[Any]) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: msgspec.json.encode(value).decode(),
        decoder=lambda text: msgspec.json.decode(text.encode()),
        format="text",
    )


@asynccontextmanager
async def open_pool(
    dsn: str, *, min_size: int = 1, max_size: int = 10, application: str = "recon"
) -> AsyncIterator[Pool]:
    """A pool on ``dsn``, closed at the end.

    Raises:
        DatabaseUnavailableError: no server answers, or it is older than PostgreSQL 15.
    """
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=_prepare,
            timeout=10,
            command_timeout=60,
            server_settings={"application_name": application},
        )
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise DatabaseUnavailableError(f"Postgres cannot be reached: {error}") from error
    try:
        await _refuse_old_server(pool)
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=10)
        except TimeoutError:
            pool.terminate()


async def _refuse_old_server(pool: Pool) -> None:
    async with pool.acquire() as connection:
        version = connection.get_server_version()
    if version.major < MIN_SERVER_VERSION:
        raise DatabaseUnavailableError(
            f"PostgreSQL {version.major} is too old; recon needs {MIN_SERVER_VERSION} or newer",
            code="database_too_old",
        )
