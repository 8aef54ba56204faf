"""A disk that is small enough to be filled: a tmpfs of its own."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from tests.violence.last_will import last_will

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["CannotMountError", "SmallDisk", "small_disk"]

_CHUNK: Final = bytes(1 << 20)


class CannotMountError(Exception):
    """This machine lets us mount nothing."""


class SmallDisk:
    """A mounted tmpfs.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave not one byte."""
        with self._ballast.open("ab", buffering=0) as ballast:
            size = len(_CHUNK)
            while size:
                try:
                    ballast.write(_CHUNK[:size])
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def free(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink(missing_ok=True)


@asynccontextmanager
async def small_disk(path: Path, size_mb: int) -> AsyncIterator[SmallDisk]:
    """A new tmpfs, gone at the end.

    Args:
        path: a directory that does not exist yet.
        size_mb: how much fits.

    Raises:
        CannotMountError: only root may, and not in every container.
    """
    path.mkdir()  # noqa: ASYNC240 - the disk is not what is waited for
    if os.geteuid():
        raise CannotMountError("only root mounts a tmpfs")
    options = f"size={size_mb}m,mode=0755"
    code, said = await _run("mount", "-t", "tmpfs", "-o", options, "recon-violence", str(path))
    if code:
        raise CannotMountError(f"no tmpfs can be mounted here: {said}")
    try:
        with last_will("umount", "-l", str(path)):
            yield SmallDisk(path)
    finally:
        code, said = await _run("umount", str(path))
        if code:
            # Somebody is still at it; it goes with them, and the test must tell.
            await _run("umount", "-l", str(path))
            raise AssertionError(said)


async def _run(*command: str) -> tuple[int | None, str]:
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        return -1, str(error)
    _, said = await child.communicate()
    return child.returncode, said.decode().strip()
