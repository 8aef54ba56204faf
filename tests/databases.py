"""Databases for tests: cloned from a template, emptied after a test, and lent to the next.

To make and drop one costs Postgres fifteen milliseconds, and sessions that have never seen it cost
twice as much again, which was most of what the suite's tests did. So a database is lent once more
where the test before has left nothing in it but rows: these are deleted, its sequences begin anew,
and the pool stays open. Whatever else a test did to it, it is dropped, and the next test has a new
one: it changed the schema, a right, a setting or what the migrations wrote; it filled it; it left a
session behind. `Shelf.take_back` lists what is looked at.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from recon.db import Pool, open_pool

if TYPE_CHECKING:
    from recon.db.embedded import EmbeddedPostgres

__all__ = ["Lent", "Shelf"]

_MOST_LOANS: Final = 40
"""Deleted rows stay in their pages until a vacuum."""
_MOST_IDLE: Final = 6
"""Sessions that are kept for the next test."""

# What an unchanged schema shows: the newest row version of each catalogue, and how many there are.
# Only what is not PostgreSQL's own, which has the object ids below 16384. What ANALYZE and VACUUM
# write in place counts too.
_SCHEMA: Final = """
SELECT ARRAY[
    (SELECT format('%s %s %s %s', count(*), max(xmin::text::bigint), sum(relpages), sum(reltuples))
        FROM pg_class WHERE oid >= 16384 AND relnamespace <> pg_my_temp_schema()),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint)) FROM pg_proc WHERE oid >= 16384),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint)) FROM pg_trigger),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint))
        FROM pg_constraint WHERE oid >= 16384),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint)) FROM pg_attrdef),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint)) FROM pg_policy),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint))
        FROM pg_namespace WHERE oid >= 16384),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint)) FROM pg_db_role_setting),
    (SELECT format('%s %s', count(*), max(xmin::text::bigint))
        FROM pg_attribute WHERE attrelid >= 16384 AND attacl IS NOT NULL),
    (SELECT format('%s', count(*)) FROM pg_statistic WHERE starelid >= 16384),
    (SELECT format('%s', count(*)) FROM pg_largeobject_metadata)
]
"""
_TABLES: Final = """
SELECT oid::regclass::text
FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
ORDER BY oid
"""
# A session that was ended goes a moment later.
_END: Final = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE pid = ANY ($1::int[])
"""
_HAS_STRANGERS: Final = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL ($1::int[])
)
"""
_FILLED: Final = """
SELECT EXISTS (
    SELECT FROM pg_class
    WHERE relkind IN ('r', 't') AND oid >= 16384 AND pg_relation_size(oid) > 20 * 8192
)
"""
_REWIND: Final = """
SELECT setval(seqrelid::regclass, seqstart, false)
FROM pg_sequence
WHERE pg_sequence_last_value(seqrelid) IS NOT NULL
"""


@dataclass
class Lent:
    """A database of a test's own.

    Attributes:
        name: of the database.
        url: of it, as the service's role.
        loans: how many tests have had it.
    """

    name: str
    url: str
    keeper: asyncpg.Connection[Any]
    empty: str
    written: str
    untouched: list[Any]
    loans: int = 0
    _pool: Pool | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def pool(self) -> Pool:
        """A pool on it; that of the test before, where it has left one in good order."""
        if self._pool is None:
            self._pool = await self._open.enter_async_context(open_pool(self.url, max_size=20))
        return self._pool

    async def stamp(self) -> list[Any]:
        """What does not change where a test only writes rows."""
        schema = await self.keeper.fetchval(_SCHEMA)
        return [schema, *(await self.keeper.fetchrow(self.written) or ())]

    async def is_emptied(self) -> bool:
        """Whether it is again as it was cloned; if not, it must not be lent again."""
        self.loans += 1
        if self.loans >= _MOST_LOANS:
            return False
        sessions = [] if self._pool is None else await self._rested(self._pool)
        if sessions is None or await self.keeper.fetchval(_HAS_STRANGERS, sessions):
            return False
        if await self.keeper.fetchval(_FILLED) or await self.stamp() != self.untouched:
            return False
        await self.keeper.execute(self.empty)
        await self.keeper.execute(_REWIND)
        return True

    async def close(self) -> None:
        """Let go of it; it may then be dropped."""
        if self._pool is not None:
            self._pool.terminate()
        self._open.pop_all()
        self.keeper.terminate()

    async def _rested(self, pool: Pool) -> list[int] | None:
        """The pool's sessions, with nothing planned for other rows; None: not all are idle.

        Where it has more of them than the next test is likely to want, that one makes a new pool.
        """
        size = pool.get_size()
        if pool.is_closing() or size != pool.get_idle_size():
            return None
        async with AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(pool.acquire()) for _ in range(size)]
            sessions = [one.get_server_pid() for one in idle]
            if size <= _MOST_IDLE:
                await asyncio.gather(*(one.execute("DISCARD PLANS") for one in idle))
                return sessions
        self._pool = None
        await self._open.aclose()
        await self.keeper.fetchval(_END, sessions)
        return []


class Shelf:
    """One database at most, clean, waiting for the next test.

    Args:
        server: where they are made.
        administrator: makes and drops them.
        template: what they are cloned from.
        name: what theirs begin with.
    """

    def __init__(
        self,
        server: EmbeddedPostgres,
        administrator: asyncpg.Connection[Any],
        template: str,
        name: str = "test",
    ) -> None:
        self._server = server
        self._administrator = administrator
        self._template = template
        self._name = name
        self._numbers = count(1)
        self._waiting: Lent | None = None
        self._out: dict[str, Lent] = {}

    async def lend(self) -> Lent:
        """A migrated database in which nothing is yet."""
        lent, self._waiting = self._waiting, None
        if lent is None:
            lent = await self._make()
        self._out[lent.url] = lent
        return lent

    def lent_at(self, url: str) -> Lent | None:
        """The one at a URL, if it is from here."""
        return self._out.get(url)

    async def take_back(self, lent: Lent) -> None:
        """Keep it for the next test, if it can be emptied; drop it else."""
        del self._out[lent.url]
        kept = False
        try:
            kept = await lent.is_emptied()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            pass  # the test has broken more than rows
        finally:
            if not kept:
                await self._drop(lent)
        if kept:
            self._waiting = lent

    async def close(self) -> None:
        """Drop what waits, and what nobody has brought back."""
        for lent in [*self._out.values(), self._waiting]:
            if lent is not None:
                await self._drop(lent)

    async def _make(self) -> Lent:
        name = f"{self._name}_{next(self._numbers)}"
        await self._administrator.execute(
            f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy"
        )
        keeper = await asyncpg.connect(self._server.dsn_for(name))
        tables = [row[0] for row in await keeper.fetch(_TABLES)]
        kept = [one for one in tables if await keeper.fetchval(f"SELECT EXISTS (TABLE {one})")]
        stamps = ", ".join(
            f"(SELECT format('%s %s', count(*), max(xmin::text::bigint)) FROM {one})"  # noqa: S608 - names of the catalogue
            for one in kept
        )
        # Nothing but rows: no trigger refuses, no key asks for an order.
        empty = "; ".join(f"DELETE FROM {one}" for one in tables if one not in kept)  # noqa: S608 - as above
        await keeper.execute("SET session_replication_role = replica")
        lent = Lent(
            name=name,
            url=self._server.service_dsn_for(name),
            keeper=keeper,
            empty=empty,
            written=f"SELECT {stamps}",
            untouched=[],
        )
        lent.untouched = await lent.stamp()
        return lent

    async def _drop(self, lent: Lent) -> None:
        await lent.close()
        await self._administrator.execute(f"DROP DATABASE IF EXISTS {lent.name} WITH (FORCE)")
