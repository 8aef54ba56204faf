"""Postgres out of reach is a passing fault: 503, and when to try again; never a 500."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from recon.db import POOL, open_pool
from recon.db.pool import database_fault
from recon.http import Scope, operation
from recon.http.keys import create_key
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from recon.http.request_ids import request_id_middleware
from tests.http.conftest import PAYMENT, bearer, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from tests.http.conftest import Line, Service


@pytest.fixture
async def behind_a_line(line: Line, pool: Pool) -> AsyncIterator[Service]:
    """The service, whose own pool goes by way of the line."""
    async with running(line.database_url, pool) as started:
        yield started


async def told(service: Service, path: str, **headers: str) -> tuple[int, str | None, str]:
    async with service.client.get(path, headers=headers, allow_redirects=False) as answer:
        body = await answer.text()
        return answer.status, answer.headers.get("Retry-After"), body


async def test_while_postgres_is_out_of_reach_callers_get_503_and_afterwards_their_answer(
    behind_a_line: Service, line: Line
) -> None:
    service = behind_a_line
    key = await service.key("cashier")
    headers = bearer(key)
    await line.cut()

    status, retry, body = await told(service, "/api/v1/wallets/u_7?currency=GBP", **headers)
    async with service.client.post(
        "/api/v1/payments", json=PAYMENT, headers=bearer(key, Idempotency_Key="k-1")
    ) as answer:
        posted = (answer.status, (await answer.json())["code"])
    page, page_retry, html = await told(service, "/sign-in/once/x", Accept="text/html")

    assert (status, retry) == (503, "5")
    assert '"code":"database_unavailable"' in body
    assert posted == (503, "database_unavailable")
    assert (page, page_retry) == (503, "5")
    assert "Out of reach for the moment" in html
    for said in (body, html):
        assert line.path not in said
        assert "127.0.0.1" not in said

    await line.mend()
    async with service.client.post(
        "/api/v1/payments", json=PAYMENT, headers=bearer(key, Idempotency_Key="k-1")
    ) as answer:
        assert answer.status == 201


async def test_a_pool_without_a_free_connection_says_so_in_time(database_url: str) -> None:
    async with (
        open_pool(database_url, max_size=1, acquire_timeout_s=0.5) as pool,
        pool.acquire() as _taken,
    ):
        for waiting in (pool.fetchval("SELECT 1"), _acquire(pool)):
            with pytest.raises(TimeoutError) as refused:
                await asyncio.wait_for(waiting, 60)
            fault = database_fault(refused.value)
            assert fault is not None
            assert fault.code == "database_unavailable"


async def _acquire(pool: Pool) -> None:
    async with pool.acquire():
        raise AssertionError("there was none to have")


async def test_a_connection_that_dies_in_the_middle_of_a_query_is_a_passing_fault(
    database_url: str,
) -> None:
    async with open_pool(database_url, max_size=2) as pool, pool.acquire() as doomed:
        pid = doomed.get_server_pid()
        query = asyncio.create_task(doomed.execute("SELECT pg_sleep(30)"))
        async with pool.acquire() as other:
            while not await other.fetchval(  # noqa: ASYNC110 - another process sleeps
                "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", pid
            ):
                await asyncio.sleep(0.01)
            await other.execute("SELECT pg_terminate_backend($1)", pid)

        with pytest.raises(asyncpg.PostgresError) as ended:
            await query
        assert database_fault(ended.value) is not None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (asyncpg.CannotConnectNowError("starting up"), 503, "database_unavailable"),
        (asyncpg.TooManyConnectionsError("full"), 503, "database_unavailable"),
        (asyncpg.AdminShutdownError("bye"), 503, "database_unavailable"),
        (asyncpg.DiskFullError("full"), 503, "database_unavailable"),
        (asyncpg.ConnectionDoesNotExistError("gone"), 503, "database_unavailable"),
        (asyncpg.InterfaceError("pool is closing"), 503, "database_unavailable"),
        (asyncpg.InternalClientError("cannot switch state"), 503, "database_unavailable"),
        (asyncpg.ReadOnlySQLTransactionError("a standby"), 503, "database_unavailable"),
        (asyncpg.DeadlockDetectedError("again and again"), 503, "database_unavailable"),
        (asyncpg.CharacterNotInRepertoireError("0x00"), 400, "invalid_request"),
        (asyncpg.exceptions._base.DataError("not a number"), 400, "invalid_request"),  # noqa: SLF001 - the client side's DataError has no public name
        (asyncpg.UndefinedTableError("no table"), 500, "internal_error"),
        (FileNotFoundError("not Postgres' fault"), 500, "internal_error"),
        (TimeoutError("of somebody else"), 500, "internal_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_each_fault_has_the_status_that_tells_whether_to_try_again(
    error: Exception, status: int, code: str
) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise error

    app = web.Application(middlewares=[request_id_middleware, problem_middleware])
    app.router.add_get("/", fail)
    async with TestClient(TestServer(app)) as client, client.get("/") as answer:
        problem = await answer.json()

    assert (answer.status, problem["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) == (status == 503)


async def test_what_went_wrong_is_not_hidden_by_a_failing_clean_up(line: Line, pool: Pool) -> None:
    """The handler breaks and Postgres is gone too: the caller hears of the handler's fault."""

    @operation(scope=Scope.WRITE_BET, answers={})
    async def break_down(_: web.Request) -> web.Response:
        await line.cut()
        raise ZeroDivisionError

    key = await create_key(pool, name="cashier", scopes=[Scope.WRITE_BET], lifetime=None)
    app = web.Application(middlewares=[request_id_middleware, problem_middleware])
    app[LIMITER] = app[FAILURES] = RateLimiter(1000, 60)
    app.router.add_post("/", break_down)
    async with (
        open_pool(line.database_url, max_size=2) as app[POOL],
        TestClient(TestServer(app)) as client,
        client.post("/", headers=bearer(key, Idempotency_Key="k-1")) as answer,
    ):
        problem = await answer.json()

    assert (answer.status, problem["code"]) == (500, "internal_error")
