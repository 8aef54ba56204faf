"""What must be done when this process ends, even by a SIGKILL that lets it do nothing."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["last_will"]


@contextmanager
def last_will(*command: str) -> Iterator[None]:
    """Have a command run if we die within the block; afterwards it is ours to do, or not."""
    # The kernel closes our end of the pipe when we are gone, and only then does the reading fail.
    guard = subprocess.Popen(  # noqa: S603 - our own command
        ["/bin/sh", "-c", 'read -r _ || exec "$@"', "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.communicate(b"all is well\n")
