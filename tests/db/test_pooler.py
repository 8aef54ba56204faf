"""Behind a pooler by transaction, each transaction has the session of whoever had it before."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.db import open_pool
from recon.db.migrations import downgrade, migrate
from recon.db.pool import DatabaseUnavailableError, database_fault, is_lent
from recon.jobs import Worker, enqueue
from tests.jobs.test_worker import working
from tests.pooler import pooling

if TYPE_CHECKING:
    from recon.db import Pool

NOTHING: dict[str, set[str]] = {"set": {"search_path=public, pg_temp"}}  # by the pooler's own file


async def test_a_pooler_is_noticed_and_none_is_not(pool: Pool, database_url: str) -> None:
    async with (
        pooling([database_url], size=2) as pooler,
        open_pool(pooler.through(database_url)) as lent,
    ):
        assert (is_lent(pool), is_lent(lent)) == (False, True)
        assert await lent.fetchval("SHOW search_path") == "public, pg_temp"


async def test_cursors_and_unknown_types_leave_nothing_in_the_sessions(
    database_url: str, owner: Pool
) -> None:
    await owner.execute("CREATE TYPE mood AS ENUM ('well')")

    async def use(pool: Pool) -> None:
        # Its first use has asyncpg ask what the type is, for which it changes a setting.
        assert await pool.fetchval("SELECT 'well'::mood") == "well"
        async with pool.acquire() as connection, connection.transaction():
            rows = connection.cursor("SELECT g FROM generate_series(1, 70) AS g")
            assert len([row async for row in rows]) == 70

    async with pooling([database_url], size=2) as pooler:
        through = pooler.through(database_url)
        for _ in range(3):
            async with (
                open_pool(through) as one,
                open_pool(through) as two,
                open_pool(through) as three,
            ):
                await asyncio.gather(use(one), use(two), use(three))
        assert await pooler.left_behind(database_url) == NOTHING


async def test_migrations_leave_no_lock_and_no_setting_in_the_sessions(
    owner_url: str,
) -> None:
    async with pooling([owner_url], size=2) as pooler:
        through = pooler.through(owner_url)
        down = await downgrade(through, revision="0006")
        up = await asyncio.gather(*(migrate(through) for _ in range(3)))

        assert (down.current, [one.up_to_date for one in up]) == ("0006", [True] * 3)
        assert await pooler.left_behind(owner_url) == NOTHING


async def test_a_job_is_looked_for_where_nobody_can_listen(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who listens looks by itself as seldom as this.
    monkeypatch.setattr("recon.jobs.worker._DEQUEUE_TIMEOUT", timedelta(minutes=10))
    ran = asyncio.Event()

    async def handler(_: dict[str, str]) -> None:
        ran.set()

    async with (
        pooling([database_url], size=2) as pooler,
        open_pool(pooler.through(database_url), min_size=0, max_size=4) as pool,
    ):

        def build() -> Worker:
            worker = Worker(pool)
            worker.handle("count", handler, concurrency=1, parked=handler)
            return worker

        async with working(build):
            await asyncio.sleep(0.5)  # it has begun to wait
            async with pool.acquire() as connection, connection.transaction():
                await enqueue(connection, "count", {}, dedupe_key="1")
            await asyncio.wait_for(ran.wait(), 60)
            assert await pooler.left_behind(database_url) == NOTHING


async def test_a_pooler_without_a_session_to_lend_is_a_database_out_of_reach(
    database_url: str,
) -> None:
    async with (
        pooling([database_url], size=1, query_wait_timeout=2) as pooler,
        open_pool(pooler.through(database_url), max_size=2) as pool,
    ):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT 1")  # the only session
            with pytest.raises(asyncpg.PostgresError) as refused:
                await pool.fetchval("SELECT 1")
        assert database_fault(refused.value) is not None
        assert await pool.fetchval("SELECT 1") == 1


async def test_an_argument_that_cannot_be_sent_keeps_no_session(database_url: str) -> None:
    async with pooling([database_url], size=1, query_wait_timeout=20) as pooler:
        through = pooler.through(database_url)
        async with open_pool(through) as one, open_pool(through) as other:
            # The statement is asked about first, and the session is kept for what is to follow.
            with pytest.raises(asyncpg.DataError):
                await one.fetchval("SELECT $1::bigint", 2**70)
            assert await other.fetchval("SELECT 1") == 1


async def test_an_argument_that_cannot_be_sent_keeps_no_lock(pool: Pool, owner: Pool) -> None:
    with pytest.raises(asyncpg.DataError):
        await pool.fetchval("SELECT count(*) FROM bets WHERE bet_id = $1", "no uuid")

    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE bets IN ACCESS EXCLUSIVE MODE NOWAIT")


async def test_a_session_that_ends_behind_the_pooler_is_a_passing_fault(
    database_url: str, owner: Pool
) -> None:
    async with (
        pooling([database_url], size=1) as pooler,
        open_pool(pooler.through(database_url), max_size=2) as pool,
    ):
        async with pool.acquire() as connection:
            await connection.execute("BEGIN")
            backend: int = await connection.fetchval("SELECT pg_backend_pid()")
            await owner.execute("SELECT pg_terminate_backend($1, 5000)", backend)
            # Which one depends on how much of the pooler's farewell has been read by then.
            faults = asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError
            with pytest.raises((*faults, OSError)) as ended:
                await connection.fetchval("SELECT 1")
        assert database_fault(ended.value) is not None
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_pooler_that_keeps_the_search_path_to_itself_is_told_what_to_do(
    database_url: str,
) -> None:
    async with pooling([database_url], size=1, ignore_startup_parameters="extra_float_digits") as p:
        with pytest.raises(DatabaseUnavailableError, match="search_path") as refused:
            async with open_pool(p.through(database_url)):
                pass

    assert "deploy/pgbouncer.ini" in refused.value.message
