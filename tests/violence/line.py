"""The network from the service to Postgres or the game, which a test may break in several ways."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

__all__ = ["Line"]

# SO_LINGER with no time: closing sends RST and drops what is under way.
_ABRUPTLY: Final = struct.pack("ii", 1, 0)
# PostgreSQL's protocol: the tag of a commit, and "ready, outside of a transaction".
_COMMITTED: Final = b"COMMIT\x00"
_IDLE: Final = b"Z\x00\x00\x00\x05I"
# A statement that carries deliveries is larger than what else is sent outside of a transaction.
_CARRIES_DELIVERIES: Final = 1000


@dataclass(eq=False)
class _Link:
    """One connection of the service and its other half at Postgres."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    asked: int = 0
    forgotten: bool = False

    def break_off(self) -> None:
        """Reset the service's half; Postgres sees its client gone."""
        with suppress(OSError):
            sock = self.near.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPTLY)
        self.near.transport.abort()
        self.far.transport.abort()


@dataclass
class Line:
    """A TCP proxy before the server's Unix socket, or a game on TCP.

    Attributes:
        url: the database's own URL, or the game's.
        commits_to_lose: of that many commits more the answer is lost, and the connection with it.
        commits_lost: how many were.
    """

    url: str
    commits_to_lose: int = 0
    commits_lost: int = 0
    _port: int = 0
    _server: asyncio.Server | None = None
    _links: set[_Link] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: bool = True

    @property
    def game_url(self) -> str:
        """The same for a URL that is a game's."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def database_url(self) -> str:
        """The database's URL by way of this line."""
        parts = urlsplit(self.url)
        who = parts.netloc.rpartition("@")[0]
        return f"postgresql://{who}@127.0.0.1:{self._port}{parts.path}"

    async def mend(self) -> None:
        """Let everything through: new connections, and what an open one still has to say."""
        self._answers = True
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def reset(self) -> None:
        """Reset every connection; new ones are welcome."""
        for link in [*self._links]:
            link.break_off()

    def swallow_everything(self) -> None:
        """Become a black hole: connections stand and open, nothing passes, nobody is told."""
        self._flows.clear()

    def swallow_answers(self) -> None:
        """Pass what the service says and drop what Postgres answers, for good."""
        self._answers = False

    def forget(self) -> None:
        """Pass nothing on the connections that there are, ever, and tell nobody; new ones work.

        As after a firewall between lost its memory, or a server its power.
        """
        for link in self._links:
            link.forgotten = True

    async def close(self) -> None:
        """Leave nothing open."""
        self.cut()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            await self._carry(reader, writer)
        writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        far_reader, far_writer = await self._reach()
        link = _Link(writer, far_writer)
        self._links.add(link)
        there = asyncio.create_task(self._ask(reader, link))
        back = asyncio.create_task(self._answer(far_reader, link))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            far_writer.transport.abort()
            for pump in (there, back):
                pump.cancel()
            await asyncio.gather(there, back, return_exceptions=True)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        if parts.scheme == "http":
            return await asyncio.open_connection(parts.hostname, parts.port)
        place = parse_qs(parts.query)
        path = f"{place['host'][0]}/.s.PGSQL.{place.get('port', ['5432'])[0]}"
        return await asyncio.open_unix_connection(path)

    async def _ask(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while chunk := await reader.read(65536):
            await self._flows.wait()
            if link.forgotten:
                continue
            link.asked += len(chunk)
            link.far.write(chunk)
            await link.far.drain()

    async def _answer(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while chunk := await reader.read(65536):
            await self._flows.wait()
            if link.forgotten or not self._answers:
                continue
            if self.commits_to_lose and _has_committed(chunk, link.asked):
                self.commits_to_lose -= 1
                self.commits_lost += 1
                link.break_off()
                return
            link.asked = 0
            link.near.write(chunk)
            await link.near.drain()


def _has_committed(chunk: bytes, asked: int) -> bool:
    """Whether an answer says that deliveries were committed, by COMMIT or by their statement."""
    return _IDLE in chunk and (_COMMITTED in chunk or asked > _CARRIES_DELIVERIES)
