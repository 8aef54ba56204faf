"""A place for one test's server, and processes that use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import asyncpg

from recon.db.embedded import EmbeddedPostgres, embedded_postgres
from tests.db.embedded.processes import family, gone

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

__all__ = [
    "FAST",
    "SECRET_OF_THE_STARTER",
    "Holder",
    "Home",
    "Running",
    "keep_number",
    "kept_numbers",
    "query",
]

# What a killed process wrote is in the kernel's hands, so its data survives without fsync.
FAST = {"fsync": "off", "full_page_writes": "off"}

SECRET_OF_THE_STARTER = "a-secret-of-the-first-user"

_HOLDER = """
import json, sys
from pathlib import Path
from recon.db.embedded import EmbeddedPostgresError, embedded_postgres_sync

data_dir, settings, root_home = json.loads(sys.argv[1])
try:
    with embedded_postgres_sync(
        Path(data_dir), settings=settings, root_home=Path(root_home)
    ) as server:
        print(json.dumps({"pid": server.pid, "dsn": server.dsn}), flush=True)
        sys.stdin.readline()
except EmbeddedPostgresError as error:
    print(json.dumps({"error": error.message, "code": error.code}), flush=True)
"""


@dataclass
class Home:
    """Where the data directory is, and what root has instead of ``/var/lib``."""

    path: Path
    root_home: Path
    seen: set[int] = field(default_factory=set)

    @property
    def data_dir(self) -> Path:
        return self.path / ".recon"

    def server(
        self, data_dir: Path | None = None, **settings: str
    ) -> AbstractAsyncContextManager[EmbeddedPostgres]:
        return embedded_postgres(
            data_dir or self.data_dir, settings=FAST | settings, root_home=self.root_home
        )

    def holder(self, *command: str, **environment: str) -> Holder:
        """Use the server in another process, run by ``command`` if not by our own Python."""
        arguments = json.dumps([str(self.data_dir), FAST, str(self.root_home)])
        process = subprocess.Popen(  # noqa: S603 - our own script
            [*(command or [sys.executable]), "-c", _HOLDER, arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        return Holder(process, self)

    async def empty(self) -> None:
        """Wait until no process of a server that was seen here is left."""
        await gone(self.seen)


@dataclass
class Running:
    """A server that stands while tests look at it."""

    home: Home
    server: EmbeddedPostgres


@dataclass
class Holder:
    """A process that uses a server until it is told to stop, or killed."""

    process: subprocess.Popen[str]
    home: Home
    answer: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ready(self) -> Self:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process ended without an answer"
        self.answer = json.loads(line)
        if "pid" in self.answer:
            self.home.seen |= family(self.pid)
        return self

    @property
    def pid(self) -> int:
        return int(self.answer["pid"])

    @property
    def dsn(self) -> str:
        return str(self.answer["dsn"])

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


async def query(dsn: str, statement: str, *arguments: object) -> Any:  # noqa: ANN401 - any value
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def keep_number(dsn: str, number: int) -> None:
    await query(dsn, "CREATE TABLE IF NOT EXISTS kept (number int)")
    await query(dsn, "INSERT INTO kept VALUES ($1)", number)


async def kept_numbers(dsn: str) -> Any:  # noqa: ANN401 - a list of numbers
    return await query(dsn, "SELECT array_agg(number ORDER BY number) FROM kept")
