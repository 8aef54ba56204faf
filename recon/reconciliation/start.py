"""Start a run: fix what it compares, cut it into ranges, and queue them, in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.clock import new_id
from recon.db import load, with_retries
from recon.db.holding import take_your_time
from recon.errors import Invalid
from recon.jobs import enqueue
from recon.reconciliation.model import RunScope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["SWEEP_JOBS", "queue_range", "start_due_run", "start_run"]

SWEEP_JOBS = {scope: f"sweep_{scope}" for scope in RunScope}
"""A queue for each, so that ranges of the one which take an hour leave the other its turn."""
_USERS_IN_A_RANGE = 10_000
_MAX_USERS = 10_000
_CUT_TIMEOUT_S = 3600
_PRIORITIES = {RunScope.USERS: 20, RunScope.CHANGED: 10, RunScope.ALL: 0}


@with_retries
async def start_run(
    pool: Pool,
    scope: RunScope,
    *,
    trigger: str,
    users: Sequence[str] = (),
    dry_run: bool = False,
    queued: bool = True,
    run_id: UUID | None = None,
) -> UUID:
    """Start a run and say its id.

    Args:
        pool: the database.
        scope: which wallets.
        trigger: who or what asked for it.
        users: whose wallets, when the scope is ``users``.
        dry_run: compare and count, but open, change and clear nothing.
        queued: let workers sweep its ranges; else the caller does (`run_here`).
        run_id: makes the start idempotent: a run of this id that exists is that run.

    Raises:
        Invalid: users are missing, too many, or given for another scope.
    """
    if (scope is RunScope.USERS) != bool(users) or len(users) > _MAX_USERS:
        raise Invalid(
            f"give 1 to {_MAX_USERS} users with the scope users, and only then",
            code="invalid_scope",
        )
    run_id = run_id or new_id()
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            load("recon.reconciliation", "insert_run"),
            *(run_id, scope, trigger, list(users) or None, dry_run),
        )
        if row is None:
            return run_id
        since = row["since"]
        take_your_time()
        if scope is RunScope.CHANGED:
            await connection.execute(load("recon.reconciliation", "take_changed"), run_id, since)
        elif scope is RunScope.USERS:
            await connection.execute(
                load("recon.reconciliation", "take_users"), run_id, list(users)
            )
        cut = "cut_all" if scope is RunScope.ALL else "cut_taken"
        await connection.fetchval(
            load("recon.reconciliation", cut), run_id, _USERS_IN_A_RANGE, timeout=_CUT_TIMEOUT_S
        )
        if queued:
            ranges = await connection.fetch(load("recon.reconciliation", "ranges"), run_id)
            for row in ranges:
                await queue_range(connection, run_id, row["first_user"], scope)
    return run_id


async def start_due_run(pool: Pool, scope: RunScope, every: timedelta) -> UUID | None:
    """Start a lane's scheduled run when its time has come; ``None`` when it has not."""
    async with pool.acquire() as connection:
        due = await connection.fetchval(load("recon.reconciliation", "run_is_due"), every, scope)
    return await start_run(pool, scope, trigger="schedule") if due else None


async def queue_range(
    connection: asyncpg.Connection[Any], run_id: UUID, first_user: str, scope: RunScope
) -> None:
    """Queue one range of a run; a second time while it waits or runs changes nothing.

    What somebody asked for about a player comes before what changed, and that before the rest.
    """
    await enqueue(
        connection,
        SWEEP_JOBS[scope],
        {"run_id": str(run_id), "first_user": first_user},
        dedupe_key=f"{SWEEP_JOBS[scope]}:{run_id}:{first_user}",
        priority=_PRIORITIES[scope],
    )
