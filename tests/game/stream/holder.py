"""A process that holds the stream whenever it can: ``python -m tests.game.stream.holder``.

Told by its environment where the database and the game are; says nothing.
"""

from __future__ import annotations

import asyncio
import os

from recon.db import open_pool
from recon.game.stream import Bulletin, Lease, StreamAddress, StreamWatch, hold, listen

__all__ = ["QUICK"]

QUICK = Lease(lasts_s=4.0, renew_s=0.3, hang_up_s=1.5, ask_s=0.1)
"""Renewed and asked about often; lasting longer than a busy machine stands still."""


async def _main() -> None:
    bulletin, watch = Bulletin(), StreamWatch()
    address = StreamAddress(os.environ["GAME_URL"], os.environ["GAME_API_KEY"])
    async with open_pool(os.environ["DATABASE_URL"], max_size=2) as pool:
        await hold(pool, lambda: listen(address, bulletin, watch), watch, lease=QUICK)


if __name__ == "__main__":
    asyncio.run(_main())
