"""Looking again at a discrepancy from its page: who may, and what it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.clock import new_id
from recon.reconciliation import RunScope, list_runs
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site


async def test_an_analyst_has_a_case_looked_at_again(site: Site, pool: Pool) -> None:
    case = await Cases(pool).seen("u_1", "20.00")
    await site.sign_in("maker")
    here = f"/discrepancies/{case}"
    assert f'action="{here}/recheck"' in (await site.get(here))[1]

    status, _, headers = await site.act(f"{here}/recheck")

    assert (status, headers["Location"]) == (303, here)
    async with pool.acquire() as connection:
        (run,) = await list_runs(connection)
    assert (run.scope, run.trigger, run.wallets.total) == (RunScope.USERS, f"recheck:{case}", 1)
    assert await Cases(pool).history(case) == [("run", "opened"), ("staff", "rechecked")]


async def test_who_only_looks_starts_no_run(site: Site, pool: Pool) -> None:
    case = await Cases(pool).seen("u_1", "20.00")
    await site.sign_in("watcher")
    here = f"/discrepancies/{case}"
    assert "/recheck" not in (await site.get(here))[1]

    assert (await site.act(f"{here}/recheck"))[0] == 403

    await site.sign_in("maker")
    assert (await site.act(f"{here}/recheck", csrf="none"))[0] == 403
    missing = f"/discrepancies/{new_id()}/recheck"
    assert (await site.act(missing))[0] == 404
    async with pool.acquire() as connection:
        assert await list_runs(connection) == []
