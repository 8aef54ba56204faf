"""A child that does not outlive the supervisor, even one that was killed with SIGKILL."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h
# Loaded here, not in the child: between fork and exec nothing should need a lock or a file.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> Callable[[], None]:
    """Give what the child is to do before exec: ask for a fast shutdown when we, its parent, die.

    PostgreSQL takes SIGINT as "disconnect everybody and stop"; every other program simply ends.
    Only Linux can do this. Elsewhere the next start stops a server that was left behind.
    """
    parent = os.getpid()

    def ask() -> None:
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask
