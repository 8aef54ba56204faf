"""Decide on a proposed adjustment: book it, or reject it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.clock import now
from recon.db import load, with_retries
from recon.four_eyes import two_people
from recon.ledger import post_one, rules
from recon.money import Money
from recon.reconciliation.adjustments import AdjustmentState, read_adjustment
from recon.reconciliation.errors import (
    AdjustmentDecidedError,
    NotComparedError,
    StaleAdjustmentError,
)
from recon.reconciliation.model import RunScope
from recon.reconciliation.review import change_case, earlier, note_step, take_case
from recon.reconciliation.start import begin_run

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.four_eyes import Step
    from recon.reconciliation.adjustments import Adjustment
    from recon.reconciliation.review import Case

__all__ = ["approve", "reject"]


class _MovedError(Exception):
    """Wallet or difference are not those that were proposed on."""


async def approve(pool: Pool, adjustment_id: UUID, reason: str | None, *, step: Step) -> Adjustment:
    """Book what another proposed, and start the run that looks whether the wallet agrees now.

    It is booked on what was weighed alone: the wallet and the difference are those on which it was
    proposed, and ledger and game were compared since the wallet moved last.

    Args:
        pool: the database.
        adjustment_id: which.
        reason: what the approver has to say, if anything.
        step: who approves; not who proposed, which the database refuses as well.

    Raises:
        NotFound: ``adjustment_not_found``.
        SelfApprovalError: proposed by the same principal.
        AdjustmentDecidedError: it was booked or rejected before.
        StaleAdjustmentError: the wallet moved, or a run has found another difference or none, since
            it was proposed; it is closed as stale.
        NotComparedError: it was proposed after the wallet had moved, and no run has compared ledger
            and game since; it stays proposed.
        InsufficientBalanceError: a correction may not overdraw the wallet; it stays proposed.
    """
    adjustment = await _book(pool, adjustment_id, reason, step=step)
    if adjustment.state is AdjustmentState.STALE:
        raise StaleAdjustmentError(f"it is stale: {adjustment.decision_reason}", adjustment)
    return adjustment


@with_retries
async def reject(pool: Pool, adjustment_id: UUID, reason: str, *, step: Step) -> Adjustment:
    """Turn a proposal down; whoever proposed it may withdraw it so.

    Raises:
        NotFound: ``adjustment_not_found``.
        AdjustmentDecidedError: it was decided before.
    """
    async with pool.acquire() as connection, connection.transaction():
        adjustment, case = await _take(connection, adjustment_id)
        if await earlier(connection, case, step) is None:
            await _decide(connection, adjustment, case, AdjustmentState.REJECTED, reason, step)
        return await read_adjustment(connection, adjustment_id)


@with_retries
async def _book(pool: Pool, adjustment_id: UUID, reason: str | None, *, step: Step) -> Adjustment:
    async with pool.acquire() as connection, connection.transaction():
        adjustment, case = await _take(connection, adjustment_id)
        if (
            adjustment.state is not AdjustmentState.STALE
            and await earlier(connection, case, step) is None
        ):
            try:
                with two_people():
                    await _book_at_once(connection, adjustment, case, reason, step)
            except _MovedError:
                # What slipped in before the posting was one of the wallet's.
                why = adjustment.why_stale or "the wallet moved"
                await _decide(connection, adjustment, case, AdjustmentState.STALE, why, step)
        return await read_adjustment(connection, adjustment_id)


async def _book_at_once(
    connection: asyncpg.Connection[Any],
    adjustment: Adjustment,
    case: Case,
    reason: str | None,
    step: Step,
) -> None:
    """Decide, post, and begin the run that looks again; all of it or nothing."""
    async with connection.transaction():
        await _decide(connection, adjustment, case, AdjustmentState.BOOKED, reason, step)
        await _post(connection, adjustment)
        # In the same commit: what is booked is looked at again, whoever dies when.
        await begin_run(
            connection,
            RunScope.USERS,
            trigger=f"adjustment:{adjustment.adjustment_id}",
            users=[adjustment.user_id],
        )


async def _take(
    connection: asyncpg.Connection[Any], adjustment_id: UUID
) -> tuple[Adjustment, Case]:
    """The adjustment and its case; the lock on the case guards both."""
    found = await read_adjustment(connection, adjustment_id)
    case = await take_case(connection, found.discrepancy_id)
    return await read_adjustment(connection, adjustment_id), case


async def _decide(
    connection: asyncpg.Connection[Any],
    adjustment: Adjustment,
    case: Case,
    state: AdjustmentState,
    reason: str | None,
    step: Step,
) -> None:
    decided = await connection.fetchval(
        load("recon.reconciliation", "decide_adjustment"),
        *(adjustment.user_id, adjustment.adjustment_id, state, step.actor, reason),
    )
    if decided is None:
        raise AdjustmentDecidedError(f"this adjustment is {adjustment.state}")
    after = await change_case(connection, case, status=case.at_work, assignee=case.assignee)
    said = {
        "adjustment_id": str(adjustment.adjustment_id),
        "amount": str(Money(adjustment.amount, adjustment.currency)),
        "currency": adjustment.currency,
        "proposed_by": adjustment.proposed_by,
    }
    if reason is not None:
        said["reason"] = reason
    await note_step(connection, step, f"adjustment_{state}", before=case, after=after, said=said)


async def _post(connection: asyncpg.Connection[Any], adjustment: Adjustment) -> None:
    """Write the posting; it must be the very next one of the wallet that was proposed on.

    Seen before the wallet is locked, `moved` only spares a proposal that is stale the refusal of a
    balance it does not speak of; the posting's own version is what decides.
    """
    if adjustment.moved:
        raise _MovedError
    if not adjustment.compared:
        raise NotComparedError(
            "re-check it first: the wallet moved since it was compared", adjustment
        )
    entry = rules.adjustment(
        adjustment.user_id,
        Money(adjustment.amount, adjustment.currency),
        adjustment_id=adjustment.adjustment_id,
        event_at=now(),
    )
    posted = await post_one(connection, entry)
    if posted.version != adjustment.ledger_version + 1:
        raise _MovedError
