"""The whole service in this process, spoken to over HTTP by callers with keys."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
