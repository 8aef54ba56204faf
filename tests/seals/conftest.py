"""A small busy ledger that is sealed, and its owner, who can rewrite it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recon.clock import new_id, now
from recon.ledger import Entry, post, rules
from recon.money import Money
from recon.seals import Anchor, Proof, Sealed, Sealer, SealKeys, verify_all

if TYPE_CHECKING:
    from datetime import datetime

    from recon.db import Pool

KEY = "a" * 64
OLD_KEY = "b" * 64


def gbp(text: str) -> Money:
    return Money.parse(text, "GBP")


@dataclass
class Book:
    """The service's pool and the owner's on one database, and the sealer between them."""

    pool: Pool
    owner: Pool
    keys: SealKeys = field(default_factory=lambda: SealKeys([KEY]))
    numbers: int = 0

    async def deposit(self, user: str, amount: str = "10.00") -> str:
        """A delivery, its movement and its posting, in one transaction; the event's id."""
        self.numbers += 1
        event, payment = f"evt_{self.numbers}", f"pay:{self.numbers}"
        async with self.pool.acquire() as connection, connection.transaction():
            await self.deposit_in(connection, user, amount, event, payment)
        return event

    async def deposit_in(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's
        user: str,
        amount: str,
        event: str,
        payment: str,
        received_at: datetime | None = None,
    ) -> None:
        await post(connection, [deposited(user, amount, payment)])
        delivery = new_id()
        await connection.execute(
            "INSERT INTO deliveries (endpoint, event_id, delivery_id, provider, received_at, body,"
            " body_sha256, content_sha256, headers, verified_by, event_type, kind, payment_id,"
            " user_id, currency, amount, event_at, state)"
            " VALUES ('bank', $1, $2, 'standard-webhooks', $3, $4, sha256($4), sha256($4), '{}',"
            " 'key:0:00000000', 'deposit.succeeded', 'deposit.succeeded', $5, $6, 'GBP', $7, now(),"
            " 'booked')",
            *(event, delivery, received_at or now(), f'{{"of": "{payment}"}}'.encode()),
            *(payment, user, gbp(amount).minor),
        )
        await connection.execute(
            "INSERT INTO movements (endpoint, object_id, effect, delivery_id, payment_id, user_id,"
            " currency, amount, event_at)"
            " VALUES ('bank', $1, 'deposit', $2, $1, $3, 'GBP', $4, now())",
            *(payment, delivery, user, gbp(amount).minor),
        )

    async def audit(self, actor: str) -> None:
        await self.pool.execute(
            "INSERT INTO audit (audit_id, actor, action, object) VALUES ($1, $2, 'looked', 'u_1')",
            *(new_id(), actor),
        )

    async def seal(self, **how: Any) -> Sealed:  # noqa: ANN401 - as the sealer takes it
        done = await Sealer(self.pool, self.keys, **how).run(deep=True)
        assert done is not None
        return done

    async def rewrite(self, *statements: str) -> None:
        """Change what is written, as only the database's owner can, and leave no other trace."""
        async with self.owner.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                await connection.execute(statement)

    async def verify(self, *, anchor: Anchor | None = None) -> Proof:
        return await verify_all(self.pool, self.keys, anchor=anchor)

    async def faults(self, *, anchor: Anchor | None = None) -> list[tuple[str, str]]:
        """(check, what it says) of everything that verify finds."""
        return [(one.check, one.detail) for one in (await self.verify(anchor=anchor)).faults]


def deposited(user: str, amount: str, payment: str) -> Entry:
    return rules.fact_for_player(
        user,
        gbp(amount),
        kind="deposit.succeeded",
        source="psp:bank",
        key=f"{payment}:deposit",
        event_at=now() - timedelta(seconds=1),
    )


@pytest.fixture
def book(pool: Pool, owner: Pool) -> Book:
    return Book(pool, owner)


@pytest.fixture
async def sealed(book: Book) -> Book:
    """Three deposits and an audit row, sealed: ten links."""
    for user in ("u_1", "u_2", "u_3"):
        await book.deposit(user)
    await book.audit("ana")
    # A first pass is sure of what it has not seen only where nothing is under way: an autovacuum.
    idle = "SELECT pg_snapshot_xmin(s) = pg_snapshot_xmax(s) FROM pg_current_snapshot() AS s"
    while not await book.pool.fetchval(idle):  # noqa: ASYNC110 - Postgres has no event for it
        await asyncio.sleep(0.01)
    done = await book.seal()
    assert (done.rows, done.seals) == (10, 1)
    assert await book.faults() == []
    return book
