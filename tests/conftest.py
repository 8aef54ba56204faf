"""A real Postgres for every test: one embedded server a session, an empty database a test."""

from __future__ import annotations

import gc
import signal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from hypothesis import settings

from recon.db import Pool, open_pool
from recon.db.embedded import SERVICE_USER, EmbeddedPostgres, embedded_postgres, remove_embedded
from recon.db.migrations import migrate
from tests.databases import Shelf
from tests.order import longest_first
from tests.scratch import passable_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from pathlib import Path

pytest_plugins = ["tests.network", "tests.logs", "tests.second_tries", "tests.violence.summary"]

# The same examples in every run, however long a busy machine takes for one of them.
settings.load_profile("ci")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected lives as long as the process: the garbage collector never looks at it.

    It was a third of what it costs each worker to import and list five thousand tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several work, they begin with what takes long."""
    if hasattr(config, "workerinput"):
        longest_first(items, config.workerinput["workercount"])


def pytest_configure() -> None:
    """What we start hears SIGHUP, also where we were started by `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_unconfigure() -> None:
    """Let everything go in order at the end."""
    gc.unfreeze()


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


@pytest.fixture(scope="session")
async def shelf(
    server: EmbeddedPostgres, administrator: asyncpg.Connection[Any], template: str
) -> AsyncIterator[Shelf]:
    """Where databases are lent from."""
    made = Shelf(server, administrator, template)
    yield made
    await made.close()


@pytest.fixture
async def database_url(shelf: Shelf) -> AsyncIterator[str]:
    """A migrated database of the test's own, as the service's role, so that the suite proves that
    its rights are enough; `owner` is for what they forbid.
    """
    lent = await shelf.lend()
    yield lent.url
    await shelf.take_back(lent)


@pytest.fixture
def owner_url(server: EmbeddedPostgres, database_url: str) -> str:
    """The test's own database as its owner, who may do anything to it."""
    return server.dsn_for(urlsplit(database_url).path.removeprefix("/"))


@pytest.fixture
async def pool(
    request: pytest.FixtureRequest, database_url: str, shelf: Shelf
) -> AsyncIterator[Pool]:
    """A pool on the test's own database, as the service."""
    lent = shelf.lent_at(database_url)
    if lent is not None and request.node.get_closest_marker("cold") is None:
        yield await lent.pool()
        return
    async with open_pool(database_url, max_size=20) as opened:
        yield opened


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's own database as its owner, to plant what the service could not do."""
    async with open_pool(owner_url, min_size=0, max_size=4) as opened:
        yield opened
