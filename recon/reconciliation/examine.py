"""Look into a run that waits because too much differs: let it go on, or stop it as one incident."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog
from prometheus_client import Counter

from recon.clock import new_id
from recon.db import load, with_retries
from recon.game import Priority
from recon.reconciliation.account import account_for
from recon.reconciliation.breaker import SAMPLE, still_stands
from recon.reconciliation.end import end_run
from recon.reconciliation.look import LookState, look
from recon.reconciliation.model import RunState

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.reconciliation.model import Reconciler

__all__ = ["examine", "has_calmed"]

log = structlog.get_logger(__name__)

_stopped = Counter(
    "recon_reconciliation_stopped", "Runs that ended because too much differed without a cause."
)
_LOOK_IN_S: Final = 0.5


async def examine(reconciler: Reconciler, run_id: UUID, *, dry_run: bool) -> float | None:
    """Look into a run that waits, if it does.

    A sample of what differs is looked at and explained at once: what our own evidence explains is
    reported as ever. What it does not is looked at again after the grace period; where it still
    stands then, the run ends incomplete, and one incident tells of it instead of discrepancies.

    Returns:
        Seconds until there is something to do for it; ``None`` when the run does not wait.
    """
    async with reconciler.pool.acquire() as connection:
        paused = await connection.fetchrow(
            load("recon.reconciliation", "paused"), run_id, reconciler.grace
        )
    if paused is None:
        return None
    due_in_s: float = paused["due_in_s"]
    if paused["examined"] and due_in_s > 0:
        return min(due_in_s, _LOOK_IN_S)
    answered, unexplained = await _sample(reconciler, run_id, paused["suspected"])
    if answered == 0 and due_in_s > 0:
        return _LOOK_IN_S  # a game that does not answer tells nothing yet
    if not still_stands(answered, unexplained):
        await _resume(reconciler.pool, run_id, paused)
        return None
    if not paused["examined"]:
        await _wait(reconciler.pool, run_id, paused)
        log.warning("run_paused", run_id=str(run_id), differed=paused["differed"])
        return min(max(due_in_s, 0.0), _LOOK_IN_S)
    await _stop(reconciler.pool, run_id, paused, dry_run=dry_run)
    return None


@with_retries
async def has_calmed(pool: Pool, run_id: UUID) -> None:
    """Close the incident that stopped earlier runs, if this one ended as runs normally do."""
    async with pool.acquire() as connection:
        closed = await connection.fetchval(load("recon.reconciliation", "close_stop"), run_id)
    if closed is not None:
        log.info("incident_closed", incident_id=str(closed), run_id=str(run_id))


async def _sample(reconciler: Reconciler, run_id: UUID, suspected: list[str]) -> tuple[int, int]:
    """How many wallets of the sample the game told of, and how many of those nothing explains."""
    async with reconciler.pool.acquire() as connection:
        rows = await connection.fetch(
            load("recon.reconciliation", "sample"), run_id, suspected, SAMPLE
        )
    asking = asyncio.Semaphore(reconciler.concurrency)
    reconciler = replace(reconciler, wanted_as=Priority.SUSPECT)

    async def one(user_id: str, currency: str) -> bool | None:
        async with asking:
            seen = await look(reconciler, user_id, currency)
            if seen.state is LookState.UNANSWERED:
                return None
            if seen.state is not LookState.DIFFERS or seen.comparison is None:
                return False
            # That the game knows none of these players is no payment's fault.
            if seen.comparison.game.as_of is None:
                return True
            try:
                found = await account_for(reconciler, seen.comparison)
            except Exception:
                # It tells nothing then; what is to become of the run does not hang on one wallet.
                log.exception("wallet_not_accounted_for", run_id=str(run_id))
                return None
            return found.explanation.unexplained != 0

    found = await asyncio.gather(*(one(row["user_id"], row["currency"]) for row in rows))
    told = [stands for stands in found if stands is not None]
    return len(told), sum(told)


@with_retries
async def _resume(pool: Pool, run_id: UUID, paused: asyncpg.Record) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if await _is_ours(connection, run_id, paused):
            await connection.execute(
                load("recon.reconciliation", "resume_run"), run_id, paused["suspected"]
            )


@with_retries
async def _wait(pool: Pool, run_id: UUID, paused: asyncpg.Record) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if await _is_ours(connection, run_id, paused):
            await connection.execute(load("recon.reconciliation", "examined"), run_id)


@with_retries
async def _stop(pool: Pool, run_id: UUID, paused: asyncpg.Record, *, dry_run: bool) -> None:
    looked, differed = paused["looked"], paused["differed"]
    reason = (
        f"stopped: {differed} of {looked} wallets of a range differ and nothing explains it, which"
        " is one fault of the game or of this set-up"
    )
    async with pool.acquire() as connection, connection.transaction():
        if not await _is_ours(connection, run_id, paused):
            return
        await end_run(connection, run_id, RunState.INCOMPLETE, reason)
        if not dry_run:
            await connection.execute(load("recon.reconciliation", "lock_incidents"))
            await connection.fetchval(
                load("recon.reconciliation", "open_stop"), new_id(), run_id, looked, differed
            )
    _stopped.inc()
    log.error("run_stopped", run_id=str(run_id), looked=looked, differed=differed)


async def _is_ours(
    connection: asyncpg.Connection[Any], run_id: UUID, paused: asyncpg.Record
) -> bool:
    """Whether nobody else has decided about this very pause; holds the run until the commit."""
    found = await connection.fetchval(
        load("recon.reconciliation", "lock_paused"), run_id, paused["paused_at"]
    )
    return found is not None
