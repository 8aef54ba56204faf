"""The Postgres that is measured: embedded, with the settings of a machine that has no other use."""

from __future__ import annotations

import os
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from recon.db.embedded import SERVICE_USER, embedded_postgres, remove_embedded
from recon.db.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from recon.db.embedded import EmbeddedPostgres

__all__ = ["SETTINGS", "bench_server", "make_databases"]

_MEMORY_GB: Final = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30

SETTINGS: Final = {
    # As they come: written so that nobody need look them up.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # For a machine that does this for a living: a quarter of its memory, few checkpoints.
    "shared_buffers": f"{max(1, round(_MEMORY_GB / 4))}GB",
    "checkpoint_timeout": "30min",
    "min_wal_size": "2GB",
    "max_wal_size": "16GB",
    "max_connections": "200",
}


@asynccontextmanager
async def bench_server() -> AsyncIterator[tuple[EmbeddedPostgres, Path]]:
    """A server of its own and the directory that it lies in, both gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="recon-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # noqa: ASYNC240 - nothing else runs yet
        try:
            async with embedded_postgres(home / "data", settings=SETTINGS) as server:
                yield server, home
        finally:
            await remove_embedded(home / "data")


async def make_databases(server: EmbeddedPostgres, names: Iterable[str]) -> None:
    """Make migrated, empty databases."""
    connection = await asyncpg.connect(server.dsn_for("postgres"), command_timeout=None)
    try:
        await connection.execute("CREATE DATABASE bench_template")
        await migrate(server.dsn_for("bench_template"), service_role=SERVICE_USER)
        for name in names:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE bench_template')
    finally:
        await connection.close()
