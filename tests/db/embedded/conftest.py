from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.db.embedded.home import Home
from tests.db.embedded.processes import gone, kill, processes_naming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    # Not tmp_path: its parents are closed to the user that root's server runs as.
    top = Path(tempfile.mkdtemp(prefix="recon-test-", dir="/tmp"))
    top.chmod(0o755)  # noqa: ASYNC240 - a moment
    home = Home(top / "home", top / "root-home")
    home.path.mkdir()
    yield home
    try:
        await gone(home.seen | processes_naming(top))
    finally:
        kill(*home.seen, *processes_naming(top))
        shutil.rmtree(top)
