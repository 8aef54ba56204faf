"""A user's share of the server: taking it, which starts the server, and giving it back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from recon.db.embedded.binaries import packaged_binaries
from recon.db.embedded.cluster import DATABASE, USER
from recon.db.embedded.deadline import Deadline
from recon.db.embedded.desk import Desk, open_desk
from recon.db.embedded.errors import EmbeddedPostgresError, from_log, from_os_error
from recon.db.embedded.locks import FileLock
from recon.db.embedded.occupancy import is_supervised, is_used_by_others
from recon.db.embedded.processes import is_alive
from recon.db.embedded.sockets import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EmbeddedPostgres", "acquire"]

_LOG_BYTES = 4 * 1024 * 1024
_STOP_TIMEOUT_S = 40.0
# The supervisor lives longer than we do; it is not to keep our secrets.
_HANDED_DOWN = {
    *("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START", "PYTHONDONTWRITEBYTECODE"),
    *("DYLD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "XDG_RUNTIME_DIR"),
}
# The supervisor gives up before we do: it knows why.
_SUPERVISOR_PART = 0.8


class EmbeddedPostgres:
    """A running server and our share of it.

    The server runs for as long as anybody holds a share; the share is lost with the process.

    Attributes:
        data_dir: recon's data directory.
        socket_dir: where the server's only socket is.
    """

    def __init__(self, data_dir: Path, socket_dir: Path, password: str, share: FileLock) -> None:
        self.data_dir = data_dir
        self.socket_dir = socket_dir
        self._password = password
        self._share = share

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"{type(self).__name__}({str(self.data_dir)!r})"

    @property
    def dsn(self) -> str:
        """The database ``recon`` as a libpq URL, password included."""
        return self.dsn_for(DATABASE)

    @property
    def pid(self) -> int | None:
        """The server's process id, which changes if it crashes; None while there is none."""
        desk = Desk(self.data_dir / "postgres")
        state = desk.read_json(desk.state_file)
        return state["pid"] if state else None

    def dsn_for(self, database: str) -> str:
        """Give the URL of any database of this server.

        Args:
            database: its name, unquoted.
        """
        socket_dir = quote(str(self.socket_dir), safe="/")
        return (
            f"postgresql://{USER}:{self._password}@/{quote(database, safe='')}"
            f"?host={socket_dir}&port={PORT}"
        )

    def bin(self, name: str) -> Path:
        """Give the path of one of PostgreSQL's programs, for example ``pg_dump``."""
        return packaged_binaries().bin(name)

    def release(self) -> None:
        """Give our share back; wait for the server to stop if it was the last.

        Raises:
            EmbeddedPostgresError: it should stop and does not.
        """
        self._share.release()
        desk = Desk(self.data_dir / "postgres")
        deadline = Deadline(_STOP_TIMEOUT_S)
        looks_in_use = 0
        # Twice in a row, as somebody else's look is a share too, for an instant.
        while is_supervised(desk) and looks_in_use < 2:  # noqa: PLR2004 - said above
            looks_in_use = looks_in_use + 1 if is_used_by_others(desk) else 0
            deadline.pause("the embedded server to stop")

    async def stop(self) -> None:
        """Do as ``release`` does, without holding up the event loop."""
        await asyncio.to_thread(self.release)


def acquire(
    data_dir: Path,
    settings: Mapping[str, str],
    *,
    deadline: Deadline,
    root_home: Path | None,
) -> EmbeddedPostgres:
    """Take a share of the data directory's server, starting it when nobody else did.

    Args:
        data_dir: recon's data directory; made when missing.
        settings: run-time parameters; they count for whoever starts the server.
        deadline: when to give up, and how others can make us.
        root_home: see ``start_embedded``.

    Raises:
        EmbeddedPostgresError: there is no server to be had; the message says why.
    """
    packaged_binaries()
    data_dir = data_dir.resolve()
    desk = open_desk(data_dir)
    share = FileLock(desk.users_lock)
    try:
        with FileLock(desk.start_lock) as starting:
            starting.exclusive(deadline, "another command to start the embedded server")
            share.shared(deadline, "the embedded server to finish stopping")
            state = _running(desk, deadline)
            if state is None:
                _start_supervisor(desk, settings, deadline, root_home)
                state = _started(desk, deadline)
        return EmbeddedPostgres(data_dir, Path(state["sockets"]), desk.password(), share)
    except BaseException:
        share.release()
        raise


def _started(desk: Desk, deadline: Deadline) -> dict[str, Any]:
    state = _running(desk, deadline)
    if state is None:
        raise from_log(
            f"the embedded server ended again at once; the end of {desk.log_file}", desk.log_file
        )
    return state


def _running(desk: Desk, deadline: Deadline) -> dict[str, Any] | None:
    """Wait for a server that is being started; None when nobody runs or starts one."""
    while is_supervised(desk):
        state = desk.read_json(desk.state_file)
        if state and is_alive(state["pid"]):
            return state
        deadline.pause("the embedded server to start")
    return None


def _start_supervisor(
    desk: Desk, settings: Mapping[str, str], deadline: Deadline, root_home: Path | None
) -> None:
    parameters = json.dumps(
        {
            "settings": dict(settings),
            "timeout_s": deadline.left_s * _SUPERVISOR_PART,
            "root_home": str(root_home.resolve()) if root_home else None,
        }
    )
    # It must find the very modules that we run, from another working directory.
    environment = {name: value for name, value in os.environ.items() if name in _HANDED_DOWN}
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
    try:
        with (
            _open_log(desk) as log,
            subprocess.Popen(  # noqa: S603 - this very interpreter
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "recon.db.embedded.supervisor",
                    desk.path.parent,
                    parameters,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
            ) as supervisor,
        ):
            answer = _read_all(supervisor, deadline)
    except OSError as error:
        raise from_os_error(error, "start the embedded server") from error
    if not answer:
        raise from_log(
            f"the embedded server's supervisor ended; the end of {desk.log_file}", desk.log_file
        )
    outcome = json.loads(answer)
    if "error" in outcome:
        raise EmbeddedPostgresError(outcome["error"], code=outcome["code"])


def _read_all(process: subprocess.Popen[bytes], deadline: Deadline) -> bytes:
    """Read what a process and its fork say, until both have closed their end."""
    if process.stdout is None:
        raise EmbeddedPostgresError("the supervisor has no output to read")
    answer = b""
    descriptor = process.stdout.fileno()
    os.set_blocking(descriptor, False)
    while True:
        try:
            part = os.read(descriptor, 65536)
        except BlockingIOError:
            deadline.pause("the embedded server to start")
            continue
        if not part:
            return answer
        answer += part


def _open_log(desk: Desk) -> IO[bytes]:
    log = desk.log_file
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
