"""A streaming standby of the tests' server: PostgreSQL's own, in a process of its own.

And what may be taken for one: one that was promoted, and one of another cluster.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import asyncpg

from recon.db.embedded.binaries import CLEAN_ENVIRONMENT
from recon.db.embedded.child import die_with_parent
from tests.scratch import passable_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from recon.db.embedded import EmbeddedPostgres

__all__ = ["Standby", "of_another_cluster", "streaming"]

_PORT: Final = 6433  # names the socket's file; nothing listens on a network
_PATIENCE_S: Final = 60


@dataclass(frozen=True)
class Standby:
    """It, running.

    Attributes:
        place: where its socket is.
        child: its process.
    """

    place: Path
    owner_dsn: str
    child: asyncio.subprocess.Process

    def at(self, dsn: str) -> str:
        """The same database and user here."""
        return urlsplit(dsn)._replace(query=f"host={self.place}&port={_PORT}").geturl()

    async def pause(self) -> None:
        """Take nothing over until `resume`."""
        await self._tell("SELECT pg_wal_replay_pause()")
        async with asyncio.timeout(_PATIENCE_S):
            # It ends what it is about first.
            while await self._tell("SELECT pg_get_wal_replay_pause_state()") != "paused":  # noqa: ASYNC110 - a server
                await asyncio.sleep(0.01)

    async def resume(self) -> None:
        """Go on."""
        await self._tell("SELECT pg_wal_replay_resume()")

    async def promote(self) -> None:
        """Make it a primary of its own, on another timeline; again is no matter."""
        if await self._tell("SELECT pg_is_in_recovery()"):
            assert await self._tell(f"SELECT pg_promote(true, {_PATIENCE_S})")

    async def caught_up(self, primary: EmbeddedPostgres) -> None:
        """Wait until it has all that is written now."""
        source = await asyncpg.connect(primary.dsn_for("postgres"))
        try:
            # What commits nothing is sent only behind what does, or after fifteen seconds.
            await source.execute("SET synchronous_commit = local")
            await source.execute("SELECT pg_logical_emit_message(true, '', '')")
            place = await source.fetchval("SELECT pg_current_wal_flush_lsn()::text")
        finally:
            await source.close()
        async with asyncio.timeout(_PATIENCE_S):
            while not await self._tell(f"SELECT pg_last_wal_replay_lsn() >= '{place}'::pg_lsn"):  # noqa: ASYNC110 - a server; its own word
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Let it end, as by ``pg_ctl stop -m immediate``."""
        if self.child.returncode is None:
            self.child.send_signal(signal.SIGQUIT)
        await self.child.wait()

    async def _tell(self, statement: str) -> Any:  # noqa: ANN401 - whatever it answers
        connection = await asyncpg.connect(self.owner_dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def streaming(server: EmbeddedPostgres) -> AsyncIterator[Standby]:
    """Copy a running server and follow it, for the length of the block."""
    source = server.dsn_for("postgres")
    with _beside(server) as beside:
        await beside.run(
            "pg_basebackup",
            *("--dbname", source, "--pgdata", str(beside.data), "--wal-method=stream"),
            *("--checkpoint=fast", "--no-sync", "--write-recovery-conf"),
        )
        connection = await asyncpg.connect(source)
        try:
            most = await connection.fetchval("SHOW max_connections")
        finally:
            await connection.close()
        # No fewer than where it comes from.
        async with _started(beside, source, f"max_connections={most}") as standby:
            yield standby


@asynccontextmanager
async def of_another_cluster(server: EmbeddedPostgres) -> AsyncIterator[Standby]:
    """One that waits for the log of a cluster of its own, with the server's programs."""
    source = server.dsn_for("postgres")
    with _beside(server) as beside:
        await beside.run(
            "initdb",
            *("--pgdata", str(beside.data), "--username", urlsplit(source).username or ""),
            *("--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"),
        )
        (beside.data / "standby.signal").touch()
        async with _started(beside, source) as standby:
            yield standby


@dataclass(frozen=True)
class _Beside:
    """Where a server is to be beside another one, by that one's programs and as its user."""

    home: Path
    programs: Path
    identity: dict[str, Any]

    @property
    def data(self) -> Path:
        return self.home / "data"

    async def run(self, program: str, *arguments: str) -> None:
        """Run a program to its end."""
        child = await asyncio.create_subprocess_exec(
            self.programs / program,
            *arguments,
            env=CLEAN_ENVIRONMENT,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            **self.identity,
        )
        _, said = await child.communicate()
        assert child.returncode == 0, said.decode()


@contextmanager
def _beside(server: EmbeddedPostgres) -> Iterator[_Beside]:
    # The very programs that it runs, and whom it runs as: PostgreSQL refuses to be root.
    programs, running_as = _seen(server.pid)
    identity: dict[str, Any] = {}
    with passable_folder("recon-standby-") as home:
        if os.getuid() == 0:
            os.chown(home, running_as.st_uid, running_as.st_gid)
            identity = {
                "user": running_as.st_uid,
                "group": running_as.st_gid,
                "extra_groups": [],
            }
        yield _Beside(home, programs, identity)


@asynccontextmanager
async def _started(beside: _Beside, source: str, *settings: str) -> AsyncIterator[Standby]:
    """Start what lies there, and stop it at the end."""
    child = await asyncio.create_subprocess_exec(
        beside.programs / "postgres",
        *("-D", str(beside.data), "-c", "listen_addresses=", "-c", f"port={_PORT}"),
        *("-c", f"unix_socket_directories={beside.home}", "-c", "fsync=off"),
        *(word for setting in settings for word in ("-c", setting)),
        env=CLEAN_ENVIRONMENT,
        stderr=asyncio.subprocess.DEVNULL,
        cwd="/",
        preexec_fn=die_with_parent(),
        **beside.identity,
    )
    owner = urlsplit(source)._replace(query=f"host={beside.home}&port={_PORT}").geturl()
    standby = Standby(beside.home, owner, child)
    try:
        await _until_it_answers(standby)
        yield standby
    finally:
        await standby.stop()


def _seen(pid: int | None) -> tuple[Path, os.stat_result]:
    """Where a process's program is, and whose process it is."""
    process = Path(f"/proc/{pid}")
    return (process / "exe").readlink().parent, process.stat()


async def _until_it_answers(standby: Standby) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            assert standby.child.returncode is None, "it ended"
            with suppress(OSError, asyncpg.PostgresError):
                await (await asyncpg.connect(standby.owner_dsn)).close()
                return
            await asyncio.sleep(0.02)
