"""A folder for one import's work; what a killed import left behind is removed by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["work_folder"]

_PREFIX: Final = "recon-settlement-"
_LOCK: Final = "held"
_UNHELD: Final = "being-held"


@contextmanager
def work_folder() -> Iterator[Path]:
    """A new private folder under the system's place for temporary files (``TMPDIR``).

    It is held by a file lock, which ends with the process however that ends.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_PREFIX}*"):
        _remove_unless_held(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    descriptor = os.open(folder / _UNHELD, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        # Under its name it is locked from the first: nobody takes it for one that was left.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / _UNHELD).rename(folder / _LOCK)
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_unless_held(folder: Path) -> None:
    """Remove a folder whose owner is gone; one without its lock file was only just made."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
