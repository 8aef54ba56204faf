"""What the books must say after all of it, asked of Postgres itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

__all__ = ["Books"]

_ABSENT = """
SELECT a.endpoint, a.event_id
FROM unnest($1::text[], $2::text[]) AS a (endpoint, event_id)
LEFT JOIN deliveries AS d ON d.endpoint = a.endpoint AND d.event_id = a.event_id
WHERE d.event_id IS NULL
"""
# An acknowledged event whose delivery says that it is booked, with no posting to show for it.
_UNBOOKED = """
SELECT d.endpoint, d.event_id
FROM deliveries AS d
JOIN unnest($1::text[], $2::text[]) AS a (endpoint, event_id)
    ON d.endpoint = a.endpoint AND d.event_id = a.event_id
WHERE d.state = 'booked' AND NOT EXISTS (
    SELECT FROM movements AS m
    JOIN postings AS p ON p.source = 'psp:' || m.endpoint
        AND p.key = m.object_id || ':' || m.effect AND p.amount = m.amount
    WHERE m.delivery_id = d.delivery_id
)
"""
# The same money in a player's book more than once; what left suspense has ":released" behind it.
_DOUBLED = """
SELECT source, regexp_replace(key, ':released$', '') AS key, count(*)
FROM postings
WHERE source LIKE 'psp:%' AND user_id NOT LIKE '~%'
GROUP BY 1, 2
HAVING count(*) > 1
"""
_BOOKED = """
SELECT DISTINCT source, regexp_replace(key, ':released$', '') AS key
FROM postings
WHERE source LIKE 'psp:%' AND user_id NOT LIKE '~%'
"""
_WALLETS = """
SELECT w.user_id, w.currency, w.available, w.held + w.reserved AS kept, f.available AS folded
FROM wallets AS w
JOIN (
    SELECT user_id, currency, sum(
        CASE WHEN credit = 'available' THEN amount WHEN debit = 'available' THEN -amount ELSE 0 END
    ) AS available
    FROM postings
    GROUP BY user_id, currency
) AS f USING (user_id, currency)
"""


@dataclass(frozen=True)
class Books:
    """The database, by its own door and not by the service's."""

    url: str

    async def lost(self, acknowledged: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Acknowledged events that the inbox has not, or has as booked with nothing booked."""
        named = sorted(acknowledged)
        places = [endpoint for endpoint, _ in named], [event_id for _, event_id in named]
        async with self._ask() as connection:
            rows = await connection.fetch(_ABSENT, *places)
            rows += await connection.fetch(_UNBOOKED, *places)
        return [tuple(row) for row in rows]

    async def doubled(self) -> list[tuple[str, str, int]]:
        """(source, key, times) of money that players have more than once."""
        async with self._ask() as connection:
            return [tuple(row) for row in await connection.fetch(_DOUBLED)]

    async def booked(self) -> set[tuple[str, str]]:
        """(source, key) of all PSP money in players' books."""
        async with self._ask() as connection:
            return {(row["source"], row["key"]) for row in await connection.fetch(_BOOKED)}

    async def wallets(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """(available, held and reserved, the fold of the postings) of each (user, currency)."""
        async with self._ask() as connection:
            return {
                (row["user_id"], row["currency"]): (
                    *(int(row["available"]), int(row["kept"]), int(row["folded"])),
                )
                for row in await connection.fetch(_WALLETS)
            }

    async def deliveries(self) -> dict[str, int]:
        """How many there are in each state."""
        statement = "SELECT state, count(*) AS n FROM deliveries GROUP BY state"
        async with self._ask() as connection:
            return {row["state"]: row["n"] for row in await connection.fetch(statement)}

    async def repeats(self) -> int:
        """How many deliveries came again."""
        return await self.count("SELECT count(*) FROM delivery_repeats")

    async def count(self, statement: str) -> int:
        """The number that a statement gives."""
        async with self._ask() as connection:
            return int(await connection.fetchval(statement))

    async def execute(self, statement: str, *values: object) -> None:
        """Change what is in the database, as its owner."""
        async with self._ask() as connection:
            await connection.execute(statement, *values)

    @asynccontextmanager
    async def _ask(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        connection = await asyncpg.connect(self.url, timeout=60)
        try:
            yield connection
        finally:
            await connection.close()
