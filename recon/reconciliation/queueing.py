"""What a run leaves to workers: to cut it into ranges, and to sweep each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.jobs import enqueue
from recon.reconciliation.model import RunScope

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

__all__ = ["CUT_JOB", "SWEEP_JOBS", "queue_cut", "queue_range"]

CUT_JOB = "cut_run"
SWEEP_JOBS = {scope: f"sweep_{scope}" for scope in RunScope}
"""A queue for each, so that ranges of the one which take an hour leave the other its turn."""
_PRIORITIES = {RunScope.USERS: 20, RunScope.CHANGED: 10, RunScope.ALL: 0}


async def queue_cut(connection: asyncpg.Connection[Any], run_id: UUID, scope: RunScope) -> None:
    """Queue that a run is cut; a second time while that waits or is under way changes nothing."""
    await enqueue(
        connection,
        CUT_JOB,
        {"run_id": str(run_id)},
        dedupe_key=f"{CUT_JOB}:{run_id}",
        priority=_PRIORITIES[scope],
    )


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
