"""A real Postgres for every test: one embedded server a session, one cloned database a test."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from recon.db import Pool, open_pool
from recon.db.embedded import SERVICE_USER, EmbeddedPostgres, embedded_postgres, remove_embedded
from recon.db.migrations import migrate
from tests.scratch import passable_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytest_plugins = ["tests.network", "tests.logs", "tests.violence.summary"]

_numbers = count(1)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A directory for the session's server."""
    with passable_folder("recon-test-") as path:
        yield path


@pytest.fixture(scope="session")
async def server(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    """The session's Postgres; what it writes need not outlive a power cut."""
    quick = {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
    }
    async with embedded_postgres(home / "data", settings=quick) as running:
        yield running
    await remove_embedded(home / "data")


@pytest.fixture(scope="session")
async def administrator(server: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The connection that makes and drops databases: one a session, not two a test."""
    connection = await asyncpg.connect(server.dsn_for("postgres"))
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def template(server: EmbeddedPostgres, administrator: asyncpg.Connection[Any]) -> str:
    """The name of a migrated database to clone."""
    await administrator.execute("CREATE DATABASE template_recon")
    await migrate(server.dsn_for("template_recon"), service_role=SERVICE_USER)
    return "template_recon"


@pytest.fixture
async def database_url(
    server: EmbeddedPostgres, administrator: asyncpg.Connection[Any], template: str
) -> AsyncIterator[str]:
    """A migrated database of the test's own, as the service's role, so that the suite proves that
    its rights are enough; `owner` is for what they forbid.
    """
    name = f"test_{next(_numbers)}"
    await administrator.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield server.service_dsn_for(name)
    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def owner_url(server: EmbeddedPostgres, database_url: str) -> str:
    """The test's own database as its owner, who may do anything to it."""
    return server.dsn_for(urlsplit(database_url).path.removeprefix("/"))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's own database, as the service."""
    async with open_pool(database_url, max_size=20) as opened:
        yield opened


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's own database as its owner, to plant what the service could not do."""
    async with open_pool(owner_url, min_size=0, max_size=4) as opened:
        yield opened
