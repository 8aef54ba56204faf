"""Climb the ladder: look again at a run's suspects until each is confirmed or cleared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import structlog

from recon import tracing
from recon.db import load, with_retries
from recon.game import Priority
from recon.reconciliation.account import account_for
from recon.reconciliation.end import finish_run
from recon.reconciliation.examine import examine, has_calmed
from recon.reconciliation.ladder import gave_up, has_stood, next_look
from recon.reconciliation.lag import is_under_way
from recon.reconciliation.look import Look, LookState, look
from recon.reconciliation.record import (
    AgreedMeanwhileError,
    record_agreements,
    record_discrepancy,
    record_unsettled,
)
from recon.reconciliation.tolerance import count_tolerated

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.reconciliation.account import Account
    from recon.reconciliation.model import Reconciler

__all__ = ["climb"]

log = structlog.get_logger(__name__)

_LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Suspect:
    user_id: str
    currency: str
    available_difference: int
    held_difference: int
    since: datetime
    first_seen_at: datetime
    # Which look this is; whoever comes later has a higher one, and then we say nothing.
    looks: int


async def climb(reconciler: Reconciler, run_id: UUID, *, dry_run: bool = False) -> float | None:
    """Look again at every suspect of a run that is due, and end the run when none is left.

    Returns:
        Seconds until the next suspect is due; ``None`` when the run has none. A run that waits to
        be looked into climbs no further meanwhile.
    """
    waits_s = await examine(reconciler, run_id, dry_run=dry_run)
    if waits_s is not None:
        return waits_s
    reconciler = replace(reconciler, wanted_as=Priority.SUSPECT)
    while True:
        async with reconciler.pool.acquire() as connection:
            rows = await connection.fetch(
                load("recon.reconciliation", "claim_suspects"),
                *(run_id, _LEASE, reconciler.concurrency),
            )
        if not rows:
            break
        claimed_at_s = asyncio.get_running_loop().time()
        looks = [_climb_one(reconciler, run_id, row, claimed_at_s, dry_run=dry_run) for row in rows]
        with tracing.span("climb", attributes={"recon.suspects": len(rows)}, trace_of=run_id):
            came_to = await asyncio.gather(*looks, return_exceptions=True)
        for failed in came_to:
            if isinstance(failed, Exception):
                # Not even that could be written down: its lease ends and it is looked at again.
                log.error("look_failed", run_id=str(run_id), error=repr(failed))
            elif isinstance(failed, BaseException):
                raise failed
    ended = await _finish(reconciler.pool, run_id)
    if ended is not None:
        log.info("run_ended", run_id=str(run_id), state=ended)
    if ended is not None and not dry_run:
        await has_calmed(reconciler.pool, run_id)
    async with reconciler.pool.acquire() as connection:
        due_in_s: float | None = await connection.fetchval(
            load("recon.reconciliation", "next_due"), run_id
        )
    return due_in_s


@with_retries
async def _finish(pool: Pool, run_id: UUID) -> str | None:
    async with pool.acquire() as connection, connection.transaction():
        return await finish_run(connection, run_id)


async def _climb_one(
    reconciler: Reconciler,
    run_id: UUID,
    row: asyncpg.Record,
    claimed_at_s: float,
    *,
    dry_run: bool,
) -> None:
    """Look at a suspect again; one that we stumble over holds up neither the others nor the run.

    Once its lease ends it is looked at again, until the run has watched it for long enough.
    """
    suspect, claimed = _suspect(row), row["at"]
    try:
        await _look_again(reconciler, run_id, suspect, claimed, claimed_at_s, dry_run=dry_run)
    except Exception as error:
        log.exception("look_failed", run_id=str(run_id), error=repr(error))
        if gave_up(claimed, suspect.first_seen_at, reconciler.grace):
            reason = "an unforeseen error of ours"
            seen = Look(suspect.user_id, suspect.currency, LookState.UNANSWERED, None, reason)
            await _decide(reconciler, run_id, suspect, seen, not_compared=1, dry_run=dry_run)


async def _look_again(
    reconciler: Reconciler,
    run_id: UUID,
    suspect: _Suspect,
    claimed: datetime,
    claimed_at_s: float,
    *,
    dry_run: bool,
) -> None:
    loop = asyncio.get_running_loop()
    # By the database's clock, which all processes share. What the game says was so when it was
    # asked, at least; that its answer took a while is no time for which a difference stood.
    asked = claimed + timedelta(seconds=loop.time() - claimed_at_s)
    seen = await look(reconciler, suspect.user_id, suspect.currency)
    at = claimed + timedelta(seconds=loop.time() - claimed_at_s)
    grace = reconciler.grace
    if seen.state is LookState.AGREES:
        await _decide(reconciler, run_id, suspect, seen, agreed=1, dry_run=dry_run)
    elif seen.state is LookState.UNANSWERED:
        if has_stood(at, suspect.first_seen_at, grace):
            await _decide(reconciler, run_id, suspect, seen, not_compared=1, dry_run=dry_run)
        else:
            await _keep(reconciler, run_id, suspect, "unanswered", at, seen.reason)
    else:
        suspect = _with_difference(suspect, seen, at)
        at_rest = seen.state is LookState.DIFFERS or gave_up(at, suspect.first_seen_at, grace)
        stood = has_stood(asked, suspect.since, grace)
        if at_rest and seen.state is not LookState.MOVING and stood:
            await _judge(reconciler, run_id, suspect, seen, at, dry_run=dry_run)
        elif gave_up(at, suspect.first_seen_at, grace):
            await _decide(reconciler, run_id, suspect, seen, in_flight=1, dry_run=dry_run)
        else:
            state = "differs" if seen.state is LookState.DIFFERS else "in_flight"
            await _keep(reconciler, run_id, suspect, state, at, seen.reason)


def _with_difference(suspect: _Suspect, seen: Look, at: datetime) -> _Suspect:
    """The suspect with the difference that stands now; another than before starts anew.

    A look at a moving wallet says nothing about its difference and changes nothing.
    """
    found = seen.comparison
    if found is None or seen.state is LookState.MOVING:
        return suspect
    if (found.available_difference, found.held_difference) == (
        suspect.available_difference,
        suspect.held_difference,
    ):
        return suspect
    return replace(
        suspect,
        available_difference=found.available_difference,
        held_difference=found.held_difference,
        since=at,
    )


async def _judge(
    reconciler: Reconciler,
    run_id: UUID,
    suspect: _Suspect,
    seen: Look,
    at: datetime,
    *,
    dry_run: bool,
) -> None:
    """Confirm what has stood long enough, unless it is only what has just happened."""
    if seen.comparison is None:
        raise ValueError("only a look with a comparison can be confirmed")
    found = await account_for(reconciler, seen.comparison, since=suspect.since)
    grace = reconciler.grace
    if not await is_under_way(reconciler.pool, found.meant, found.explanation, after=at - grace):
        try:
            await _confirm(reconciler, run_id, suspect, found, dry_run=dry_run)
        except AgreedMeanwhileError:
            # As in `begin_anew`, which leaves out a suspect that is locked.
            began = replace(suspect, since=at)
            reason = "another look has seen it agree"
            await _keep(reconciler, run_id, began, "differs", at, reason)
    elif gave_up(at, suspect.first_seen_at, grace):
        await _decide(reconciler, run_id, suspect, seen, in_flight=1, dry_run=dry_run)
    else:
        began = replace(suspect, since=at)
        reason = "what differs has only just happened"
        await _keep(reconciler, run_id, began, "in_flight", at, reason)


@with_retries
async def _confirm(
    reconciler: Reconciler, run_id: UUID, suspect: _Suspect, found: Account, *, dry_run: bool
) -> None:
    async with reconciler.pool.acquire() as connection, connection.transaction():
        if not await _drop(connection, run_id, suspect):
            return
        if not dry_run:
            await record_discrepancy(
                connection,
                run_id,
                found.meant,
                found.explanation,
                looked_at=found.looked_at,
                since=suspect.since,
            )
        await connection.execute(load("recon.reconciliation", "count_wallets"), run_id, 0, 1, 0, 0)


@with_retries
async def _decide(
    reconciler: Reconciler,
    run_id: UUID,
    suspect: _Suspect,
    seen: Look,
    *,
    agreed: int = 0,
    in_flight: int = 0,
    not_compared: int = 0,
    dry_run: bool,
) -> None:
    async with reconciler.pool.acquire() as connection, connection.transaction():
        if not await _drop(connection, run_id, suspect):
            return
        if not dry_run and agreed:
            await record_agreements(connection, [seen], run_id=run_id)
        elif not dry_run:
            await record_unsettled(connection, seen.user_id, seen.currency)
        if agreed:
            await count_tolerated(connection, run_id, [seen], reconciler.tolerances)
        await connection.execute(
            load("recon.reconciliation", "count_wallets"),
            *(run_id, agreed, 0, in_flight, not_compared),
        )


async def _keep(
    reconciler: Reconciler,
    run_id: UUID,
    suspect: _Suspect,
    state: str,
    at: datetime,
    reason: str | None,
) -> None:
    async with reconciler.pool.acquire() as connection:
        await connection.execute(
            load("recon.reconciliation", "keep_suspect"),
            *(run_id, suspect.user_id, suspect.currency, suspect.looks, state),
            *(Decimal(suspect.available_difference), Decimal(suspect.held_difference)),
            *(suspect.since, next_look(at, suspect.since, reconciler.grace) - at, reason),
        )


async def _drop(connection: asyncpg.Connection[Any], run_id: UUID, suspect: _Suspect) -> bool:
    """Take the suspect off the ladder; not if somebody else has, or looks after us."""
    dropped = await connection.fetchval(
        load("recon.reconciliation", "drop_suspect"),
        *(run_id, suspect.user_id, suspect.currency, suspect.looks),
    )
    return dropped is not None


def _suspect(row: asyncpg.Record) -> _Suspect:
    return _Suspect(
        user_id=row["user_id"],
        currency=row["currency"],
        available_difference=int(row["available_difference"]),
        held_difference=int(row["held_difference"]),
        since=row["since"],
        first_seen_at=row["first_seen_at"],
        looks=row["looks"],
    )
