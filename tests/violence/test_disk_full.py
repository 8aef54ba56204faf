"""The disk of Postgres is full, and later it is not."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.db.embedded import SERVICE_USER, remove_embedded
from recon.db.migrations import migrate
from tests.violence.budget import ALLOWED, PATIENCE_S, seconds
from tests.violence.cluster import Cluster
from tests.violence.playing import playing
from tests.violence.small_disk import CannotMountError, small_disk
from tests.violence.summary import PROPERTY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.violence.scene import Scene
    from tests.violence.small_disk import SmallDisk

pytestmark = ALLOWED

# Postgres makes 60 MB of an empty database, and writes ahead in segments of 16.
_SIZE_MB = 256
_FILLS_WAL = "SELECT pg_logical_emit_message(true, 'violence', repeat('x', 1048576))"


@pytest.fixture
async def disk(
    home: Path, record_property: Callable[[str, object], None]
) -> AsyncIterator[SmallDisk]:
    """A small disk within reach of the server's user."""
    async with AsyncExitStack() as stack:
        try:
            mounted = await stack.enter_async_context(small_disk(home / "small", _SIZE_MB))
        except CannotMountError as error:
            record_property(PROPERTY, f"the disk is full: skipped, {error}")
            pytest.skip(str(error))
        yield mounted


@pytest.fixture
async def cramped(disk: SmallDisk) -> AsyncIterator[Cluster]:
    """A server with all of its files on the small disk."""
    made = Cluster(disk.path / "data")
    try:
        await made.start()
        await made.execute("CREATE DATABASE cramped")
        await migrate(made.server.dsn_for("cramped"), service_role=SERVICE_USER)
        yield made
    finally:
        disk.free()
        await made.close()
        await remove_embedded(made.data_dir)


@pytest.fixture
async def scene(
    cramped: Cluster,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> AsyncIterator[Scene]:
    """The scene, on the small disk."""
    async with playing(cramped, "cramped", tmp_path, request.node.name) as made:
        yield made
    record_property(PROPERTY, made.told())


async def test_the_disk_is_full_and_the_service_goes_on_by_itself_once_there_is_space(
    scene: Scene, disk: SmallDisk
) -> None:
    async def no_space_for_rows() -> bool:
        disk.fill()
        await _refuses(scene)
        await asyncio.sleep(1)
        disk.free()
        return True

    async def no_space_for_the_log() -> bool:
        """Postgres cannot even write ahead: it panics, and cannot start again either."""
        disk.fill()
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            for _ in range(_SIZE_MB):
                await scene.cluster.execute(_FILLS_WAL)
        await _refuses(scene)
        await asyncio.sleep(1)
        disk.free()
        return True

    async with scene.under_load():
        clock = asyncio.get_running_loop().time
        until = clock() + seconds(0)
        while not scene.harm or clock() < until:
            await scene.hurt("full for rows", no_space_for_rows)
            await scene.recovered()
            await scene.hurt("full for the log", no_space_for_the_log)
            await scene.recovered()
    await scene.judge()

    assert scene.service.starts == 1


async def _refuses(scene: Scene) -> None:
    """Wait until the service has told callers to come again."""
    enough = scene.psp.tally.refused + 10
    async with asyncio.timeout(PATIENCE_S):
        while scene.psp.tally.refused < enough:  # noqa: ASYNC110 - tasks work
            await asyncio.sleep(0.01)
