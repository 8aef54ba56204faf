"""The server process: started, waited for, stopped, and cleaned up after."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from recon.db.embedded.binaries import CLEAN_ENVIRONMENT
from recon.db.embedded.child import die_with_parent
from recon.db.embedded.deadline import Deadline
from recon.db.embedded.errors import EmbeddedPostgresError, from_log
from recon.db.embedded.processes import is_alive, server_processes
from recon.db.embedded.sockets import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recon.db.embedded.binaries import Binaries
    from recon.db.embedded.place import Place

__all__ = ["Postmaster", "clear_remains"]

_DEFAULTS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
}
# Shutdown modes from gentle to certain. Source: PostgreSQL, "Shutting Down the Server".
_STOPPING = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_STOPPING_POLL_S = 0.005
_STATUS_LINE = 7  # of postmaster.pid, counted from 0. Source: PostgreSQL's pidfile.h


class Postmaster:
    """A server that we started.

    Args:
        place: where its data and socket are, and who it is.
        binaries: what to run.
        settings: run-time parameters over our defaults.
        log: open file descriptor for what it says.
    """

    def __init__(
        self, place: Place, binaries: Binaries, settings: Mapping[str, str], log: int
    ) -> None:
        self._place = place
        sockets = str(place.sockets).replace('"', '""')
        fixed = {
            "cluster_name": place.cluster_name,
            "listen_addresses": "",
            "unix_socket_directories": f'"{sockets}"',
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "password_encryption": "scram-sha-256",
            "logging_collector": "off",
        }
        options = [
            f"--{name}={value}" for name, value in {**_DEFAULTS, **settings, **fixed}.items()
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [binaries.bin("postgres"), "-D", place.data, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=CLEAN_ENVIRONMENT,
            umask=0o077,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - the supervisor has one thread
            **place.identity.credentials(),
        )

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def wait_ready(self, deadline: Deadline, log_file: Path) -> None:
        """Wait until it takes connections.

        Args:
            deadline: when to give up; recovery after a crash may take its time.
            log_file: where its log can be read, for the error.

        Raises:
            EmbeddedPostgresError: it ended, or the time is up.
        """
        while not self._is_ready():
            if self.has_ended:
                raise from_log(f"PostgreSQL did not start; the end of {log_file}", log_file)
            deadline.pause("PostgreSQL to take connections (it may be recovering from a crash)")

    def stop(self) -> None:
        """Stop it: disconnect everybody and write a checkpoint; harder if that takes too long."""
        for number, patience_s in _STOPPING:
            if self.has_ended:
                return
            self._process.send_signal(number)
            until = time.monotonic() + patience_s
            # Not wait(timeout): it looks ever more seldom, and everybody waits for this.
            while self._process.poll() is None and time.monotonic() < until:
                time.sleep(_STOPPING_POLL_S)

    def _is_ready(self) -> bool:
        try:
            lines = (self._place.data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return False
        return (
            len(lines) > _STATUS_LINE
            and lines[0].strip() == str(self.pid)
            and lines[_STATUS_LINE].strip() == "ready"
        )


def clear_remains(place: Place) -> None:
    """Clear away what a server that was killed left: processes, its pid file, its socket.

    The caller holds the server's lock, so a server that still runs here has lost its supervisor.

    Raises:
        EmbeddedPostgresError: a process of it cannot be ended.
    """
    for number, patience_s in _STOPPING:
        if not _end(place, number, patience_s):
            break
    else:
        raise EmbeddedPostgresError(
            f"processes of an earlier server do not end: {server_processes(place)}"
        )
    pid_file = place.data / "postmaster.pid"
    if pid_file.exists() and _names_living_process(pid_file):
        # No process of this cluster is left, so the number is another program's by now, and
        # PostgreSQL would take that one for its predecessor.
        pid_file.unlink()
    for socket in place.sockets.glob(".s.PGSQL.*"):
        socket.unlink()


def _end(place: Place, number: signal.Signals, patience_s: float) -> bool:
    """Signal what is left of a server and wait; True when something still is."""
    left = server_processes(place)
    # Backends whose postmaster died end by themselves; it alone takes the gentle signal.
    targets = [pid for pid, is_postmaster in left.items() if is_postmaster] or (
        [] if number == signal.SIGINT else list(left)
    )
    for pid in targets:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    deadline = Deadline(patience_s)
    while left and deadline.left_s:
        left = server_processes(place)
        if left:
            try:
                deadline.pause("an earlier server to end")
            except EmbeddedPostgresError:
                break
    return bool(left)


def _names_living_process(pid_file: Path) -> bool:
    try:
        return is_alive(int(pid_file.read_text("utf-8").split(maxsplit=1)[0]))
    except (ValueError, IndexError):
        return False  # cut off by a crash; PostgreSQL knows what to do with it
