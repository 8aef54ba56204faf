"""Empty databases: here the migrations are what is tested."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db.embedded import EmbeddedPostgres

_numbers = count(1)


@pytest.fixture
async def empty_url(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database of the test's own in which nothing was ever migrated."""
    name = f"empty_{next(_numbers)}"
    admin = await asyncpg.connect(server.dsn_for("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        yield server.dsn_for(name)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()
