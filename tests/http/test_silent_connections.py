"""A connection that died without a word costs a caller seconds, not asyncpg's minute."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id
from recon.db.holding import held_at_most
from recon.db.pool import DatabaseUnavailableError, open_pool
from recon.http.authenticate import Keys
from recon.http.stored_requests import Requests
from tests.http.conftest import bearer, running
from tests.violence.line import Line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from recon.db import Pool
    from tests.http.conftest import Service

WITHIN_S = 0.5
MOST_S = 30.0
"""Without the limit it would be a minute."""


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[Line]:
    """A line to the test's own database."""
    made = Line(database_url)
    await made.mend()
    yield made
    await made.close()


@pytest.fixture
async def service(
    line: Line, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """The service, whose connections go by way of the line."""
    monkeypatch.setattr("recon.db.connection._CONFIRMS_WITHIN_S", 0.1)
    async with running(line.database_url, pool) as started:
        yield started
        line.reset()  # nobody waits at the end for those that are silent


def forgets_after(
    monkeypatch: pytest.MonkeyPatch, line: Line, owner: type, name: str
) -> Callable[[], None]:
    """The line loses every connection once this has been done for a call, for half a second."""
    real = getattr(owner, name)
    monkeypatch.setattr("recon.http.operations.WITHIN_S", WITHIN_S)

    async def do(self: object, *given: object) -> object:
        result = await real(self, *given)
        line.forget()
        return result

    def mend() -> None:
        monkeypatch.setattr(owner, name, real)
        monkeypatch.setattr("recon.http.operations.WITHIN_S", MOST_S)

    monkeypatch.setattr(owner, name, do)
    return mend


async def called(
    service: Service, method: str, path: str, headers: dict[str, str]
) -> tuple[int, str | None, float]:
    began_s = asyncio.get_running_loop().time()
    body = {"text": "seen"} if path.endswith("comment") else None
    async with service.client.request(
        method, f"/api/v1{path}", json=body, headers=headers
    ) as answer:
        code = (await answer.json()).get("code")
        return answer.status, code, asyncio.get_running_loop().time() - began_s


async def test_every_call_of_the_internal_api_gives_a_silent_connection_up(
    service: Service, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await service.key("cashier")
    told = {}
    for method, path, owner, name in (
        ("GET", "/wallets/u_1?currency=GBP", Keys, "authenticate"),
        ("GET", "/payments/none", Keys, "authenticate"),
        ("GET", f"/bets/{new_id()}", Keys, "authenticate"),
        ("GET", "/discrepancies", Keys, "authenticate"),
        ("GET", "/webhooks", Keys, "authenticate"),
        ("POST", f"/discrepancies/{new_id()}/comment", Requests, "begin"),
        ("POST", f"/webhooks/{new_id()}/replay", Requests, "begin"),
    ):
        mend = forgets_after(monkeypatch, line, owner, name)
        headers = bearer(key, Idempotency_Key=path)
        silent = await called(service, method, path, headers)
        mend()
        told[path] = silent[:2]
        assert silent[2] < MOST_S, path
        again = await called(service, method, path, headers)
        assert again[0] in {200, 404}, path  # on a new connection, and its key is free
        assert again[2] < MOST_S, path

    assert set(told.values()) == {(503, "database_unavailable")}, told


async def test_a_statement_that_takes_too_long_is_cancelled_and_its_connection_kept(
    database_url: str,
) -> None:
    async with open_pool(database_url, max_size=1) as pool:
        async with pool.acquire() as connection:
            before = connection.get_server_pid()
        with held_at_most(0.1), pytest.raises(DatabaseUnavailableError):
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_sleep(30)")

        async with pool.acquire() as connection:
            assert connection.get_server_pid() == before
            assert await connection.fetchval("SELECT 1") == 1
