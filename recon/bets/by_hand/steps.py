"""What both verbs share: the bet under a lock, and the trace of what was done."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from recon.audit import record_action
from recon.bets.by_hand.model import TakenBet
from recon.bets.errors import BetInProgressError, BetNotFoundError
from recon.bets.queries import bet_of
from recon.db import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from recon.bets.by_hand.model import Ruling
    from recon.db import Pool

__all__ = ["in_one_commit", "note", "take"]


@asynccontextmanager
async def in_one_commit(pool: Pool) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A transaction that waits for nobody for long.

    Raises:
        BetInProgressError: somebody holds the bet or its wallet; ask again.
    """
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(load("recon.bets", "begin"))
            yield connection
    except asyncpg.LockNotAvailableError as error:
        raise BetInProgressError("the bet is just being written", retry_after_s=1) from error


async def take(connection: asyncpg.Connection[Any], bet_id: UUID, *, at: datetime) -> TakenBet:
    """Lock a bet until the transaction ends; the lock guards its rulings too.

    Raises:
        BetNotFoundError: there is no such bet.
    """
    row = await connection.fetchrow(load("recon.bets.by_hand", "take"), bet_id, at)
    if row is None:
        raise BetNotFoundError(f"there is no bet {bet_id}")
    columns = dict(row)
    standing, sending = columns.pop("standing"), columns.pop("sending")
    return TakenBet(bet_of(columns), standing, sending)


async def note(
    connection: asyncpg.Connection[Any],
    ruling: Ruling,
    action: str,
    actor: str,
    *,
    after: str | None = None,
) -> None:
    """Append a step to the audit, with the bet as it was weighed.

    Args:
        connection: in the step's transaction.
        ruling: as it is now.
        action: ``proposed``, ``booked``, ``rejected`` or ``stale``.
        actor: a principal's id.
        after: the state of the bet that came of it, if any.
    """
    payout = ruling.payout
    said: dict[str, Any] = {
        "ruling_id": str(ruling.ruling_id),
        "outcome": ruling.outcome,
        "payout": None if payout is None else str(payout),
        "currency": ruling.currency,
        "ticket_id": ruling.ticket_id,
        "payout_transaction_id": ruling.payout_transaction_id,
        "reason": ruling.reason,
        "evidence": ruling.evidence,
        "proposed_by": ruling.proposed_by,
        "before": ruling.standing,
    }
    if ruling.decision_reason is not None:
        said["decision_reason"] = ruling.decision_reason
    if after is not None:
        said["after"] = {"state": after}
    await record_action(
        connection, actor=actor, action=f"bet.ruling_{action}", obj=f"bet:{ruling.bet_id}", **said
    )
