"""Decide on a proposed ruling: book it, or reject it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg

from recon import clock
from recon.bets.by_hand import rules
from recon.bets.by_hand.errors import RulingDecidedError, StaleRulingError
from recon.bets.by_hand.model import RulingState
from recon.bets.by_hand.read import read_ruling
from recon.bets.by_hand.steps import in_one_commit, note, take
from recon.bets.errors import BetInProgressError, TicketTakenError
from recon.bets.model import CASE_KINDS
from recon.db import load, with_retries
from recon.four_eyes import two_people
from recon.ledger import post_one

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from recon.bets.by_hand.model import Ruling, TakenBet
    from recon.db import Pool
    from recon.four_eyes import Step

__all__ = ["approve_ruling", "reject_ruling"]

_ROOM = "recon.bets.by_hand"
_BY_TICKET = "bets_ticket_idx"


async def approve_ruling(
    pool: Pool,
    ruling_id: UUID,
    reason: str | None,
    *,
    step: Step,
    now: Callable[[], datetime] = clock.now,
) -> Ruling:
    """Book what another proposed: the postings, the bet, its cases and the audit in one commit.

    Args:
        pool: the database.
        ruling_id: which.
        reason: what the approver has to say, if anything.
        step: who approves; not who proposed, which the database refuses as well.
        now: the clock.

    Raises:
        RulingNotFoundError: no such ruling.
        SelfApprovalError: proposed by the same principal.
        RulingDecidedError: it was decided before.
        StaleRulingError: the bet has gone on since; the proposal is closed as stale.
        BetNotWaitingError: its case was closed, and the game is asked again; it stays proposed.
        BetInProgressError: something is being sent to the game for it; ask again.
        TicketTakenError: the ticket stands for another bet of the player; it stays proposed.
        HoldResolvedError: the ledger has no such stake on hold; it stays proposed.
    """
    ruling = await _book(pool, ruling_id, reason, step=step, now=now)
    if ruling.state is RulingState.STALE:
        raise StaleRulingError("the bet has gone on since this was proposed; look at it again")
    return ruling


@with_retries
async def reject_ruling(
    pool: Pool,
    ruling_id: UUID,
    reason: str,
    *,
    step: Step,
    now: Callable[[], datetime] = clock.now,
) -> Ruling:
    """Turn a proposal down; whoever proposed it may withdraw it so.

    Raises:
        RulingNotFoundError: no such ruling.
        RulingDecidedError: it was decided before.
        BetInProgressError: the bet is just being written; ask again.
    """
    async with in_one_commit(pool) as connection:
        ruling, _ = await _take(connection, ruling_id, at=now())
        if ruling.decided_step == step.step_id:
            return ruling
        return await _decide(connection, ruling, RulingState.REJECTED, reason, step)


@with_retries
async def _book(
    pool: Pool,
    ruling_id: UUID,
    reason: str | None,
    *,
    step: Step,
    now: Callable[[], datetime],
) -> Ruling:
    async with in_one_commit(pool) as connection:
        at = now()
        ruling, taken = await _take(connection, ruling_id, at=at)
        if ruling.decided_step == step.step_id:
            return ruling
        if ruling.state is RulingState.STALE:
            raise StaleRulingError(f"this ruling is stale: {ruling.decision_reason}")
        if ruling.state is not RulingState.PROPOSED:
            raise RulingDecidedError(f"this ruling is {ruling.state}")
        if ruling.moved:
            why = f"the bet has gone on: it is {taken.bet.state}"
            return await _decide(connection, ruling, RulingState.STALE, why, step)
        rules.require_waiting(taken.bet, at=at)
        if taken.sending:
            raise BetInProgressError("the game is being asked about it right now", retry_after_s=5)
        with two_people():
            return await _settle(connection, ruling, taken, reason, step, at=at)


async def _settle(
    connection: asyncpg.Connection[Any],
    ruling: Ruling,
    taken: TakenBet,
    reason: str | None,
    step: Step,
    *,
    at: datetime,
) -> Ruling:
    bet, entries = rules.settlement(taken.bet, ruling, at=at)
    booked = await _decide(connection, ruling, RulingState.BOOKED, reason, step, after=bet.state)
    try:
        await connection.execute(
            load(_ROOM, "settle"),
            *(bet.user_id, bet.bet_id, bet.state, bet.ticket_id, bet.payout_transaction_id),
            None if bet.payout is None else Decimal(bet.payout.minor),
            *(bet.reason, bet.placed_at, at),
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _BY_TICKET:
            raise
        raise TicketTakenError(
            f"ticket {bet.ticket_id} stands for another bet of this player"
        ) from error
    for entry in entries:
        await post_one(connection, entry)
    await connection.execute(
        load(_ROOM, "close_cases"),
        *(str(bet.bet_id), list(CASE_KINDS), at, step.actor, f"settled by hand: {bet.state}"),
    )
    return booked


async def _take(
    connection: asyncpg.Connection[Any], ruling_id: UUID, *, at: datetime
) -> tuple[Ruling, TakenBet]:
    """The ruling and its bet; the lock on the bet guards both."""
    found = await read_ruling(connection, ruling_id)
    taken = await take(connection, found.bet_id, at=at)
    return await read_ruling(connection, ruling_id), taken


async def _decide(
    connection: asyncpg.Connection[Any],
    ruling: Ruling,
    state: RulingState,
    reason: str | None,
    step: Step,
    *,
    after: str | None = None,
) -> Ruling:
    decided = await connection.fetchval(
        load(_ROOM, "decide"),
        *(ruling.user_id, ruling.ruling_id, state, step.actor, step.step_id, reason),
    )
    if decided is None:
        raise RulingDecidedError(f"this ruling is {ruling.state}")
    told = await read_ruling(connection, ruling.ruling_id)
    await note(connection, told, state, step.actor, after=after)
    return told
