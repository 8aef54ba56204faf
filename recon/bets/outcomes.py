"""Write what was concluded about a bet: its row, its posting and its attempts in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from recon.bets import queries
from recon.bets.errors import BetNotFoundError
from recon.bets.model import BetState, Case
from recon.db import with_retries
from recon.ledger import post_one

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from recon.bets.calls import Means
    from recon.bets.model import Bet, BetAttempt
    from recon.bets.rules import Step

__all__ = ["commit"]

_log = structlog.get_logger(__name__)


@with_retries
async def commit(means: Means, step: Step, attempts: Sequence[BetAttempt]) -> Bet:
    """Write a step if the claim under which it was concluded still stands.

    Returns:
        The bet as it is now: by this step, or by whoever has claimed it since. The attempts are
        kept either way.
    """
    bet, case = step.bet, step.case
    async with means.pool.acquire() as connection, connection.transaction():
        stands = await queries.advance(connection, bet)
        await queries.record_attempts(connection, bet, attempts)
        if not stands:
            bet = await _current(connection, bet)
            case = _contradiction(step, bet)
        elif step.entry is not None:
            await post_one(connection, step.entry)
        if case is not None:
            case_id = means.new_id()
            await queries.open_case(connection, bet, case, case_id=case_id, at=means.now())
    if case is not None:
        _log.error("bet_case_opened", bet_id=str(bet.bet_id), kind=case.kind, reason=case.reason)
    return bet


async def _current(connection: asyncpg.Connection[Any], bet: Bet) -> Bet:
    current = await queries.bet_by_id(connection, bet.bet_id)
    if current is None:
        raise BetNotFoundError(f"there is no bet {bet.bet_id}")
    return current


def _contradiction(step: Step, current: Bet) -> Case | None:
    """A bet that the game has although we gave its stake back.

    The rules leave no way to it: the stake goes back only once the game can have no such bet any
    more. Should a game break its word, the money is not booked twice; people see it.
    """
    has_ticket = step.bet.ticket_id is not None
    if current.state is BetState.REJECTED and has_ticket:
        return Case(
            "late_bet",
            f"the game has ticket {step.bet.ticket_id} for a bet whose stake was given back",
        )
    return None
