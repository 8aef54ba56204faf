"""Expand, then contract: our code runs on the schema of the next version, until that says no."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner
from pydantic import SecretStr

from recon.app import build_app
from recon.cli import recon
from recon.db import load
from recon.db.migrations import migrate
from recon.db.pool import DatabaseUnavailableError
from recon.db.schema import schema_head, schema_status, script_location
from recon.opening import open_database_url
from recon.settings import Settings
from tests.architecture.test_sql_files import FILES, name_of
from tests.migrations.newer import Newer

LAST_UNRELEASED = "0010"
"""Up to here there is no version before, and no code of one."""

HISTORY = Path(__file__).parents[2] / "recon" / "simulation" / "history.sql"
_WIDER = """
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1 LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN of_a_later_version text', t);
    END LOOP;
END
$$;
CREATE TABLE of_a_later_version (user_id text PRIMARY KEY)
"""


_GRANTS = 'GRANT SELECT, INSERT ON of_a_later_version TO :"service";'
_RIGHTS = """
SELECT table_name, NULL, privilege_type FROM information_schema.table_privileges
WHERE grantee = current_user
UNION ALL
SELECT table_name, column_name, privilege_type FROM information_schema.column_privileges
WHERE grantee = current_user
UNION ALL
SELECT routine_name, specific_name, privilege_type FROM information_schema.routine_privileges
WHERE grantee = current_user
"""
_LATER = "of_a_later_version"


async def rights(url: str) -> set[tuple[str | None, ...]]:
    """What the service may do with its tables, their columns and the functions."""
    connection = await asyncpg.connect(url)
    try:
        return {tuple(row) for row in await connection.fetch(_RIGHTS)}
    finally:
        await connection.close()


async def is_ready(url: str) -> tuple[int, str]:
    """What a process that serves the database says of itself."""
    app = build_app(Settings(), url, jobs=False)
    async with TestClient(TestServer(app)) as client, client.get("/readyz") as answer:
        return answer.status, (await answer.json())["schema"]


async def test_a_wider_schema_that_says_so_is_served_and_every_statement_runs_on_it(
    database_url: str, owner_url: str, tmp_path: Path
) -> None:
    newer = Newer(tmp_path)
    ours = newer.head
    newer.add(_WIDER, oldest_code=ours, grants=_GRANTS)
    before = await rights(database_url)
    await newer.bring_up(owner_url)

    # They were all taken and given anew: our code has what it had, and the later one what it wants.
    after = await rights(database_url)
    assert {right for right in after if _LATER not in right} == before
    assert (_LATER, None, "INSERT") in after
    status = await schema_status(database_url)
    assert (status.current, status.up_to_date, status.is_served) == (newer.head, False, True)
    async with open_database_url(Settings(database_url=SecretStr(database_url))) as url:
        assert await is_ready(url) == (200, "ok")
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute("CREATE SCHEMA simulation")
        await connection.execute(HISTORY.read_text(encoding="utf-8"))
        for path in FILES:
            package, _, name = name_of(path).partition("/")
            await connection.prepare(load(package, name))
    finally:
        await connection.close()
    # It is not ours to change.
    with pytest.raises(DatabaseUnavailableError, match="does not know"):
        await migrate(owner_url)


@pytest.mark.parametrize("said", ["nothing", "its own", "nothing, and a later one ours"])
async def test_a_schema_that_has_lost_what_our_code_needs_is_refused_by_all_of_it(
    database_url: str, owner_url: str, tmp_path: Path, said: str
) -> None:
    newer = Newer(tmp_path)
    ours, after_ours = newer.head, f"{int(newer.head) + 1:04}"
    newer.add("SELECT 1", oldest_code=after_ours if said == "its own" else None)
    if said.endswith("a later one ours"):
        # It speaks of its own change: what the one before took away is still gone.
        newer.add("SELECT 1", oldest_code=ours)
    await newer.bring_up(owner_url)

    with pytest.raises(DatabaseUnavailableError, match="run a newer version") as refused:
        async with open_database_url(Settings(database_url=SecretStr(database_url))):
            pass
    assert refused.value.code == "schema_ahead"
    assert await is_ready(database_url) == (503, f"at {newer.head}, not {schema_head()}")
    runner = CliRunner(env={"RECON_DATABASE_URL": database_url, "NO_COLOR": "1"})
    result = await asyncio.to_thread(runner.invoke, recon, ["doctor", "--json"])
    assert result.exit_code == 5
    (database,) = (f for f in json.loads(result.stdout)["findings"] if f["check"] == "database")
    assert "run a newer version" in database["detail"]


_WAITS = """
SELECT count(*) FROM pg_locks
WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'wallets'::regclass
"""


async def test_who_waits_behind_a_revision_that_waits_is_let_pass_and_it_succeeds_later(
    owner_url: str, tmp_path: Path
) -> None:
    newer = Newer(tmp_path)
    newer.add("ALTER TABLE wallets ADD COLUMN later text", oldest_code=newer.head)
    long_one, reader = [await asyncpg.connect(owner_url) for _ in range(2)]
    try:
        async with long_one.transaction():
            await long_one.execute("SELECT FROM wallets")
            migrating = asyncio.create_task(newer.bring_up(owner_url))
            async with asyncio.timeout(60):
                while not await reader.fetchval(_WAITS):  # noqa: ASYNC110 - a server
                    await asyncio.sleep(0.01)
                # Behind it in the queue; the long one still reads, and the revision is not done.
                await reader.execute("SELECT FROM wallets")
            assert not migrating.done()

        assert (await migrating).current == newer.head
    finally:
        await long_one.close()
        await reader.close()


async def test_every_revision_to_come_says_which_code_runs_on_it() -> None:
    """One that says nothing runs with its own code alone: a service would stop to be migrated."""
    silent = [
        path.name
        for path in sorted((script_location() / "versions").glob("[0-9]*.py"))
        if path.stem.partition("_")[0] > LAST_UNRELEASED
        and "oldest_code = " not in path.read_text(encoding="utf-8")
    ]

    assert silent == []
