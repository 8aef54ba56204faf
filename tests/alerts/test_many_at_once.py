"""A hundred thousand differences that nobody has told of yet are written down in seconds."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recon.clock import new_id
from recon.db import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon.db import Pool

MANY = 2000


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's steps, from the top down."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from steps(below)


async def test_what_was_told_is_not_read_anew_and_anew_while_it_grows(owner: Pool) -> None:
    run_id = new_id()
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            """
            INSERT INTO discrepancies (
                user_id, discrepancy_id, currency, exponent, status, severity, cause,
                ledger_available, ledger_held, ledger_reserved, ledger_version, game_available,
                game_held, available_difference, difference, held_difference, explained,
                unexplained, unexplained_since, evidence, looked_at, first_seen_at, last_seen_at,
                first_run_id, last_run_id
            ) SELECT
                'u_' || n, gen_random_uuid(), 'GBP', 2, 'open', 'low', 'unexplained', 0, 0, 0, 1, n,
                0, n, n, 0, 0, n, now() - interval '3 hours', '[]', '[]', now(), now(), $1, $1
            FROM generate_series(1, $2) AS n
            """,
            run_id,
            MANY,
        )
    # So small, and known to be, that reading all of it is planned for each difference.
    await owner.execute(
        "INSERT INTO alert_subjects (kind, subject, generation) VALUES ('watch', 'runs', 1)"
    )
    await owner.execute("ANALYZE alert_subjects, discrepancies")

    async with owner.acquire() as connection, connection.transaction():
        text = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {load('recon.alerts', 'find_unexplained')}",
            *(None, timedelta(minutes=15), ["low"], [], []),
        )
        told = await connection.fetchval("SELECT count(*) FROM alert_subjects")

    assert told == MANY + 1
    reading = [
        step
        for step in steps(json.loads(text)[0]["Plan"])
        if step.get("Relation Name") == "alert_subjects" and "Scan" in step["Node Type"]
    ]
    assert [step["Actual Loops"] for step in reading] == [MANY]
    # A page or two for each; where the table grew meanwhile, it was all that had been written.
    assert sum(step["Shared Hit Blocks"] for step in reading) <= 4 * MANY
