"""One migrated database for all that only looks at the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db.embedded import EmbeddedPostgres


@pytest.fixture(scope="module")
async def schema(
    server: EmbeddedPostgres, template: str, request: pytest.FixtureRequest
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to a migrated database of the module's own; tests here leave no row behind."""
    name = request.module.__name__.rpartition(".")[2]
    admin = await asyncpg.connect(server.dsn_for("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    connection = await asyncpg.connect(server.dsn_for(name))
    try:
        yield connection
    finally:
        await connection.close()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()
