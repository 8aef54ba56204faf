"""The process that owns the server: starts it, keeps it up, stops it after its last user.

Run as ``python -m recon.db.embedded.supervisor DATA_DIR PARAMETERS`` by the first user. It leaves
that user's process group and session, so that neither a terminal's Ctrl-C nor the end of whoever
started it reaches it. How the start went is one JSON object on its standard output. Its users hold
shares of a lock; once it gets that lock for itself, the last has left, killed or not.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections import deque
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recon.db.embedded.binaries import binaries_for
from recon.db.embedded.choose import root_base
from recon.db.embedded.cluster import ensure_cluster
from recon.db.embedded.deadline import Deadline
from recon.db.embedded.desk import Desk, write_private
from recon.db.embedded.errors import EmbeddedPostgresError, from_os_error
from recon.db.embedded.locks import FileLock
from recon.db.embedded.place import Place, settle
from recon.db.embedded.postmaster import Postmaster, clear_remains

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recon.db.embedded.binaries import Binaries

__all__ = ["main"]

_LOOK_EVERY_S = 0.1
_LOCK_TIMEOUT_S = 10.0
# A server that crashes more often than this will not be mended by another start.
_RESTARTS = 5
_RESTARTS_WITHIN_S = 60.0


class _Supervisor:
    def __init__(self, desk: Desk, parameters: Mapping[str, Any], log: int) -> None:
        self._desk = desk
        self._settings: Mapping[str, str] = parameters["settings"]
        self._timeout_s: float = parameters["timeout_s"]
        self._root_home = Path(parameters["root_home"]) if parameters["root_home"] else None
        self._log = log
        self._told_to_stop = False

    def prepare(self) -> tuple[Place, Binaries]:
        """Make sure of the directories, the programs and the cluster."""
        place = settle(self._desk, self._root_home)
        # Held until our end; the server's lock is the desk's, and a desk may have been copied.
        if not FileLock(place.lock).try_exclusive():
            raise EmbeddedPostgresError(
                f"the database in {place.home} is in use by another data directory, of which "
                f"{self._desk.path.parent} looks like a copy: remove {self._desk.path} to begin "
                "with an empty database here",
                code="postgres_in_use",
            )
        needs_base = place.identity.borrowed
        binaries = binaries_for(place.identity, root_base(self._root_home) if needs_base else None)
        clear_remains(place)
        durable = self._settings.get("fsync", "on") != "off"
        ensure_cluster(self._desk, place, binaries, durable=durable)
        return place, binaries

    def start(self, place: Place, binaries: Binaries) -> Postmaster:
        """Start the server, wait until it is ready and say so to those who come later."""
        server = Postmaster(place, binaries, self._settings, self._log)
        try:
            server.wait_ready(Deadline(self._timeout_s), self._desk.log_file)
            state = {"pid": server.pid, "supervisor": os.getpid(), "sockets": str(place.sockets)}
            write_private(self._desk.state_file, json.dumps(state))
        except BaseException:
            server.stop()
            raise
        return server

    def serve(self, server: Postmaster, place: Place, binaries: Binaries) -> None:
        """Keep the server up until its last user has left; then stop it."""
        users = FileLock(self._desk.users_lock)
        restarts: deque[float] = deque([-inf] * _RESTARTS, maxlen=_RESTARTS)
        while not self._told_to_stop and not users.try_exclusive():
            time.sleep(_LOOK_EVERY_S)
            if not server.has_ended:
                continue
            self._desk.state_file.unlink(missing_ok=True)
            if time.monotonic() - restarts[0] < _RESTARTS_WITHIN_S:
                raise EmbeddedPostgresError(f"PostgreSQL crashed {_RESTARTS + 1} times in a minute")
            self.say("PostgreSQL ended by itself; starting it again")
            restarts.append(time.monotonic())
            clear_remains(place)
            server = self.start(place, binaries)
        self._desk.state_file.unlink(missing_ok=True)
        server.stop()
        place.forget_short_sockets()
        # Our exit releases the locks: whoever waits for them finds nothing running.

    def say(self, message: str) -> None:
        """Write to the server's log."""
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        # A full disk, of all things, must not end who starts the server again.
        with contextlib.suppress(OSError):
            os.write(self._log, f"{now} [{os.getpid()}] supervisor: {message}\n".encode())

    def stop_soon(self, *_: object) -> None:
        """Handle a signal that asks us to end."""
        self._told_to_stop = True


def main(data_dir: str, parameters: str) -> None:
    """Own the server of a data directory until nobody uses it.

    Args:
        data_dir: recon's data directory, whose desk exists.
        parameters: JSON object with ``settings``, ``timeout_s`` and ``root_home``.
    """
    if os.fork():
        os._exit(0)  # whoever started us has no child to wait for
    os.setsid()
    os.umask(0o077)
    supervisor = _Supervisor(Desk(Path(data_dir, "postgres")), json.loads(parameters), log=2)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.stop_soon)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _own(supervisor, Desk(Path(data_dir, "postgres")))
    except OSError as error:
        _report(supervisor, from_os_error(error, "run PostgreSQL"))
    except EmbeddedPostgresError as error:
        _report(supervisor, error)


def _own(supervisor: _Supervisor, desk: Desk) -> None:
    own = FileLock(desk.server_lock)
    own.exclusive(Deadline(_LOCK_TIMEOUT_S), "the lock of the server that ran before")
    desk.state_file.unlink(missing_ok=True)
    place, binaries = supervisor.prepare()
    server = supervisor.start(place, binaries)
    _answer({"started": True})
    supervisor.serve(server, place, binaries)


def _report(supervisor: _Supervisor, error: EmbeddedPostgresError) -> None:
    supervisor.say(error.message)
    _answer({"error": error.message, "code": error.code})
    sys.exit(1)


def _answer(answer: Mapping[str, Any]) -> None:
    """Say how the start went; only the first answer has a listener."""
    # Whoever started us may be gone; the users' lock tells the rest.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(answer).encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


if __name__ == "__main__":
    main(*sys.argv[1:])
