"""The statements that must stay cheap whatever the tables hold: their plans."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from recon.db import load

if TYPE_CHECKING:
    from recon.db import Pool


async def planned(pool: Pool, name: str, *arguments: object) -> str:
    """The plan on tables said to be large, where a scan of the whole would be the price."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute("SET LOCAL enable_sort = off")
        rows = await connection.fetch(
            f"EXPLAIN (COSTS OFF) {load('recon.reconciliation', name)}", *arguments
        )
    return "\n".join(row[0] for row in rows)


async def test_a_page_of_discrepancies_is_read_off_an_index_in_its_order(pool: Pool) -> None:
    no_filter, no_more = (None,) * 7, (None,) * 6

    for name, which in (("discrepancies", ()), ("export_page", (None,))):
        plan = await planned(pool, name, *no_filter, 50, *no_more, *which)
        assert "Index Scan" in plan
        assert "on discrepancies d" in plan
        assert "Seq Scan on discrepancies" not in plan
        assert "Sort Key: d.discrepancy_id" not in plan


async def test_the_wallets_snapshot_looks_up_each_wallet_by_key(pool: Pool) -> None:
    plan = await planned(pool, "snapshots", ["u_1"], ["GBP"], timedelta(days=7))

    assert "wallets_pkey" in plan
    assert "Seq Scan on wallets" not in plan
    assert "Seq Scan on payments" not in plan
    assert "using bets_unsettled_idx on bets" in plan


async def test_a_page_of_a_sweep_is_read_off_the_wallets_key(pool: Pool) -> None:
    plan = await planned(pool, "page_all", "", "", "u_9", 500)

    assert "wallets_pkey" in plan
    assert "Seq Scan on wallets" not in plan


async def test_a_range_is_cut_off_the_keys_and_costs_the_same_wherever_it_begins(
    pool: Pool,
) -> None:
    plan = await planned(pool, "cut_next", UUID(int=1), "u_5", 10_000)

    assert "Index Cond: (user_id > " in plan
    assert "Seq Scan on wallets" not in plan
    assert "Seq Scan on payments" not in plan


async def test_what_a_run_takes_is_read_off_indexes_of_what_is_open(pool: Pool) -> None:
    plan = await planned(pool, "take_changed", UUID(int=1), None)

    for index in ("bets_unsettled_idx", "payments_recent_idx", "checks_unsettled_idx"):
        assert f"using {index}" in plan or f"on {index}" in plan
    for table in ("bets", "payments", "checks"):
        assert f"Seq Scan on {table}" not in plan
    # Found by the time itself, not by filtering every payment that was ever left open.
    assert "Index Cond: (updated_at > " in plan
