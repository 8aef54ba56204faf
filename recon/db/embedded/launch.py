"""Starting the supervisor, as a process that is not ours to wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import IO, TYPE_CHECKING

from recon.db.embedded.errors import EmbeddedPostgresError, from_log, from_os_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recon.db.embedded.deadline import Deadline
    from recon.db.embedded.desk import Desk

__all__ = ["launch_supervisor"]

_LOG_BYTES = 4 * 1024 * 1024
# The supervisor lives longer than we do; it is not to keep our secrets.
_HANDED_DOWN = {
    *("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START", "PYTHONDONTWRITEBYTECODE"),
    *("DYLD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "XDG_RUNTIME_DIR"),
}
# The supervisor gives up before we do: it knows why.
_SUPERVISOR_PART = 0.8


def launch_supervisor(
    desk: Desk, settings: Mapping[str, str], deadline: Deadline, root_home: Path | None
) -> None:
    """Start the process that owns the server, and wait until it says how that went.

    Args:
        desk: where the locks are; the caller holds the one for starting.
        settings: run-time parameters.
        deadline: when to give up.
        root_home: see ``start_embedded``.

    Raises:
        EmbeddedPostgresError: the server did not start.
    """
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
