"""Every revision goes up, comes down to exactly what was before, and goes up again."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from recon.db.migrations import downgrade, migrate
from recon.db.schema import schema_head, schema_status

VERSIONS = Path(__file__).parents[2] / "alembic" / "versions"
REVISIONS = [path.stem.partition("_")[0] for path in sorted(VERSIONS.glob("[0-9]*.py"))]


async def catalogue(dsn: str) -> set[str]:
    """Everything in the schema, each as one line: tables, columns, keys, indexes, code, rows."""
    connection = await asyncpg.connect(dsn)
    try:
        lines = await connection.fetch(
            """
            SELECT format('column %s.%s %s %s %s', c.relname, a.attname, a.attnum,
                format_type(a.atttypid, a.atttypmod), a.attnotnull) AS line
            FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
                AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
            UNION ALL
            SELECT format('default %s %s', d.adrelid::regclass, pg_get_expr(d.adbin, d.adrelid))
            FROM pg_attrdef AS d
            UNION ALL
            SELECT format('table %s %s', c.relname, c.reloptions)
            FROM pg_class AS c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')
            UNION ALL
            SELECT pg_get_indexdef(i.indexrelid)
            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
            WHERE c.relnamespace = 'public'::regnamespace
            UNION ALL
            SELECT format('constraint %s %s %s', conrelid::regclass, conname,
                pg_get_constraintdef(oid))
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT pg_get_functiondef(oid)
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL
            SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL
            SELECT format('type %s %s', t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder))
            FROM pg_type AS t JOIN pg_enum AS e ON e.enumtypid = t.oid
            WHERE t.typnamespace = 'public'::regnamespace
            GROUP BY t.typname
            """
        )
        found = {row["line"] for row in lines}
        if any(line.startswith("table currencies ") for line in found):
            found |= {str(row) for row in await connection.fetch("SELECT * FROM currencies")}
        return found
    finally:
        await connection.close()


def test_revisions_are_numbered_without_a_gap_and_each_can_be_undone() -> None:
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
    for path in VERSIONS.glob("[0-9]*.py"):
        assert path.with_suffix(".up.sql").read_text(encoding="utf-8").strip()
        assert path.with_suffix(".down.sql").read_text(encoding="utf-8").strip()


def test_the_newest_revision_is_told_without_alembic_and_is_alembics_own() -> None:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))

    assert schema_head() == REVISIONS[-1]
    assert ScriptDirectory.from_config(config).get_heads() == [schema_head()]


async def test_every_revision_goes_up_down_and_up(empty_url: str) -> None:
    await migrate(empty_url, revision=REVISIONS[0])
    await downgrade(empty_url, revision="base")
    before = await catalogue(empty_url)
    below = "base"
    for revision in REVISIONS:
        up = await migrate(empty_url, revision=revision)
        there = await catalogue(empty_url)
        down = await downgrade(empty_url, revision=below)
        back = await catalogue(empty_url)
        await migrate(empty_url, revision=revision)

        assert (up.current, down.current or "base") == (revision, below)
        assert back == before, f"{revision} down leaves or takes what was not its own"
        assert await catalogue(empty_url) == there, f"{revision} goes up otherwise the second time"
        assert there != before, f"{revision} changes nothing"
        before, below = there, revision


async def test_all_the_way_down_leaves_only_the_version_table(empty_url: str) -> None:
    await migrate(empty_url)
    await downgrade(empty_url, revision="base")

    left = await catalogue(empty_url)
    assert [line for line in left if "alembic_version" not in line] == []
    assert (await schema_status(empty_url)).current is None


async def test_the_same_schema_comes_of_one_leap_and_of_single_steps(
    empty_url: str, database_url: str
) -> None:
    for revision in REVISIONS:
        await migrate(empty_url, revision=revision)

    assert await catalogue(empty_url) == await catalogue(database_url)
