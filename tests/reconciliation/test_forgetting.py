"""What long-ended runs saw goes by age; the runs, their sums and the discrepancies stay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from recon.clock import first_id_at, now
from recon.reconciliation import DiscrepancyFilter, forget_seen, list_discrepancies, read_run
from tests.web.many import discrepancies

if TYPE_CHECKING:
    from uuid import UUID

    import pytest

    from recon.db import Pool

_OLD, _YOUNG = timedelta(days=401), timedelta(days=399)


async def saw_all(pool: Pool, age: timedelta, *, state: str = "finished") -> UUID:
    """A run of that age that saw every discrepancy there is."""
    began = now() - age
    run_id = first_id_at(began)
    await pool.execute(
        "INSERT INTO runs (run_id, scope, trigger, state, started_at, finished_at, discrepant)"
        " VALUES ($1, 'all', 'schedule', $2, $3::timestamptz, CASE WHEN $2 = 'running' THEN null"
        " ELSE $3::timestamptz + interval '1 minute' END, 30)",
        *(run_id, state, began),
    )
    await pool.execute(
        "INSERT INTO run_discrepancies SELECT $1, user_id, discrepancy_id, currency, 'persisting',"
        " difference, explained, unexplained, available_difference, ledger_version,"
        " ledger_available, ledger_held, game_available, game_held FROM discrepancies",
        run_id,
    )
    await pool.execute(
        "INSERT INTO run_totals (run_id, currency, discrepancies, explained, unexplained, net)"
        " VALUES ($1, 'GBP', 30, 0, 5, 5)",
        run_id,
    )
    return run_id


async def test_what_an_old_run_saw_is_forgotten_and_its_sums_are_not(
    pool: Pool, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.reconciliation.drive._FORGOTTEN_AT_ONCE", 7)
    await discrepancies(owner, 30)
    old, young = await saw_all(pool, _OLD), await saw_all(pool, _YOUNG)
    under_way = await saw_all(pool, timedelta(days=500), state="running")

    for _ in range(2):
        await forget_seen(pool, now() - timedelta(days=400))

    kept = {}
    async with pool.acquire() as connection:
        for run_id in (old, young, under_way):
            seen = await list_discrepancies(connection, DiscrepancyFilter(run_id=run_id))
            run = await read_run(connection, run_id)
            kept[run_id] = (len(seen), run.forgotten_at is not None, len(run.totals))
            assert run.wallets.discrepant == 30
        there = await list_discrepancies(connection, DiscrepancyFilter())
    assert kept == {old: (0, True, 1), young: (30, False, 1), under_way: (30, False, 1)}
    assert len(there) == 30
