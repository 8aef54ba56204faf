"""A running server and our share of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from recon.db.embedded.binaries import packaged_binaries
from recon.db.embedded.cluster import DATABASE, SERVICE_USER, USER
from recon.db.embedded.deadline import Deadline
from recon.db.embedded.desk import Desk
from recon.db.embedded.occupancy import is_supervised, is_used_by_others
from recon.db.embedded.sockets import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recon.db.embedded.locks import FileLock

__all__ = ["EmbeddedPostgres"]

_STOP_TIMEOUT_S = 40.0


class EmbeddedPostgres:
    """A running server and our share of it.

    The server runs for as long as anybody holds a share; the share is lost with the process.

    Attributes:
        data_dir: recon's data directory.
        socket_dir: where the server's only socket is.
    """

    def __init__(
        self, data_dir: Path, socket_dir: Path, passwords: Mapping[str, str], share: FileLock
    ) -> None:
        self.data_dir = data_dir
        self.socket_dir = socket_dir
        self._passwords = passwords
        self._share = share

    def __repr__(self) -> str:
        """Leave the passwords out."""
        return f"{type(self).__name__}({str(self.data_dir)!r})"

    @property
    def dsn(self) -> str:
        """The database ``recon`` as its owner's libpq URL, password included."""
        return self.dsn_for(DATABASE)

    @property
    def service_dsn(self) -> str:
        """The same as the service's own user, who has only what the migrations grant it."""
        return self.service_dsn_for(DATABASE)

    @property
    def pid(self) -> int | None:
        """The server's process id, which changes if it crashes; None while there is none."""
        desk = Desk(self.data_dir / "postgres")
        state = desk.read_json(desk.state_file)
        return state["pid"] if state else None

    def dsn_for(self, database: str) -> str:
        """Give the owner's URL of any database of this server.

        Args:
            database: its name, unquoted.
        """
        return self._dsn(USER, database)

    def service_dsn_for(self, database: str) -> str:
        """Give the service's URL of any database of this server.

        Args:
            database: its name, unquoted; migrated with grants to ``SERVICE_USER``.
        """
        return self._dsn(SERVICE_USER, database)

    def _dsn(self, user: str, database: str) -> str:
        socket_dir = quote(str(self.socket_dir), safe="/")
        return (
            f"postgresql://{user}:{self._passwords[user]}@/{quote(database, safe='')}"
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
