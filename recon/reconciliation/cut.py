"""Cut a run into ranges of users, each in a commit of its own, from where the last one ended.

So a run over everybody begins at once, its first ranges are swept while the rest is being cut, and
whoever cuts may be killed: the next goes on, and two at once take turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.db import load, with_retries
from recon.reconciliation.model import RunScope
from recon.reconciliation.queueing import queue_range

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["cut_named", "cut_run"]

_RANGE = 10_000
"""Wallets in a range over everybody, players in one over those that changed."""
_CUT_TIMEOUT_S = 3600


async def cut_run(pool: Pool, run_id: UUID, *, queued: bool = True) -> None:
    """Cut what is left of a run; nothing happens when it is cut already or has ended.

    Args:
        pool: the database.
        run_id: the run.
        queued: let workers sweep its ranges; else the caller does.
    """
    while not await _cut_more(pool, run_id, queued=queued):
        pass


async def cut_named(
    connection: asyncpg.Connection[Any], run_id: UUID, users: list[str], *, queued: bool
) -> None:
    """Cut a run over some players, in the caller's transaction: they are few."""
    await connection.execute(load("recon.reconciliation", "take_users"), run_id, users)
    await _cut_taken(connection, run_id, RunScope.USERS, queued=queued)


@with_retries
async def _cut_more(pool: Pool, run_id: UUID, *, queued: bool) -> bool:
    """Cut one range, or all of what changed; whether nothing is left."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(load("recon.reconciliation", "lock_cut"), run_id)
        if row is None:
            return True
        if row["scope"] == RunScope.CHANGED:
            await _cut_changed(connection, run_id, row["since"], queued=queued)
            return True
        cut = await connection.fetchrow(
            load("recon.reconciliation", "cut_next"), run_id, row["cut_to"], _RANGE
        )
        if cut is None:
            raise LookupError("a locked run without a row")
        if queued and cut["first_user"] is not None:
            await queue_range(connection, run_id, cut["first_user"], RunScope.ALL)
        done: bool = cut["done"]
        return done


async def _cut_changed(
    connection: asyncpg.Connection[Any], run_id: UUID, since: datetime | None, *, queued: bool
) -> None:
    await connection.execute(
        load("recon.reconciliation", "take_changed"), run_id, since, timeout=_CUT_TIMEOUT_S
    )
    await _cut_taken(connection, run_id, RunScope.CHANGED, queued=queued)


async def _cut_taken(
    connection: asyncpg.Connection[Any], run_id: UUID, scope: RunScope, *, queued: bool
) -> None:
    await connection.fetchval(
        load("recon.reconciliation", "cut_taken"), run_id, _RANGE, timeout=_CUT_TIMEOUT_S
    )
    if not queued:
        return
    for row in await connection.fetch(load("recon.reconciliation", "ranges"), run_id):
        await queue_range(connection, run_id, row["first_user"], scope)
