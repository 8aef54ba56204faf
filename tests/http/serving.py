"""The whole service as `recon serve` serves it: on a socket, with our reading of broken HTTP."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from recon.app import build_app
from recon.clock import new_id
from recon.http.server import make_runner
from recon.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Served", "every_route", "serving"]

BANK: dict[str, Any] = {"psp": {"bank": {"provider": "standard-webhooks", "secrets": ["whsec_AA"]}}}


@dataclass
class Served:
    """A service at an address."""

    app: web.Application
    port: int
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def raw(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of what answers these bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        named = (line.partition(":") for line in lines)
        return int(first.split()[1]), {n.lower(): v.strip() for n, _, v in named}, body


@asynccontextmanager
async def serving(database_url: str, **settings: Any) -> AsyncIterator[Served]:  # noqa: ANN401 - any setting
    """Serve with a PSP account called ``bank``."""
    app = build_app(Settings.model_validate(BANK | settings), database_url, jobs=False)
    runner = make_runner(app, shutdown_timeout_s=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield Served(app, runner.addresses[0][1], session)
    finally:
        await runner.cleanup()


def every_route(app: web.Application) -> Iterator[tuple[str, str, str]]:
    """Method, pattern, and an address that fits it, of all that the router knows."""
    for route in app.router.routes():
        assert route.resource is not None
        pattern = route.resource.canonical
        yield route.method, pattern, re.sub(r"\{(\w+)(:[^}]*)?\}", lambda _: str(new_id()), pattern)
