"""A test finds an empty database, whatever the test before did to the same one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from recon.web import Role, add_staff
from tests.databases import Lent, Shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db.embedded import EmbeddedPostgres

BEHIND_OUR_BACK = [
    "CREATE TABLE more ()",
    "ALTER TABLE postings DISABLE TRIGGER ALL",
    "ALTER TABLE cases ADD COLUMN more int",
    "DROP INDEX cases_kind_idx",
    "GRANT UPDATE (registered_at) ON payments TO PUBLIC",
    "GRANT DELETE ON postings TO PUBLIC",
    "CREATE FUNCTION more() RETURNS int LANGUAGE sql RETURN 1",
    "ALTER TABLE payments ALTER COLUMN registered_at SET DEFAULT now()",
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = off', current_database()); END $$",
    "UPDATE redaction SET done_until = gen_random_uuid()",
    "DELETE FROM redaction",
    "INSERT INTO currencies (code, exponent) VALUES ('XTS', 2)",
    "SELECT lo_create(0)",
    "ANALYZE",
]

_numbers = count(1)


@pytest.fixture
async def shelf(
    server: EmbeddedPostgres, administrator: asyncpg.Connection[Any], template: str
) -> AsyncIterator[Shelf]:
    """A shelf with databases of its own, beside that of the session."""
    made = Shelf(server, administrator, template, name=f"shelved_{next(_numbers)}")
    yield made
    await made.close()


async def test_what_a_test_wrote_is_gone_for_the_next(shelf: Shelf) -> None:
    first = await shelf.lend()
    fresh = await contents(first)
    pool = await first.pool()
    await add_staff(pool, name="root", role=Role.ADMIN, password=None, actor="cli")
    await pool.execute("SELECT nextval(pg_get_serial_sequence('pgqueuer', 'id'))")
    assert len(await contents(first)) > len(fresh), "also where nobody may delete"
    await shelf.take_back(first)

    second = await shelf.lend()

    assert second is first
    assert await second.pool() is pool
    assert await contents(second) == fresh
    assert await pool.fetchval("SELECT nextval(pg_get_serial_sequence('pgqueuer', 'id'))") == 1
    await shelf.take_back(second)


@pytest.mark.parametrize("statement", BEHIND_OUR_BACK)
async def test_whoever_did_more_than_write_rows_was_the_last(shelf: Shelf, statement: str) -> None:
    lent = await shelf.lend()
    await lent.keeper.execute(statement)
    await shelf.take_back(lent)

    assert (await shelf.lend()).name != lent.name


async def test_a_session_that_is_left_behind_ends_with_its_database(
    shelf: Shelf, server: EmbeddedPostgres
) -> None:
    lent = await shelf.lend()
    left = await asyncpg.connect(server.dsn_for(lent.name))
    await shelf.take_back(lent)

    assert (await shelf.lend()).name != lent.name
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await left.execute("SELECT 1")


async def test_a_session_that_is_still_at_work_ends_with_its_database(shelf: Shelf) -> None:
    lent = await shelf.lend()
    at_work = await (await lent.pool()).acquire()
    await at_work.execute("BEGIN; LOCK TABLE cases IN ACCESS SHARE MODE")
    await shelf.take_back(lent)

    assert (await shelf.lend()).name != lent.name
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await at_work.execute("COMMIT")


async def test_whoever_opened_many_sessions_leaves_none_of_them(shelf: Shelf) -> None:
    lent = await shelf.lend()
    pool = await lent.pool()
    async with AsyncExitStack() as stack:
        for _ in range(12):
            await stack.enter_async_context(pool.acquire())
    await shelf.take_back(lent)

    assert await shelf.lend() is lent
    assert await lent.pool() is not pool
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    assert await lent.keeper.fetchval(others) == 2  # the keeper and the new pool's first
    await shelf.take_back(lent)


async def contents(lent: Lent) -> set[str]:
    """Every row of every table."""
    tables = await lent.keeper.fetch(
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    rows: set[str] = set()
    for (table,) in tables:
        found = await lent.keeper.fetch(f"SELECT t::text FROM {table} AS t")  # noqa: S608 - of the catalogue
        rows |= {f"{table} {row}" for (row,) in found}
    return rows
