"""Read bets: one by its id, and a player's for reconciliation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon import clock
from recon.bets import queries, rules
from recon.bets.errors import BetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.bets.model import Bet, SettledBet, UnsettledBet

__all__ = ["read_bet", "settled_bets_of", "unsettled_bets_of"]


async def read_bet(connection: asyncpg.Connection[Any], bet_id: UUID) -> Bet:
    """A bet as it is now; `BetNotFoundError` when there is none."""
    bet = await queries.bet_by_id(connection, bet_id)
    if bet is None:
        raise BetNotFoundError(f"there is no bet {bet_id}")
    return bet


async def unsettled_bets_of(
    connection: asyncpg.Connection[Any],
    user_id: str,
    currency: str,
    *,
    now: Callable[[], datetime] = clock.now,
) -> list[UnsettledBet]:
    """A player's bets in one currency whose money has not come to rest, oldest first.

    Of more than five hundred the newest.

    One whose outcome is still unknown when nothing that was sent can take effect any more
    (`rules.OLD`) is not in flight: it is unresolved, and may be compared.
    """
    return await queries.unsettled_bets(connection, user_id, currency, now() - rules.OLD)


async def settled_bets_of(
    connection: asyncpg.Connection[Any],
    user_id: str,
    currency: str,
    *,
    since: datetime,
    limit: int = 500,
) -> list[SettledBet]:
    """A player's bets in one currency that were settled at or after ``since``, newest first.

    Those that people have ruled on come first, from a month before that on: the game may say
    otherwise long after both sides agreed.
    """
    return await queries.settled_bets(connection, user_id, currency, since, limit)
