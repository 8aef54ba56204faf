"""Propose what a bet came to, which the game's answers do not settle."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from recon import clock
from recon.bets.by_hand import rules
from recon.bets.by_hand.errors import RulingProposedError
from recon.bets.by_hand.read import read_ruling, ruling_by_step
from recon.bets.by_hand.steps import in_one_commit, note, take
from recon.db import load, with_retries

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from recon.bets.by_hand.model import Ruling, RulingWish
    from recon.db import Pool
    from recon.four_eyes import Step

__all__ = ["propose_ruling"]

_ROOM = "recon.bets.by_hand"


@with_retries
async def propose_ruling(
    pool: Pool,
    bet_id: UUID,
    wish: RulingWish,
    *,
    step: Step,
    now: Callable[[], datetime] = clock.now,
) -> Ruling:
    """Propose an outcome for another to approve; nothing is booked by it.

    It binds to the bet as it is now. What the game says meanwhile makes it stale.

    Args:
        pool: the database.
        bet_id: which.
        wish: the outcome, why, and what the game's operator said.
        step: who proposes.
        now: the clock.

    Raises:
        BetNotFoundError: no such bet.
        BetNotWaitingError: it has an outcome, or is not for people yet.
        Invalid: `rules.claimed` says why; `RulingCurrencyError` and `PayoutTooLargeError` as well.
        RulingProposedError: a proposal waits that may still be booked.
        BetInProgressError: the bet is just being written; ask again.
    """
    async with in_one_commit(pool) as connection:
        at = now()
        taken = await take(connection, bet_id, at=at)
        bet = taken.bet
        known = await ruling_by_step(connection, bet.user_id, bet_id, step.step_id)
        if known is not None:
            return await read_ruling(connection, known)
        rules.require_waiting(bet, at=at)
        said = rules.claimed(bet, wish)
        replaced = await connection.fetchval(
            load(_ROOM, "replace_moved"), bet.user_id, bet_id, taken.standing
        )
        if replaced is not None:
            await note(connection, await read_ruling(connection, replaced), "stale", step.actor)
        ruling_id = await connection.fetchval(
            load(_ROOM, "insert"),
            *(bet.user_id, clock.new_id(), bet_id, bet.stake.currency, wish.outcome),
            None if said.payout is None else Decimal(said.payout.minor),
            *(said.payout_transaction_id, said.ticket_id, wish.reason, wish.evidence),
            *(taken.standing, step.actor, step.step_id),
        )
        if ruling_id is None:
            raise RulingProposedError("approve or reject the proposed ruling first")
        ruling = await read_ruling(connection, ruling_id)
        await note(connection, ruling, "proposed", step.actor)
        return ruling
