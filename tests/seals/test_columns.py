"""Every column of a sealed row is sealed, but those that are said here to change: new ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id, now
from recon.ledger import post, rules
from recon.seals.compare import compare_rows
from tests.seals.conftest import Book, gbp

if TYPE_CHECKING:
    import asyncpg

# What becomes of a delivery, and what its bytes are read to say.
CHANGING = {
    "deliveries": {
        *("event_type", "kind", "payment_id", "effect_id", "reference", "user_id", "currency"),
        *("amount", "event_at", "state", "reason", "waited_at"),
    }
}
TABLES = (
    *("postings", "idempotency", "holds", "hold_resolutions", "movements", "deliveries"),
    *("delivery_repeats", "discrepancy_events", "adjustments", "bet_rulings", "audit"),
)
ANOTHER = {
    "text": "coalesce({0}, '') || 'x'",
    "uuid": "gen_random_uuid()",
    "numeric": "coalesce({0}, 0) + 1",
    "bigint": "{0} + 100",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 us'",
    "bytea": "coalesce({0}, '') || 'x'",
    "jsonb": """coalesce({0}, '{{}}') || '{{"x": 1}}'""",
    "boolean": "NOT {0}",
}


@pytest.fixture
async def one_of_each(book: Book) -> Book:
    """A row of every kind, sealed, in tables that no longer check what is put into them."""
    await book.deposit("u_1")
    await book.audit("ana")
    lost = new_id()
    for entry in (
        rules.stake_held("u_1", gbp("4.00"), bet_id=lost, event_at=now()),
        rules.stake_captured("u_1", gbp("4.00"), bet_id=lost, event_at=now()),
    ):
        async with book.pool.acquire() as connection, connection.transaction():
            await post(connection, [entry])
    discrepancy = new_id()
    await book.pool.execute(
        "INSERT INTO delivery_repeats VALUES ('bank', 'evt_1', $1, now(), sha256('b'), false, 'b')",
        new_id(),
    )
    await book.pool.execute(
        "INSERT INTO discrepancy_events (user_id, discrepancy_id, event_id, actor, action)"
        " VALUES ('u_1', $1, $2, 'ana', 'opened')",
        *(discrepancy, new_id()),
    )
    await book.pool.execute(
        "INSERT INTO adjustments (user_id, discrepancy_id, adjustment_id, currency, amount, reason,"
        " state, ledger_version, available_difference, ledger_available, game_available,"
        " proposed_by) VALUES ('u_1', $1, $2, 'GBP', 5, 'why', 'proposed', 1, 5, 0, 5, 'ana')",
        *(discrepancy, new_id()),
    )
    await book.pool.execute(
        "UPDATE adjustments SET state = 'booked', decided_by = 'bob', decision_reason = 'because'"
    )
    await book.pool.execute(
        "INSERT INTO bet_rulings (user_id, ruling_id, bet_id, currency, outcome, payout,"
        " payout_transaction_id, ticket_id, reason, evidence, standing, state, proposed_by,"
        " proposed_step) VALUES ('u_1', $1, $2, 'GBP', 'cashed_out', 5, 'tx', 'tk', 'why', 'SUP-1',"
        " '{}', 'proposed', 'ana', $1)",
        *(new_id(), lost),
    )
    await book.pool.execute(
        "UPDATE bet_rulings SET state = 'booked', decided_by = 'bob', decided_step = ruling_id,"
        " decision_reason = 'because'"
    )
    # Three postings, and one of each of the others.
    assert (await book.seal()).rows == 12
    checks = await book.owner.fetch(
        "SELECT conrelid::regclass AS name, conname FROM pg_constraint"
        " WHERE contype = 'c' AND conrelid = any($1::text[]::regclass[])",
        TABLES,
    )
    for check in checks:
        await book.owner.execute(f"ALTER TABLE {check['name']} DROP CONSTRAINT {check['conname']}")
    return book


async def findings(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    compared = await compare_rows(connection, now())
    return len(compared.faults) + compared.unsealed.rows


async def test_a_change_of_any_column_is_found(one_of_each: Book) -> None:
    async with one_of_each.owner.acquire() as connection, connection.transaction():
        columns = await connection.fetch(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = any($1)",
            TABLES,
        )
        assert len({row["table_name"] for row in columns}) == len(TABLES)
        assert await findings(connection) == 0
        unseen: dict[str, set[str]] = {}
        for table, column, kind in columns:
            undone = connection.transaction()
            await undone.start()
            await connection.execute("SET LOCAL session_replication_role = replica")
            another = ANOTHER[kind].format(column)
            changed = await connection.execute(f"UPDATE {table} SET {column} = {another}")  # noqa: S608 - from the catalogue
            assert not changed.endswith(" 0"), f"there is no row in {table}"
            if not await findings(connection):
                unseen.setdefault(table, set()).add(column)
            await undone.rollback()

    assert unseen == CHANGING


@pytest.mark.parametrize("table", TABLES)
async def test_a_row_that_is_gone_is_found_in_any_table(one_of_each: Book, table: str) -> None:
    await one_of_each.rewrite(f"DELETE FROM {table}")  # noqa: S608 - one of ours

    # What hangs on a posting is sealed with it.
    part = table in {"idempotency", "holds", "hold_resolutions"}
    checks = {check for check, _ in await one_of_each.faults()}
    assert any(check.endswith("changed" if part else "missing") for check in checks), checks
