"""Taking a share of the server, which starts it when nobody else did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from recon.db.embedded.binaries import packaged_binaries
from recon.db.embedded.cluster import SERVICE_USER, USER
from recon.db.embedded.desk import Desk, open_desk
from recon.db.embedded.errors import from_log
from recon.db.embedded.launch import launch_supervisor
from recon.db.embedded.locks import FileLock
from recon.db.embedded.occupancy import is_supervised
from recon.db.embedded.processes import is_alive
from recon.db.embedded.server import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recon.db.embedded.deadline import Deadline

__all__ = ["acquire"]


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
                launch_supervisor(desk, settings, deadline, root_home)
                state = _started(desk, deadline)
        passwords = {USER: desk.password(), SERVICE_USER: desk.service_password()}
        return EmbeddedPostgres(data_dir, Path(state["sockets"]), passwords, share)
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
