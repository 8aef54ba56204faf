"""A balancer's question whether a service is ready, asked all through what happens to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from tests.violence.fleet import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["SLOW", "Kept", "Prober"]


SLOW: Final = "slow"
"""What asks the database, and hears nothing for two seconds: a busy machine, and nobody's end."""


def told(answer: bytes) -> str:
    """``ready``, `SLOW`, or whatever else it says."""
    checks = json.loads(answer)
    if checks["draining"] == "no" and checks.get("database") == "unreachable":
        return SLOW
    return "ready" if checks["status"] == "ready" else answer.decode()


@dataclass
class Kept:
    """A connection that is kept open, and asks whether the service is ready for as long as it is.

    Attributes:
        heard: every answer.
        was_told: to ask on another connection from now on.
        has_ended: it was told, or closed between two calls.
    """

    heard: list[str] = field(default_factory=list)
    was_told: bool = False
    has_ended: bool = False

    async def ask(self, url: URL) -> None:
        """Ask again and again until told, or until it was closed between two calls."""
        reader, writer = await asyncio.open_connection(url.host, url.port)
        try:
            while not self.was_told:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: recon\r\n\r\n")
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (asyncio.IncompleteReadError, ConnectionError):
                    return
                named = dict(
                    line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2]
                )
                self.heard.append(told(await reader.readexactly(int(named["content-length"]))))
                self.was_told = named.get("connection") == "close"
                await asyncio.sleep(0.05)
        finally:
            self.has_ended = True
            writer.close()


@dataclass
class Prober:
    """Who asks by a new connection each time, and others who keep theirs.

    Attributes:
        heard: every answer to the former.
    """

    address: str
    kept: list[Kept] = field(default_factory=lambda: [Kept() for _ in range(4)])
    heard: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Ask for the length of the block, all of them answered once before it begins.

        Those who keep their connection go on until they are told not to.
        """
        async with asyncio.TaskGroup() as group:
            probing = group.create_task(self._probe())
            for one in self.kept:
                group.create_task(one.ask(URL(self.address)))
            try:
                await until(lambda: self.heard and all(one.heard for one in self.kept))
                yield
                await until(lambda: all(one.has_ended for one in self.kept))
            finally:
                probing.cancel()

    async def _probe(self) -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(self.address, connector=connector) as session:
            while True:
                async with session.get("/readyz") as answer:
                    self.heard.append(told(await answer.read()))
                await asyncio.sleep(0.01)
