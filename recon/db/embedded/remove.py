"""Removing a server with all of its data."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from recon.db.embedded.deadline import Deadline
from recon.db.embedded.desk import open_desk
from recon.db.embedded.errors import EmbeddedPostgresError, from_os_error
from recon.db.embedded.locks import FileLock
from recon.db.embedded.occupancy import is_used_by_others
from recon.db.embedded.place import find_place

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["remove_embedded"]

_STOP_TIMEOUT_S = 40.0


async def remove_embedded(data_dir: Path) -> None:
    """Delete the data directory's server, its data and its password, for good.

    Args:
        data_dir: recon's data directory; of it only what belongs to the server goes.

    Raises:
        EmbeddedPostgresError: somebody uses the server (``postgres_in_use``), or it is not ours.
    """
    await asyncio.to_thread(_remove, data_dir)


def _remove(data_dir: Path) -> None:
    data_dir = data_dir.resolve()
    if not (data_dir / "postgres").exists():
        return
    desk = open_desk(data_dir)
    deadline = Deadline(_STOP_TIMEOUT_S)
    with (
        FileLock(desk.start_lock) as starting,
        FileLock(desk.server_lock) as supervisor,
    ):
        starting.exclusive(deadline, "another command to start the embedded server")
        while not supervisor.try_exclusive():
            if is_used_by_others(desk):
                raise EmbeddedPostgresError(
                    f"the embedded server of {data_dir} is in use", code="postgres_in_use"
                )
            deadline.pause("the embedded server to stop")
        place = find_place(desk)
        try:
            if place:
                for folder in {place.sockets, place.home} - {desk.path}:
                    shutil.rmtree(folder, ignore_errors=not folder.exists())
            shutil.rmtree(desk.path)
        except OSError as error:
            raise from_os_error(error, "remove the embedded server") from error
