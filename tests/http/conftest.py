"""The whole service in this process, spoken to over HTTP by callers with keys."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp.test_utils import TestClient, TestServer

from recon.app import build_app
from recon.http import Scope
from recon.http.keys import CreatedKey, create_key
from recon.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from recon.db import Pool

PAYMENT = {
    "reference": "ref-1",
    "endpoint": "bank",
    "direction": "deposit",
    "user_id": "u_7",
    "amount": "20.00",
    "currency": "GBP",
}


@dataclass
class Service:
    """The running application and a pool beside its own."""

    client: TestClient[web.Request, web.Application]
    pool: Pool

    async def key(self, name: str, *scopes: Scope) -> CreatedKey:
        """A key; of every scope where none is named."""
        return await create_key(self.pool, name=name, scopes=scopes or list(Scope), lifetime=None)


def bearer(key: CreatedKey, **more: str) -> dict[str, str]:
    """The headers of a call with this key."""
    named = {name.replace("_", "-"): text for name, text in more.items()}
    return {"Authorization": f"Bearer {key.key}"} | named


@dataclass
class Line:
    """The line to Postgres, which a test may cut and mend."""

    url: str
    path: str
    port: int = 0
    listening: asyncio.Server | None = None
    open: list[asyncio.StreamWriter] = field(default_factory=list)

    async def mend(self) -> None:
        """Let connections through, at the port of before."""
        self.listening = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self.listening.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        if self.listening is not None:
            self.listening.close()
        for writer in self.open:
            writer.transport.abort()
        self.open.clear()
        await asyncio.sleep(0)

    @property
    def database_url(self) -> str:
        """The database's URL by way of this line."""
        parts = urlsplit(self.url)
        who = parts.netloc.rpartition("@")[0]
        return f"postgresql://{who}@127.0.0.1:{self.port}{parts.path}"

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self.path)
        self.open += [writer, far_writer]
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[Line]:
    """A line to the test's own database."""
    socket = parse_qs(urlsplit(database_url).query)
    made = Line(database_url, f"{socket['host'][0]}/.s.PGSQL.{socket.get('port', ['5432'])[0]}")
    await made.mend()
    yield made
    await made.cut()


@asynccontextmanager
async def running(database_url: str, pool: Pool) -> AsyncIterator[Service]:
    """The service on a database, with one PSP account called ``bank``."""
    settings = Settings.model_validate(
        {"psp": {"bank": {"provider": "standard-webhooks", "secrets": ["whsec_AAAA"]}}}
    )
    app = build_app(settings, database_url, jobs=False)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield Service(client, pool)


@pytest.fixture
async def service(database_url: str, pool: Pool) -> AsyncIterator[Service]:
    """The service on the test's own database."""
    async with running(database_url, pool) as started:
        yield started
