from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from recon.db.embedded import start_embedded
from tests.db.embedded.home import FAST, SECRET_OF_THE_STARTER, Home, Running
from tests.db.embedded.processes import gone, kill, processes_naming
from tests.scratch import passable_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    """A place for a test that starts and stops servers."""
    async with _temporary_home() as home:
        yield home


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[Running]:
    """A server for the tests that only look at one."""
    async with _temporary_home() as home:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RECON_GAME_API_KEY", SECRET_OF_THE_STARTER)
            server = await start_embedded(
                home.data_dir, settings=FAST | {"max_connections": "37"}, root_home=home.root_home
            )
        try:
            yield Running(home, server)
        finally:
            await server.stop()


@asynccontextmanager
async def _temporary_home() -> AsyncIterator[Home]:
    with passable_folder("recon-test-") as top:
        home = Home(top / "home", top / "root-home")
        home.path.mkdir()
        yield home
        try:
            await gone(home.seen | processes_naming(top))
        finally:
            kill(*home.seen, *processes_naming(top))
            shutil.rmtree(top)  # fails where anybody still writes
