"""What the schema promises: keys that can be distributed by player, tables that only grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

BY_PLAYER = {
    "adjustments",
    "bet_attempts",
    "bet_rulings",
    "bets",
    "checks",
    "discrepancies",
    "discrepancy_events",
    "hold_resolutions",
    "holds",
    "idempotency",
    "postings",
    "run_discrepancies",
    "settlement_findings",
    "suspects",
    "wallets",
}
# Tables that name a player and are kept by something else, and by what.
BY_OTHERS = {
    "cases": "a case may be about nobody",
    "deliveries": "unique by endpoint and event before anybody is named",
    "movements": "unique at the PSP, whoever it is booked to",
    "payments": "the reference is the operator's, across players",
    "run_wallets": "a run's own list",
}
# The same on every node, so that any table may refer to it.
REFERENCE_TABLES = {"currencies"}
APPEND_ONLY = (
    "audit",
    "bet_attempts",
    "delivery_repeats",
    "discrepancy_events",
    "hold_resolutions",
    "holds",
    "idempotency",
    "movements",
    "postings",
    "seal_links",
    "seals",
    "settlement_files",
    "settlement_lines",
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def test_every_table_that_names_a_player_has_its_place_here(schema: Connection) -> None:
    tables = await schema.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'user_id'"
    )

    assert {row["table_name"] for row in tables} == BY_PLAYER | BY_OTHERS.keys()


async def test_the_player_stands_first_in_every_unique_key(schema: Connection) -> None:
    keys = await schema.fetch(
        """
        SELECT t.relname AS table_name, i.relname AS index_name, a.attname AS first_column
        FROM pg_index AS x
        JOIN pg_class AS i ON i.oid = x.indexrelid
        JOIN pg_class AS t ON t.oid = x.indrelid
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
        WHERE x.indisunique AND t.relname = any($1)
        """,
        list(BY_PLAYER),
    )

    assert {row["table_name"] for row in keys} == BY_PLAYER, "every table has a primary key"
    assert names(row for row in keys if row["first_column"] != "user_id") == []


async def test_the_player_stands_first_on_both_sides_of_a_foreign_key(schema: Connection) -> None:
    keys = await schema.fetch(
        """
        SELECT c.conname AS index_name, f.relname AS refers_to, a.attname AS mine, b.attname AS its
        FROM pg_constraint AS c
        JOIN pg_class AS t ON t.oid = c.conrelid
        JOIN pg_class AS f ON f.oid = c.confrelid
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
        JOIN pg_attribute AS b ON b.attrelid = f.oid AND b.attnum = c.confkey[1]
        WHERE c.contype = 'f' AND t.relname = any($1)
        """,
        list(BY_PLAYER),
    )
    distributed = [row for row in keys if row["refers_to"] not in REFERENCE_TABLES]

    assert distributed, "hold_resolutions refers to holds"
    assert names(row for row in distributed if (row["mine"], row["its"]) != ("user_id",) * 2) == []


async def test_both_legs_of_a_posting_are_one_row_of_one_player(schema: Connection) -> None:
    """So each player's book sums to zero by itself, wherever it is kept."""
    columns = await schema.fetch(
        """
        SELECT attname AS index_name, attnotnull
        FROM pg_attribute
        WHERE attrelid = 'postings'::regclass
            AND attname IN ('user_id', 'debit', 'credit', 'amount')
        """
    )

    assert {row["index_name"]: row["attnotnull"] for row in columns} == dict.fromkeys(
        ("user_id", "debit", "credit", "amount"), True
    )
    with pytest.raises(asyncpg.CheckViolationError, match="postings_accounts_check"):
        await schema.execute(
            "INSERT INTO postings VALUES ('u_7', 'GBP', 1, 'available', 'available', 1, 'x', 'x',"
            " 'x', NULL, now(), now(), 1, 0, 0)"
        )


async def test_no_row_keeps_a_balance_but_a_players_wallet(schema: Connection) -> None:
    """What the house or a PSP is owed is a sum over players, never a row that all would lock."""
    kept = await schema.fetch(
        """
        SELECT DISTINCT table_name AS index_name
        FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name IN ('available', 'held', 'reserved')
        """
    )
    accounts = await schema.fetch(
        """
        SELECT conname AS index_name
        FROM pg_constraint
        WHERE contype = 'f' AND conrelid = 'postings'::regclass
        """
    )

    assert names(kept) == ["wallets"]
    assert names(accounts) == [], "an account is a word, and no row to be locked"


async def test_no_column_holds_a_float_or_a_time_without_a_zone(schema: Connection) -> None:
    wrong = await schema.fetch(
        """
        SELECT table_name || '.' || column_name AS index_name
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'alembic_version'
            AND data_type IN (
                'real', 'double precision', 'money', 'timestamp without time zone',
                'time without time zone', 'character varying', 'character'
            )
        """
    )

    assert names(wrong) == []


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"]
)
async def test_a_table_only_grows(schema: Connection, table: str, statement: str) -> None:
    column = await schema.fetchval(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position LIMIT 1",
        table,
    )

    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await schema.execute(statement.format(table, column))


async def test_only_these_tables_are_append_only(schema: Connection) -> None:
    guarded = await schema.fetch(
        """
        SELECT DISTINCT t.relname AS index_name
        FROM pg_trigger AS g
        JOIN pg_class AS t ON t.oid = g.tgrelid
        JOIN pg_proc AS f ON f.oid = g.tgfoid
        WHERE f.proname = 'refuse_change' AND g.tgenabled = 'O'
        """
    )

    # What two people decide is decided once, by a trigger of its own; it is never taken away.
    assert names(guarded) == sorted([*APPEND_ONLY, "adjustments", "bet_rulings"])


async def test_no_function_that_keeps_its_plans_returns_rows_of_a_table(
    schema: Connection,
) -> None:
    """Else a call that is under way while a later version adds a column would fail.

    One in SQL alone is part of the statement that calls it, and planned anew with it.
    """
    functions = await schema.fetch(
        """
        SELECT p.proname AS index_name
        FROM pg_proc AS p
        JOIN pg_class AS c ON c.reltype = p.prorettype
        JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
        WHERE p.pronamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
        """
    )

    assert names(functions) == []


async def test_a_function_with_its_owners_rights_trusts_no_callers_schema(
    schema: Connection,
) -> None:
    functions = await schema.fetch(
        """
        SELECT p.proname AS name, p.proconfig AS settings, a.grantee AS may_call
        FROM pg_proc AS p
        CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
        WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
            AND a.privilege_type = 'EXECUTE'
        """
    )
    public = 0  # the grantee of what everybody may

    assert {row["name"] for row in functions} == {"ledger_post"}
    for row in functions:
        # Named last, pg_temp is searched last; unnamed, a caller's temporary table would be first.
        assert "search_path=pg_catalog, pg_temp" in row["settings"]
        assert row["may_call"] != public


def names(rows: Iterable[asyncpg.Record]) -> list[str]:
    return sorted(row["index_name"] for row in rows)
