"""A worker that sends what is due; run as a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import sys

from recon.alerts import Alerting, Receiver, send_due
from recon.db import open_pool
from tests.alerts.plain import EVERYTHING, SECRET, policy

__all__ = ["main"]


async def main(database_url: str, url: str) -> None:
    receiver = Receiver(label="ops", url=url, secrets=[SECRET], wants=EVERYTHING)
    async with open_pool(database_url, max_size=2) as pool:
        await send_due(pool, Alerting(policy=policy(), channels=[receiver]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
