"""Where tests put what is thrown away at their end: in memory, where the machine has enough of it.

Every test clones a database, ten megabytes in three hundred files. On a disk that is most of what
the suite costs, whether or not anything is synced; in memory it is next to nothing. A Postgres that
is killed finds the same files in both.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["passable_folder", "scratch"]

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - Linux's own; what is made in it is private
_ENOUGH: Final = 4 << 30
"""A hundred times what one worker's server writes; a container's usual 64 MB are not."""
_OURS: Final = ".test"
_YOUNG_S: Final = 60.0
"""So long, a folder may have been made by somebody who has yet to lock it."""


def scratch() -> Path:
    """The folder for temporary files: ``TMPDIR``, else memory, else the machine's own."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return Path(tempfile.gettempdir())
    roomy = shutil.disk_usage(_MEMORY).free >= _ENOUGH
    return _MEMORY if roomy else Path(tempfile.gettempdir())


@contextmanager
def passable_folder(prefix: str) -> Iterator[Path]:
    """A folder, gone at the end, that others may pass.

    So that as root the server's user, who is nobody, reaches its data there and leaves none
    elsewhere; pytest's own ``tmp_path`` is closed to it. Whoever is killed leaves it behind; the
    next tests clear it away.
    """
    place = scratch()
    _clear(place)
    path = Path(tempfile.mkdtemp(prefix=prefix, suffix=_OURS, dir=place))
    alive = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(alive, fcntl.LOCK_SH)
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(alive)


@cache
def _clear(place: Path) -> None:
    """Remove what tests have left that were killed: nobody holds its lock."""
    for path in place.glob(f"recon-*{_OURS}"):
        with suppress(OSError):  # it is somebody else's, or gone by now
            if time.time() - path.stat().st_mtime < _YOUNG_S:
                continue
            left = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(left)
