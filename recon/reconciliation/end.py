"""End a run before it has decided on every wallet: it failed, was left, or was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.db import load

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.reconciliation.model import RunState

__all__ = ["end_run"]


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
    await connection.execute(load("recon.reconciliation", "sum_run"), run_id)
    return True
