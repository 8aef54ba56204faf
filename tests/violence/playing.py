"""Setting a scene, and striking it whatever became of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from recon.db import open_pool
from recon.http import Scope
from recon.http.keys import create_key
from tests.violence import sealing
from tests.violence.books import Books
from tests.violence.budget import random_of
from tests.violence.line import Line
from tests.violence.process import Service
from tests.violence.psp import Psp
from tests.violence.scene import Scene
from tests.violence.sealing import Sealing
from tests.violence.stories import settings_of_endpoints

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from tests.violence.cluster import Cluster

__all__ = ["playing"]


@asynccontextmanager
async def playing(
    cluster: Cluster,
    database: str,
    home: Path,
    name: str,
    *serve: str,
    settings: Mapping[str, str] | None = None,
    address: Callable[[], str] | None = None,
    at_ease: bool = False,
) -> AsyncIterator[Scene]:
    """A running service on a migrated database, and a PSP that has not begun yet.

    Args:
        cluster: where the database is.
        database: its name.
        home: an empty directory for the service.
        name: what the scenario is called; chance comes of it.
        serve: further arguments of ``recon serve``.
        settings: further ones of its.
        address: where the PSP sends to, if not to the service itself.
        at_ease: the PSP sends forty calls a second, not as many as there may be.
    """
    # As in production: by the role that may change nothing that was written.
    url = cluster.server.service_dsn_for(database)
    chance = random_of(name)
    async with open_pool(url, max_size=2) as pool:
        key = await create_key(pool, name="cashier", scopes=[Scope.WRITE_PAYMENT], lifetime=None)
    line = Line(url)
    await line.mend()
    environment = {
        "RECON_DATABASE_URL": line.database_url,
        "RECON_RECONCILE_EVERY": "off",
        **settings_of_endpoints(),
        **sealing.SETTINGS,
        **(settings or {}),
    }
    service = Service(environment, home)
    service.arguments += serve
    to = address or (lambda: service.url)
    connections, pause_s = (4, 0.1) if at_ease else (24, 0.0)
    psp = Psp(to, key.key, chance, connections=connections, pause_s=pause_s)
    try:
        await service.up()
        yield Scene(name, cluster, line, service, Books(url), psp, Sealing(url, chance), chance)
    finally:
        await service.close()
        await line.close()
