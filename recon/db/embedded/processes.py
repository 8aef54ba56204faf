"""Which processes belong to a server, told by their titles.

A title is readable whoever runs the process; the more telling ``/proc/…/cwd`` is not, for root in a
container.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon.db.embedded.place import Place

__all__ = ["is_alive", "server_processes"]


def server_processes(place: Place) -> dict[int, bool]:
    """Find the processes of a place's server.

    Args:
        place: names the cluster; every process of it has that name in its title.

    Returns:
        Process ids; True for the postmaster, False for a process of its.
    """
    by_option = f"--cluster_name={place.cluster_name}"
    by_title = f"postgres: {place.cluster_name}: "
    return {
        pid: by_option in title
        for pid, uid, title in _processes()
        if uid == place.identity.uid and (by_option in title.split() or title.startswith(by_title))
    }


def is_alive(pid: int) -> bool:
    """Say whether a process has this id, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _processes() -> Iterator[tuple[int, int, str]]:
    if sys.platform != "linux":
        yield from _listed_by_ps()
        return
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            uid = entry.stat().st_uid
            title = Path(entry.path, "cmdline").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if title:  # a zombie has none
            yield int(entry.name), uid, title.replace(b"\0", b" ").decode(errors="replace")


def _listed_by_ps() -> Iterator[tuple[int, int, str]]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,uid=,command="],  # noqa: S607 - part of every such system
        check=True,
        capture_output=True,
        text=True,
    )
    for line in listing.stdout.splitlines():
        pid, uid, title = line.split(maxsplit=2)
        yield int(pid), int(uid), title
