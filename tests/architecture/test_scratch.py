"""What tests throw away is gone at their end, also where they were killed before it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from tests import scratch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own, as a process finds it that has just begun."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def left(place: Path, name: str, *, minutes_ago: int = 5) -> Path:
    path = place / name
    (path / "data").mkdir(parents=True)
    then = path.stat().st_mtime - 60 * minutes_ago
    os.utime(path, (then, then))
    return path


def test_a_folder_is_gone_at_the_end() -> None:
    with scratch.passable_folder("recon-x-") as path:
        (path / "data").mkdir()
        assert path.stat().st_mode & 0o777 == 0o755

    assert not path.exists()


def test_what_a_killed_test_left_is_cleared_away_and_nothing_else(place: Path) -> None:
    killed = left(place, "recon-x-killed.test")
    just_made = left(place, "recon-x-new.test", minutes_ago=0)
    not_a_tests = left(place, "recon-x-other")
    held = left(place, "recon-x-held.test")
    holder = os.open(held, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_SH)

    with scratch.passable_folder("recon-x-") as path:
        assert sorted(place.iterdir()) == sorted([path, just_made, not_a_tests, held])

    os.close(holder)
    assert not killed.exists()


def test_a_folder_in_use_is_not_taken_for_one_that_was_left(place: Path) -> None:
    with scratch.passable_folder("recon-x-") as path:
        os.utime(path, (0, 0))
        scratch._clear.cache_clear()  # noqa: SLF001 - as in another process
        with scratch.passable_folder("recon-y-"):
            assert path.parent == place
            assert path.exists()
