"""End a run: it has decided on every wallet, or it failed, was left, or was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.reconciliation.incidents import group_incidents

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.reconciliation.model import RunState

__all__ = ["end_run", "finish_run"]


async def end_run(
    connection: asyncpg.Connection[Any], run_id: UUID, state: RunState, reason: str
) -> bool:
    """End a run in the caller's transaction, which is repeated should it meet a look's commit.

    First the run's row, then the suspects as they are by then: a page that was being written
    meanwhile has left its own among them, or finds the run ended and writes nothing.

    Returns:
        Whether it was running until now; nothing is written where it was not.
    """
    ended = await connection.fetchval(
        load("recon.reconciliation", "end_run"), run_id, state, reason
    )
    if ended is None:
        return False
    await connection.execute(load("recon.reconciliation", "drop_suspects"), run_id)
    await _conclude(connection, run_id)
    return True


async def finish_run(connection: asyncpg.Connection[Any], run_id: UUID) -> str | None:
    """End a run that has decided on every wallet, in the caller's transaction; its state then.

    Returns:
        ``None`` where it has not, or had ended before.
    """
    ended: str | None = await connection.fetchval(
        load("recon.reconciliation", "finish_run"), run_id
    )
    if ended is not None:
        await _conclude(connection, run_id)
    return ended


async def _conclude(connection: asyncpg.Connection[Any], run_id: UUID) -> None:
    """What any end leaves behind: sums, and incidents; a dry run has seen nothing to speak of."""
    await connection.execute(load("recon.reconciliation", "sum_run"), run_id)
    await group_incidents(connection, run_id)
