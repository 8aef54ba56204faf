"""Locks that the kernel gives back when their holder dies, however it dies.

``flock`` belongs to an open file, so a SIGKILL cannot leave one behind and no pid has to be
believed. A child never keeps its parent's lock: descriptors close on exec, and a plain fork closes
its copies.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Self

from recon.db.embedded.errors import EmbeddedPostgresError, from_os_error

if TYPE_CHECKING:
    from pathlib import Path

    from recon.db.embedded.deadline import Deadline

__all__ = ["FileLock"]

# Keeps what nobody refers to any more: a share ends when it is given back, or with the process.
_open_locks: set[FileLock] = set()


class FileLock:
    """One holder's place at a lock file, not yet locked.

    Args:
        path: the lock file; made with mode 0600 when it is not there. It is never removed, as a
            lock on a removed file excludes nobody.

    Raises:
        EmbeddedPostgresError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise from_os_error(error, "open a lock file") from error
        _open_locks.add(self)

    def try_shared(self) -> bool:
        """Take a share, unless somebody holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        """Hold it alone, unless somebody holds it in any way."""
        return self._try(fcntl.LOCK_EX)

    def shared(self, deadline: Deadline, waiting_for: str) -> Self:
        """Take a share, waiting for it."""
        while not self.try_shared():
            deadline.pause(waiting_for)
        return self

    def exclusive(self, deadline: Deadline, waiting_for: str) -> Self:
        """Hold it alone, waiting for it."""
        while not self.try_exclusive():
            deadline.pause(waiting_for)
        return self

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        if self._fd >= 0:
            # Unlocked by name: closing alone would leave it to a forked copy of the descriptor.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self._forget()

    def _try(self, operation: int) -> bool:
        try:
            fcntl.flock(self._fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise
            raise EmbeddedPostgresError(
                f"the file system of {self._path} has no file locks ({error}); "
                "put RECON_DATA_DIR on a local disk",
                code="postgres_place",
            ) from error
        return True

    def _forget(self) -> None:
        _open_locks.discard(self)
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _forget_in_child() -> None:
    # Closed, not unlocked: unlocking a shared descriptor would take the parent's lock away.
    for lock in list(_open_locks):
        lock._forget()  # noqa: SLF001 - a lock's own module closes a forked copy


os.register_at_fork(after_in_child=_forget_in_child)
