"""The service's database role may do this and nothing else: it cannot rewrite the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.db.embedded import SERVICE_USER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from recon.db.embedded import EmbeddedPostgres

GROWS = {"INSERT"}
CHANGES = {"INSERT", "UPDATE"}
COMES_AND_GOES = {"INSERT", "UPDATE", "DELETE"}
READ = set[str]()
# Beside SELECT, which it has on every table. A new table is to be given its line.
RIGHTS = {
    "adjustments": READ,
    "alembic_version": READ,
    "alert_channels": CHANGES,
    "alert_deliveries": CHANGES,
    "alert_lanes": COMES_AND_GOES,
    "alert_subjects": {"INSERT", "DELETE"},
    "alerts": {"INSERT", "DELETE"},
    "api_keys": CHANGES,
    "api_requests": COMES_AND_GOES,
    "audit": READ,
    "backfills": CHANGES,
    "bet_attempts": GROWS,
    "bet_rulings": READ,
    "bets": CHANGES,
    "cases": CHANGES,
    "checks": CHANGES,
    "currencies": READ,
    "deliveries": GROWS,
    "delivery_repeats": GROWS,
    "discrepancies": CHANGES,
    "discrepancy_events": READ,
    "discrepancy_tallies": {"INSERT", "DELETE"},
    "game_notices": CHANGES,
    "game_outages": COMES_AND_GOES,
    "hold_resolutions": READ,
    "holds": READ,
    "idempotency": READ,
    "job_starts": COMES_AND_GOES,
    "movements": GROWS,
    "payments": GROWS,
    "pgqueuer": COMES_AND_GOES,
    "pgqueuer_log": COMES_AND_GOES,
    "pgqueuer_schedules": COMES_AND_GOES,
    "pgqueuer_statistics": COMES_AND_GOES,
    "postings": READ,
    "redaction": READ,
    "redaction_left": {"INSERT", "DELETE"},
    "run_discrepancies": {"INSERT", "DELETE"},
    "run_tolerances": CHANGES,
    "run_totals": GROWS,
    "run_ranges": COMES_AND_GOES,
    "run_wallets": {"INSERT", "DELETE"},
    "runs": CHANGES,
    "incidents": CHANGES,
    "seal_links": GROWS,
    "sealing": CHANGES,
    "seals": GROWS,
    "sessions": COMES_AND_GOES,
    "sign_in_attempts": {"INSERT", "DELETE"},
    "sign_in_links": COMES_AND_GOES,
    "oidc_starts": {"INSERT", "DELETE"},
    "staff_identities": {"INSERT", "DELETE"},
    "settlement_batches": CHANGES,
    "settlement_files": GROWS,
    "settlement_findings": GROWS,
    "settlement_lines": GROWS,
    "staff": CHANGES,
    "stream_holders": CHANGES,
    "suspects": COMES_AND_GOES,
    "tick_failures": COMES_AND_GOES,
    "verifications": COMES_AND_GOES,
    "wallets": READ,
}
# The columns that may change where the rest of the row may not.
COLUMNS = {
    "adjustments": {"state", "decided_by", "decision_reason"},
    "bet_rulings": {"state", "decided_by", "decided_step", "decision_reason"},
    "deliveries": {
        *("body", "event_type", "kind", "payment_id", "effect_id", "reference", "user_id"),
        *("currency", "amount", "event_at", "state", "reason", "waited_at"),
    },
    "delivery_repeats": {"body"},
    "payments": {
        *("state", "payment_id", "reported_at", "updated_at", "overdue_at", "unpaid_at"),
    },
    "redaction": {"done_until"},
    "settlement_findings": {"state", "resolved_at", "resolution"},
}
# What grows, and by whose hand only these columns are filled: when it was, the database says.
FILLED = {
    "adjustments": {
        *("user_id", "adjustment_id", "discrepancy_id", "currency", "amount", "reason", "state"),
        *("ledger_version", "available_difference", "ledger_available", "game_available"),
        "proposed_by",
    },
    "audit": {"audit_id", "actor", "action", "object", "detail"},
    "bet_rulings": {
        *("user_id", "ruling_id", "bet_id", "currency", "outcome", "payout", "ticket_id"),
        *("payout_transaction_id", "reason", "evidence", "standing", "state"),
        *("proposed_by", "proposed_step"),
    },
    "discrepancy_events": {
        *("user_id", "discrepancy_id", "event_id", "actor", "action", "detail"),
    },
}
LASTING = sorted(table for table, rights in RIGHTS.items() if "DELETE" not in rights)


@pytest.fixture(scope="module")
async def service(
    server: EmbeddedPostgres, schema: asyncpg.Connection[asyncpg.Record]
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """The service's connection to the module's database."""
    name = await schema.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(server.service_dsn_for(name))
    yield connection
    await connection.close()


async def test_the_service_has_these_rights_and_no_other(
    schema: asyncpg.Connection[asyncpg.Record],
) -> None:
    rows = await schema.fetch(
        """
        SELECT c.relname AS name, a.privilege_type AS privilege, a.grantee::regrole::text AS role
        FROM pg_class AS c
        CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
            AND a.grantee <> c.relowner
        """
    )
    tables = await schema.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = {row["tablename"]: set[str]() for row in tables}
    for row in rows:
        assert row["role"] == SERVICE_USER, f"{row['role']} has rights on {row['name']}"
        found[row["name"]].add(row["privilege"])

    assert found == {table: {"SELECT", *rights} for table, rights in RIGHTS.items()}


async def test_of_some_tables_only_these_columns_may_be_filled_or_change(
    schema: asyncpg.Connection[asyncpg.Record],
) -> None:
    rows = await schema.fetch(
        """
        SELECT c.relname AS name, t.attname AS column, x.privilege_type AS privilege
        FROM pg_attribute AS t
        JOIN pg_class AS c ON c.oid = t.attrelid
        CROSS JOIN LATERAL aclexplode(t.attacl) AS x
        WHERE c.relnamespace = 'public'::regnamespace
        """
    )
    found: dict[str, dict[str, set[str]]] = {"UPDATE": {}, "INSERT": {}}
    for row in rows:
        found[row["privilege"]].setdefault(row["name"], set()).add(row["column"])

    assert found == {"UPDATE": COLUMNS, "INSERT": FILLED}


@pytest.mark.parametrize("table", LASTING)
async def test_nothing_is_taken_away_nor_is_a_table_changed(
    service: asyncpg.Connection[asyncpg.Record], table: str
) -> None:
    for statement in (
        f"DELETE FROM {table}",  # noqa: S608 - names of our own
        f"TRUNCATE {table}",
        f"ALTER TABLE {table} ADD COLUMN more integer",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TABLE {table}",
        f"CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        f"CREATE RULE r AS ON INSERT TO {table} DO INSTEAD NOTHING",
        f"CREATE POLICY p ON {table} USING (false)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(statement)


@pytest.mark.parametrize(
    "table", sorted(table for table, rights in RIGHTS.items() if "UPDATE" not in rights)
)
async def test_what_is_written_stays_as_it_is(
    service: asyncpg.Connection[asyncpg.Record], table: str
) -> None:
    columns = await service.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0", table
    )
    for (column,) in columns:
        if column in COLUMNS.get(table, ()):
            continue
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(f"UPDATE {table} SET {column} = {column}")  # noqa: S608 - names of our own


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "CREATE TABLE mine (n integer)",
        "CREATE FUNCTION sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS ''",
        "ALTER FUNCTION ledger_post SECURITY INVOKER",
        "SET ROLE recon",
        "CREATE ROLE another",
        "COPY postings FROM stdin",
    ],
)
async def test_it_cannot_get_round_its_rights(
    service: asyncpg.Connection[asyncpg.Record], statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


async def test_money_is_written_through_its_one_door_only(pool: Pool) -> None:
    for table in ("wallets", "postings", "idempotency", "holds", "hold_resolutions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(f"INSERT INTO {table} DEFAULT VALUES")
    doors = await pool.fetch(
        "SELECT proname FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        " AND has_function_privilege(oid, 'EXECUTE')"
    )
    assert [row["proname"] for row in doors] == ["ledger_post"]


async def test_an_owner_may_take_every_function_from_everybody(owner: Pool, pool: Pool) -> None:
    await owner.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")

    lost = await pool.fetch(
        "SELECT proname FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype"
        " AND NOT has_function_privilege(oid, 'EXECUTE')"
    )
    assert [row["proname"] for row in lost] == []
