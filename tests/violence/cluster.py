"""A Postgres that loses nothing when it is killed, and every way to kill it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from recon.db.embedded import EmbeddedPostgres, EmbeddedPostgresError, start_embedded
from recon.db.embedded.desk import Desk
from recon.db.embedded.occupancy import is_supervised
from tests.violence.budget import PATIENCE_S
from tests.violence.last_will import last_will

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

__all__ = ["DURABLE", "Cluster", "children_of"]

DURABLE: Final = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
}
"""What the quick server of the other tests has off."""


class Cluster:
    """One embedded server, under its supervisor, that may be hurt.

    Args:
        data_dir: as recon's own data directory.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._server: EmbeddedPostgres | None = None

    @property
    def server(self) -> EmbeddedPostgres:
        assert self._server is not None, "it was never started"
        return self._server

    async def start(self) -> None:
        """Start it, or join whoever did."""
        server = await start_embedded(self.data_dir, settings=DURABLE)
        if self._server is not None:
            await self._server.stop()
        self._server = server

    async def up(self) -> None:
        """Wait until it takes connections.

        Its supervisor brings it up again; where that has given up, as after six crashes in a minute
        or on a full disk, whoever looks after the machine starts it anew.
        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self.execute("SELECT 1")
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    if not is_supervised(Desk(self.data_dir / "postgres")):
                        with suppress(EmbeddedPostgresError):
                            await self.start()
                    await asyncio.sleep(0.05)
                else:
                    return

    async def close(self) -> None:
        """Give it back, so that it stops; it must run for that."""
        if self._server is not None:
            await self._server.stop()

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.dsn_for("postgres"), timeout=5)
        try:
            await connection.execute(statement)
        finally:
            await connection.close(timeout=5)

    def processes(self) -> list[int]:
        """The postmaster first, then its children; empty while there is no server."""
        postmaster = self.server.pid
        if postmaster is None:
            return []
        return [postmaster, *children_of(postmaster)]

    def signal_postmaster(self, number: signal.Signals) -> bool:
        """SIGKILL, SIGQUIT (``pg_ctl -m immediate``) or SIGINT (``-m fast``); False: no server."""
        return any(_send(pid, number) for pid in self.processes()[:1])

    def kill_everything(self) -> bool:
        """SIGKILL the postmaster and all its children at once; False: no server."""
        sent = [_send(pid, signal.SIGKILL) for pid in self.processes()]
        return any(sent)

    def kill_backend(self, chance: Random) -> bool:
        """SIGKILL a process that serves a client; the postmaster then restarts them all."""
        serving = [pid for pid in self.processes()[1:] if _serves_a_client(pid)]
        return bool(serving) and _send(chance.choice(serving), signal.SIGKILL)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """SIGSTOP all of it for the length of the block: connections stand, and nothing answers."""
        stopped = self.processes()
        with last_will("kill", "-CONT", *map(str, stopped)):
            try:
                for pid in stopped:
                    _send(pid, signal.SIGSTOP)
                yield
            finally:
                for pid in stopped:
                    _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def children_of(parent: int) -> list[int]:
    """The processes that another has started, and that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(stat[1]) == parent:
                    found.append(int(entry.name))
    return found


def _serves_a_client(pid: int) -> bool:
    with suppress(OSError):
        return b" [local] " in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
