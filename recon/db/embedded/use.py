"""The doors to the server: for coroutines, and for plain code."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from recon.db.embedded.acquire import acquire
from recon.db.embedded.deadline import Deadline
from recon.db.embedded.errors import EmbeddedPostgresError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from recon.db.embedded.server import EmbeddedPostgres

__all__ = ["embedded_postgres", "embedded_postgres_sync", "start_embedded"]

_AS_IT_COMES: Mapping[str, str] = MappingProxyType({})
_TIMEOUT_S = 60.0


async def start_embedded(
    data_dir: Path,
    *,
    settings: Mapping[str, str] = _AS_IT_COMES,
    timeout_s: float = _TIMEOUT_S,
    root_home: Path | None = None,
) -> EmbeddedPostgres:
    """Start the data directory's server, or join the one that runs; ``stop`` it when done.

    Args:
        data_dir: recon's data directory, usually ``.recon``; made when missing, with mode 0700.
        settings: PostgreSQL's run-time parameters, over ``max_connections=100`` and
            ``shared_buffers=128MB``. A server that runs already keeps its own.
        timeout_s: seconds to wait at most, recovery after a crash included.
        root_home: as root only, replaces ``/var/lib/recon-postgres``, where the server goes whose
            user cannot reach ``data_dir``.

    Raises:
        EmbeddedPostgresError: there is no server to be had; the message says why and what to do.
    """
    deadline = Deadline(timeout_s)
    work = asyncio.ensure_future(
        asyncio.to_thread(acquire, data_dir, settings, deadline=deadline, root_home=root_home)
    )
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # A thread cannot be cancelled: it is told to give up, and what it got is given back.
        deadline.call_off()
        with suppress(EmbeddedPostgresError):
            await (await work).stop()
        raise


@asynccontextmanager
async def embedded_postgres(
    data_dir: Path,
    *,
    settings: Mapping[str, str] = _AS_IT_COMES,
    timeout_s: float = _TIMEOUT_S,
    root_home: Path | None = None,
) -> AsyncIterator[EmbeddedPostgres]:
    """Hold a share of the server for a block; as ``start_embedded``."""
    server = await start_embedded(
        data_dir, settings=settings, timeout_s=timeout_s, root_home=root_home
    )
    try:
        yield server
    finally:
        await server.stop()


@contextmanager
def embedded_postgres_sync(
    data_dir: Path,
    *,
    settings: Mapping[str, str] = _AS_IT_COMES,
    timeout_s: float = _TIMEOUT_S,
    root_home: Path | None = None,
) -> Iterator[EmbeddedPostgres]:
    """Hold a share of the server for a block, where there is no event loop."""
    server = acquire(data_dir, settings, deadline=Deadline(timeout_s), root_home=root_home)
    try:
        yield server
    finally:
        server.release()
