"""Sealing, all the while: what is sealed must stand whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from recon.db import open_pool
from recon.db.pool import database_fault
from recon.seals import Sealer, SealKeys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

__all__ = ["SETTINGS", "Sealing"]

_KEY: Final = "a key that the database never sees"
SETTINGS: Final = {"RECON_SEAL_KEYS": json.dumps([_KEY])}
"""With which `recon verify` proves the signatures."""


@dataclass
class Sealing:
    """A sealer beside the service, as its jobs have one, and more eager.

    Attributes:
        url: the database's own.
        faults: what kept it from sealing besides the harm that is done.
    """

    url: str
    chance: Random
    rows: int = 0
    faults: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Seal again and again for the length of the block."""
        async with open_pool(self.url, max_size=2, acquire_timeout_s=1) as pool:
            task = asyncio.create_task(self._seal_on(Sealer(pool, SealKeys([_KEY]))))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait({task})

    async def _seal_on(self, sealer: Sealer) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.1, 0.5))
            try:
                # Deep: it looks all the way back, and makes certain what is late from then on.
                done = await sealer.run(deep=self.chance.random() < 0.3)
            except Exception as error:  # noqa: BLE001 - judged by the scene at its end
                if database_fault(error) is None:
                    self.faults.append(repr(error))
            else:
                self.rows += done.rows if done is not None else 0
