"""PgBouncer in front of the tests' server, lending by transaction, as deploy/pgbouncer.ini has it.

Debian's package is installed by tests/install-programs; in CI nothing is skipped.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from configparser import RawConfigParser
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import pytest

from recon.db.embedded.child import die_with_parent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


__all__ = ["Pooler", "pooling"]

SHIPPED = Path(__file__).parent.parent / "deploy" / "pgbouncer.ini"
PORT = 6432  # names the socket's file; nothing listens on a network
# Of text: for the names' own type, asyncpg would ask the session what it is, and change it.
_LEFT = """
SELECT
    (SELECT array_agg(name) FROM pg_prepared_statements) AS prepared,
    (SELECT array_agg(c) FROM pg_listening_channels() AS c) AS listened,
    (
        SELECT array_agg(name || '=' || setting) FROM pg_settings
        WHERE
            source = 'session' AND setting != reset_val
            AND name NOT IN ('application_name', 'client_encoding')
    ) AS set,
    (SELECT array_agg(name) FROM pg_cursors WHERE is_holdable) AS held,
    (
        SELECT array_agg(objid::text) FROM pg_locks
        WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    ) AS locked,
    (
        SELECT array_agg(relname::text) FROM pg_class
        WHERE relnamespace = pg_my_temp_schema()
    ) AS made
"""


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer.

    Args:
        place: where its socket is.
        size: how many sessions it has at Postgres, at most, for each user.
    """

    place: Path
    size: int

    def through(self, dsn: str) -> str:
        """The same database and user by way of the pooler."""
        parts = urlsplit(dsn)
        return parts._replace(query=f"host={self.place}&port={PORT}").geturl()

    async def left_behind(self, dsn: str) -> dict[str, set[str]]:
        """What the sessions of a user have beyond their transactions, by its kind.

        Two settings are left out, which the pooler itself keeps in step with each client.
        """
        found: dict[str, set[str]] = {}
        async with AsyncExitStack() as stack:
            for _ in range(self.size):
                connection = await asyncpg.connect(self.through(dsn), statement_cache_size=0)
                stack.push_async_callback(connection.close)
                # Held, so that the next one is lent another session.
                await stack.enter_async_context(connection.transaction())
                row = await connection.fetchrow(_LEFT)
                for kind, names in row.items():
                    found.setdefault(kind, set()).update(names or ())
        return {kind: names for kind, names in found.items() if names}


@asynccontextmanager
async def pooling(dsns: Iterable[str], *, size: int, **options: object) -> AsyncIterator[Pooler]:
    """PgBouncer by the shipped file, for the databases and users of these URLs.

    Args:
        dsns: straight to Postgres, by its socket.
        size: how many sessions it may have there, for each user of a database.
        options: of the file's second section, otherwise than shipped.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        assert os.environ.get("CI") != "true", "pgbouncer is missing: run tests/install-programs"
        pytest.skip("pgbouncer is not installed: run tests/install-programs as root")
    place = Path(tempfile.mkdtemp(prefix="recon-pooler-"))
    try:
        identity = _write(place, list(dsns), {"default_pool_size": size, **options})
        child = await asyncio.create_subprocess_exec(
            program,
            "-q",
            str(place / "pgbouncer.ini"),
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=die_with_parent(),
            **identity,
        )
        try:
            await _until_open(place, child)
            yield Pooler(place, size)
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()
    finally:
        shutil.rmtree(place)


def _write(place: Path, dsns: list[str], options: dict[str, object]) -> dict[str, Any]:
    """The files it reads, and whom it runs as: it refuses to be root, as Postgres does."""
    shipped = RawConfigParser()
    shipped.read(SHIPPED)
    database = shipped["databases"]["recon"]
    used = RawConfigParser()
    used["databases"] = {}
    users = []
    for dsn in dsns:
        parts = urlsplit(dsn)
        name, at = parts.path.removeprefix("/"), parse_qs(parts.query)
        used["databases"][name] = re.sub(
            r"host=\S+ port=\S+ dbname=\S+",
            f"host={at['host'][0]} port={at['port'][0]} dbname={name}",
            database,
        )
        users.append(f'"{unquote(parts.username or "")}" "{unquote(parts.password or "")}"\n')
    used["pgbouncer"] = {
        **shipped["pgbouncer"],
        "listen_addr": "",
        "listen_port": str(PORT),
        "unix_socket_dir": str(place),
        "auth_file": str(place / "users"),
        "logfile": str(place / "log"),
        **{name: str(value) for name, value in options.items()},
    }
    with (place / "pgbouncer.ini").open("w") as file:
        used.write(file)
    (place / "users").write_text("".join(sorted(set(users))))
    if os.getuid() != 0:
        return {}
    owner = Path(at["host"][0]).stat()
    for path in (place, *place.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


async def _until_open(place: Path, child: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while True:
            if child.returncode is not None:
                raise AssertionError((place / "log").read_text())
            # The file is there before anybody listens.
            with suppress(FileNotFoundError, ConnectionRefusedError):
                _, writer = await asyncio.open_unix_connection(place / f".s.PGSQL.{PORT}")
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.01)
