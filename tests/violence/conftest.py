"""A Postgres that may be killed, and the scenes that are played on it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from recon.db.embedded import SERVICE_USER, remove_embedded
from recon.db.migrations import migrate
from tests.scratch import passable_folder
from tests.violence.cluster import Cluster
from tests.violence.playing import playing
from tests.violence.summary import PROPERTY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.violence.scene import Scene

_numbers = count(1)


@pytest.fixture(scope="session")
async def cluster() -> AsyncIterator[Cluster]:
    """The session's server to be hurt, with a migrated database to clone."""
    with passable_folder("recon-violence-") as home:
        made = Cluster(home / "data")
        try:
            await made.start()
            await made.execute("CREATE DATABASE template_violence")
            await migrate(made.server.dsn_for("template_violence"), service_role=SERVICE_USER)
            yield made
        finally:
            await made.close()
            await remove_embedded(made.data_dir)


@pytest.fixture
async def scene(
    cluster: Cluster,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> AsyncIterator[Scene]:
    """A service on a database of its own, behind a line."""
    await cluster.up()
    database = f"violence_{next(_numbers)}"
    await cluster.execute(f"CREATE DATABASE {database} TEMPLATE template_violence")
    async with playing(cluster, database, tmp_path, request.node.name) as made:
        yield made
    record_property(PROPERTY, made.told())
    await cluster.up()
    await cluster.execute(f"DROP DATABASE {database} WITH (FORCE)")
