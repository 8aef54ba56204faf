"""Migrations run one at a time, never wait long for a lock, and never stop half-way."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from recon.db.migrations import migrate
from recon.db.pool import DatabaseUnavailableError
from recon.db.schema import schema_status


async def run(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_status_tells_where_the_schema_is_and_changes_nothing(empty_url: str) -> None:
    before = await schema_status(empty_url)
    untouched = await tables(empty_url)
    await migrate(empty_url, revision="0001")
    between = await schema_status(empty_url)
    await migrate(empty_url)
    after = await schema_status(empty_url)

    assert (before.current, before.up_to_date, untouched) == (None, False, set())
    assert (between.current, between.up_to_date) == ("0001", False)
    assert (after.current, after.up_to_date) == (after.head, True)


async def test_four_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    statuses = await asyncio.gather(*(migrate(empty_url) for _ in range(4)))

    assert [status.up_to_date for status in statuses] == [True] * 4
    assert {"wallets", "postings", "bets"} <= await tables(empty_url)


async def test_migrating_again_is_nothing(database_url: str) -> None:
    assert (await migrate(database_url)).up_to_date


async def test_a_held_lock_fails_it_soon_and_clearly_and_the_next_try_succeeds(
    empty_url: str,
) -> None:
    await migrate(empty_url, revision="0001")
    holder = await asyncpg.connect(empty_url)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE currencies IN ACCESS EXCLUSIVE MODE")
            started_at_s = time.monotonic()
            with pytest.raises(DatabaseUnavailableError, match="lock timeout"):
                await migrate(empty_url)
            waited_s = time.monotonic() - started_at_s
    finally:
        await holder.close()

    assert 4 < waited_s < 30
    assert (await schema_status(empty_url)).current == "0001"
    assert (await migrate(empty_url)).up_to_date


async def test_a_revision_that_fails_is_undone_whole(empty_url: str) -> None:
    await migrate(empty_url, revision="0002")
    # The last table of 0003 is there already, so that its script breaks off at its end.
    await run(empty_url, "CREATE TABLE cases (mine integer)")
    before = await tables(empty_url)

    with pytest.raises(DatabaseUnavailableError, match='"cases" already exists'):
        await migrate(empty_url)

    assert await tables(empty_url) == before
    assert (await schema_status(empty_url)).current == "0002"
    await run(empty_url, "DROP TABLE cases")
    assert (await migrate(empty_url)).up_to_date


async def test_no_server_is_told_as_such() -> None:
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        await migrate("postgresql://nobody@127.0.0.1:1/none")
