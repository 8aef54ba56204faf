"""One truth about the game for all processes: who does not reach it says so in the database.

A process that loses the game writes since when, renews it while it lasts, and asks the game by
itself so that it learns of its return even when nobody calls. Every process reads what the others
have written, so that API and pages of each say the same within seconds; one that has not called
since then asks a question before it sends anything else. A process that was killed is not believed
for longer than it would have kept quiet. What the game announces is kept beside it, so that
`recon doctor` knows of what it did not call itself.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from recon.clock import new_id
from recon.db import load
from recon.game.notices import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from recon.db import Pool
    from recon.game.client import GameClient
    from recon.game.watch import GameWatch

__all__ = ["Announced", "read_announced", "watching"]

_log = structlog.get_logger(__name__)

_EVERY_S: Final = 2.0
_APART_S: Final = 0.2
"""A game that fails every other call is not worth a statement for each of them."""
_BELIEVED: Final = timedelta(seconds=15)
_AGAIN: Final = timedelta(hours=1)
_ANNOUNCED: Final = timedelta(days=1)
_WITHIN_S: Final = 5.0
_ASK_WITHIN_S: Final = 3.0
"""With the two above, well below the time for which a process is believed."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What the processes know of the game: since when it is out of reach, what it has announced."""

    down_since: datetime | None
    notices: tuple[Notice, ...]


async def read_announced(pool: Pool) -> Announced:
    """What the service's processes have written down."""
    async with pool.acquire() as connection:
        since = await connection.fetchval(load("recon.game", "outage_since"), _BELIEVED)
        rows = await connection.fetch(load("recon.game", "notices"), _ANNOUNCED)
    return Announced(since, tuple(Notice(**dict(row)) for row in rows))


@asynccontextmanager
async def watching(
    pool: Pool, game: GameClient | None, watch: GameWatch, *, every_s: float = _EVERY_S
) -> AsyncIterator[None]:
    """Keep `watch` and the database told of each other.

    Args:
        pool: the database.
        game: asked while it is out of reach; None where none is configured.
        watch: what this process sees, and is shown of the others.
        every_s: how often; a change is told at once.
    """
    if game is None:
        yield
        return
    keeper = _Keeper(pool, game, watch, every_s)
    working = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        with suppress(Exception):  # it is not believed for long anyway
            await keeper.leave()


@dataclass(slots=True)
class _Keeper:
    pool: Pool
    game: GameClient
    watch: GameWatch
    every_s: float
    process: UUID = field(default_factory=new_id)
    has_row: bool = False
    said: datetime | None = None
    told: dict[tuple[str, str], Notice] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            self.watch.changed.clear()
            try:
                async with asyncio.timeout(_WITHIN_S):
                    await self._tell()
            except Exception as error:  # noqa: BLE001 - the database may be gone as well; next time
                _log.debug("game_watch_not_told", error=repr(error))
            if self.watch.has_only_heard_of_it:
                # A process that begins now, or has been idle, does not find out by its bets.
                self.game.doubt()
                await self._ask()
            await asyncio.sleep(min(_APART_S, self.every_s))
            with suppress(TimeoutError):
                async with asyncio.timeout(self.every_s):
                    await self.watch.changed.wait()
            if self.watch.own_since is not None and not self.watch.changed.is_set():
                # Harmless, and the only way to hear of its return where nobody calls.
                await self._ask()

    async def _ask(self) -> None:
        with suppress(Exception):  # whatever it is, it must not end the watch
            async with asyncio.timeout(_ASK_WITHIN_S):
                await self.game.state()

    async def leave(self) -> None:
        """This process says nothing any more."""
        if self.has_row:
            async with asyncio.timeout(_WITHIN_S), self.pool.acquire() as connection:
                await connection.execute(load("recon.game", "end_outage"), self.process)

    async def _tell(self) -> None:
        since = self.watch.own_since
        async with self.pool.acquire() as connection:
            if since is not None:
                self.has_row = True
                await connection.execute(
                    load("recon.game", "tell_outage"), self.process, since, since == self.said
                )
                self.said = since
            elif self.has_row:
                await connection.execute(load("recon.game", "end_outage"), self.process)
                self.has_row = False
            self.watch.others_since = await connection.fetchval(
                load("recon.game", "outage_since"), _BELIEVED
            )
            for notice, seen_at in self.game.announcements:
                key = notice.kind, notice.operation
                told = self.told.get(key)
                if told is not None and told.value == notice.value and seen_at < told.seen_at:
                    continue
                await connection.execute(
                    load("recon.game", "tell_notice"),
                    *(notice.kind, notice.operation, notice.value, notice.link, notice.seen_at),
                )
                self.told[key] = replace(notice, seen_at=seen_at + _AGAIN)
