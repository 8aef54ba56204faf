"""Start a run: fix what it compares, and leave it to be cut into ranges, in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.clock import new_id
from recon.db import load, with_retries
from recon.errors import Invalid
from recon.reconciliation.cut import cut_named
from recon.reconciliation.model import RunScope
from recon.reconciliation.queueing import queue_cut

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["begin_run", "join_run", "start_due_run", "start_run"]

_MAX_USERS = 10_000


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
    """Start a run in a commit of its own, and say its id; arguments and errors as `begin_run`."""
    async with pool.acquire() as connection, connection.transaction():
        return await begin_run(
            connection,
            scope,
            trigger=trigger,
            users=users,
            dry_run=dry_run,
            queued=queued,
            run_id=run_id,
        )


async def begin_run(
    connection: asyncpg.Connection[Any],
    scope: RunScope,
    *,
    trigger: str,
    users: Sequence[str] = (),
    dry_run: bool = False,
    queued: bool = True,
    run_id: UUID | None = None,
) -> UUID:
    """Start a run with whatever else the caller's transaction commits, and say its id.

    Args:
        connection: in a transaction.
        scope: which wallets.
        trigger: who or what asked for it.
        users: whose wallets, when the scope is ``users``.
        dry_run: compare and count, but open, change and clear nothing.
        queued: let workers cut and sweep it; else the caller does (`run_here`).
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
    row = await connection.fetchrow(
        load("recon.reconciliation", "insert_run"),
        *(run_id, scope, trigger, list(users) or None, dry_run),
    )
    if row is None:
        return run_id
    if scope is RunScope.USERS:
        await cut_named(connection, run_id, list(users), queued=queued)
    elif queued:
        await queue_cut(connection, run_id, scope)
    return run_id


@with_retries
async def join_run(pool: Pool, scope: RunScope, *, trigger: str) -> UUID:
    """Start a run, or lead to the one that the same trigger has under way over the same scope.

    Who presses a button twice wants one run.

    Args:
        pool: the database.
        scope: which wallets, not those of named players.
        trigger: who asks for it.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(load("recon.reconciliation", "lock_schedule"))
        under_way: UUID | None = await connection.fetchval(
            load("recon.reconciliation", "run_under_way"), trigger, scope
        )
        return under_way or await begin_run(connection, scope, trigger=trigger)


@with_retries
async def start_due_run(pool: Pool, scope: RunScope, every: timedelta) -> UUID | None:
    """Start a lane's scheduled run when its time has come; ``None`` when it has not.

    Any number of processes may do so at once: one of them starts it.
    """
    is_due = load("recon.reconciliation", "run_is_due")
    async with pool.acquire() as connection:
        if not await connection.fetchval(is_due, every, scope):
            return None
        async with connection.transaction():
            await connection.execute(load("recon.reconciliation", "lock_schedule"))
            # Another may have started it before we had the lock.
            if not await connection.fetchval(is_due, every, scope):
                return None
            return await begin_run(connection, scope, trigger="schedule")
