"""A sweep holds a page of wallets, not all of them: its memory does not grow with their number.

``RECON_SWEEP_WALLETS=1000000`` sweeps a million instead, and prints what it took.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from recon.db.embedded.child import die_with_parent
from recon.game import GameClient
from recon.reconciliation import Reconciler, RunScope, RunState, run_here, start_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from recon.reconciliation import Run

_WALLETS: Final = int(os.environ.get("RECON_SWEEP_WALLETS", "20000"))
_WRONG: Final = 10
_WARM: Final = 4_000
# Half a kilobyte kept of each wallet would be more than this already among the fewest.
_MOST_GROWTH_MB: Final = 8
_CONCURRENCY: Final = 32
_PATIENCE_S: Final = 600 + _WALLETS / 100


@pytest.fixture
async def game_url() -> AsyncIterator[str]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.reconciliation.stub_game"),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent(),
    )
    assert child.stdout is not None
    yield f"http://127.0.0.1:{int(await child.stdout.readline())}"
    child.kill()
    await child.wait()


def resident_mb() -> float:
    """What this process has in memory."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel does not tell")


@pytest.mark.timeout(_PATIENCE_S)
async def test_memory_does_not_grow_with_the_wallets_that_a_run_sweeps(
    pool: Pool, owner: Pool, game_url: str
) -> None:
    await owner.execute(
        "INSERT INTO wallets (user_id, currency, available, version)"
        " SELECT 'u_' || n, 'GBP', CASE WHEN n <= $2 THEN 999 ELSE 1000 END, 1"
        " FROM generate_series(1, $1::integer) AS n",
        *(_WALLETS, _WRONG),
        timeout=600,
    )
    held: list[tuple[int, float]] = []

    def look(run: Run) -> None:
        held.append((run.wallets.agreed, resident_mb()))

    async with GameClient(game_url, "ck_sandbox_test", "sk_sandbox_test") as client:
        reconciler = Reconciler(pool, client, timedelta(seconds=1), {}, _CONCURRENCY)
        run_id = await start_run(pool, RunScope.ALL, trigger="test", queued=False)
        began_s = time.monotonic()
        run = await run_here(reconciler, run_id, progress=look)
        took_s = time.monotonic() - began_s

    assert (run.state, run.wallets.agreed, run.wallets.discrepant) == (
        RunState.FINISHED,
        _WALLETS - _WRONG,
        _WRONG,
    )
    warm = next(mb for agreed, mb in held if agreed >= _WARM)
    most = max(mb for _, mb in held)
    print(  # noqa: T201 - for who asks for a million
        f"{_WALLETS} wallets in {took_s:.1f} s, {_WALLETS / took_s:.0f}/s;"
        f" {warm:.1f} MB after {_WARM}, {most:.1f} MB at most, {held[-1][1]:.1f} MB at the end"
    )
    assert most - warm < _MOST_GROWTH_MB
