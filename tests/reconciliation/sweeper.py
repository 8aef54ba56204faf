"""A process that sweeps a run beside others: ``python -m tests.reconciliation.sweeper``."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from uuid import UUID

from recon.db import open_pool
from recon.game import GameClient
from recon.reconciliation import Reconciler, run_here, sweep

__all__ = ["PAGE"]

PAGE = 20
_GRACE = timedelta(seconds=1)
_CONCURRENCY = 4


async def main(dsn: str, game_url: str, run_id: str, key: str, touch_every_s: str) -> None:
    """Sweep and climb until the run has ended, and say how."""
    setattr(sweep, "_TOUCH_EVERY_S", float(touch_every_s))  # noqa: B010 - a constant
    setattr(sweep, "_PAGE", PAGE)  # noqa: B010
    async with (
        open_pool(dsn, max_size=4) as pool,
        # Its questions are held back until another process is there.
        GameClient(game_url, key, "sk_sandbox_test", timeout_s=60.0) as client,
    ):
        run = await run_here(Reconciler(pool, client, _GRACE, {}, _CONCURRENCY), UUID(run_id))
    print(run.state)  # noqa: T201 - for who has started this process


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
