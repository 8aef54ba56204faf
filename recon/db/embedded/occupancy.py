"""Who is there: asked of the locks, as no pid can be trusted after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.db.embedded.locks import FileLock

if TYPE_CHECKING:
    from recon.db.embedded.desk import Desk

__all__ = ["is_supervised", "is_used_by_others"]


def is_supervised(desk: Desk) -> bool:
    """Say whether a supervisor lives, be it starting, running or stopping its server."""
    with FileLock(desk.server_lock) as lock:
        return not lock.try_shared()


def is_used_by_others(desk: Desk) -> bool:
    """Say whether anybody but us holds a share; we must have given ours back.

    Somebody else's look is a share too, for an instant.
    """
    with FileLock(desk.users_lock) as lock:
        # Refused alone and granted a share: others have theirs. Refused both: it is stopping.
        return not lock.try_exclusive() and lock.try_shared()
