"""What runs, as the kernel tells it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "appeared",
    "as_user",
    "environment",
    "family",
    "gone",
    "kill",
    "living",
    "needs_root",
    "owner",
    "processes_naming",
    "program",
    "python_path",
    "sockets_of",
    "stranger_python",
    "supervisor_of",
    "title",
]

CHECKOUT = Path(__file__).parents[3]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about running as root")


def living() -> set[int]:
    """Processes that run; one that waits to be buried does not."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if _stat(int(entry.name))[0] != "Z":
                found.add(int(entry.name))
    return found


def supervisor_of(pid: int | None) -> int:
    """The parent of a server."""
    assert pid
    return int(_stat(pid)[1])


def family(pid: int | None) -> set[int]:
    """A server, its supervisor and its children."""
    assert pid
    found = {pid, supervisor_of(pid)}
    for other in living():
        with contextlib.suppress(OSError):
            if supervisor_of(other) == pid:
                found.add(other)
    assert len(found) > 5, "the supervisor, the server and its background processes"
    return found


def processes_naming(path: Path) -> set[int]:
    """Processes with a path below this one among their arguments."""
    found = set()
    for pid in living():
        with contextlib.suppress(OSError):
            if os.fsencode(path) in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def title(pid: int | None) -> list[str]:
    """The command that a process was started with; nothing once it has gone."""
    return _told(pid, "cmdline").split("\0")[:-1]


def environment(pid: int | None) -> str:
    """The environment that a process was started with; nothing once it has gone."""
    return _told(pid, "environ")


def _told(pid: int | None, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def program(pid: int | None) -> Path:
    """The file that a process runs."""
    return Path(f"/proc/{pid}/exe").readlink()


def owner(path: Path | str) -> dict[str, Any]:
    """Arguments of subprocess to run as a file's owner."""
    found = Path(path).stat()
    return as_user(found.st_uid, found.st_gid)


def as_user(uid: int, gid: int) -> dict[str, Any]:
    """Arguments of subprocess to run as another user, which only root can."""
    return {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}


def sockets_of(pids: set[int]) -> tuple[set[str], set[str]]:
    """The sockets that processes hold, and all sockets of the network."""
    held = {
        str(descriptor.readlink())
        for pid in pids
        for descriptor in Path(f"/proc/{pid}/fd").iterdir()
        if str(descriptor.readlink()).startswith("socket:")
    }
    tables = [Path("/proc/net", name).read_text() for name in ("tcp", "tcp6", "udp", "udp6")]
    lines = [line for table in tables for line in table.splitlines()[1:]]
    return held, {f"socket:[{line.split()[9]}]" for line in lines}


def kill(*pids: int) -> None:
    """SIGKILL whichever of them still run, all at once: none may see another die and tidy up."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


async def appeared(folder: Path, pattern: str) -> None:
    """Wait until there is such a file."""
    for _ in range(12_000):
        if list(folder.glob(pattern)):  # noqa: ASYNC240 - a poll of the disk
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"no {pattern} in {folder} after a minute")


async def gone(pids: set[int]) -> None:
    """Wait until none of them runs."""
    for _ in range(1200):
        left = pids & living()
        if not left:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"processes {left} are still there after a minute")


@functools.cache
def stranger_python() -> str:
    """A Python like ours that a user without rights can run; root's own may be out of reach."""
    user = pwd.getpwnam("nobody")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    elsewhere = [f"{folder}/python{version}" for folder in ("/usr/bin", "/usr/local/bin")]
    for candidate in (sys.executable, *elsewhere):
        with contextlib.suppress(OSError):
            tried = subprocess.run(  # noqa: S603 - a Python
                [candidate, "-c", "import asyncpg, recon.db.embedded"],
                check=False,
                capture_output=True,
                cwd="/",
                env={"PYTHONPATH": python_path()},
                **as_user(user.pw_uid, user.pw_gid),
            )
            if not tried.returncode:
                return candidate
    pytest.skip(f"an ordinary user can run no Python {version} here, or not read the environment")


def python_path() -> str:
    """Where any Python finds what ours does."""
    return os.pathsep.join([str(CHECKOUT), *sys.path])


def _stat(pid: int) -> list[str]:
    """State, parent…: what /proc/…/stat says after the name in brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
