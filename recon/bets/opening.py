"""Take the stakes of new bets, many in one commit: intent, hold and the caller's request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg

from recon.db import load
from recon.db.sharing import take_each
from recon.http.stored_requests import DEAD_AFTER
from recon.ledger import entry_rows
from recon.ledger import rules as ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.bets.model import Bet
    from recon.db import Pool
    from recon.http.stored_requests import Claim

__all__ = ["ANSWERED", "KNOWN", "Opening", "open_each"]

ANSWERED: Final = "answered"
"""The caller's request is known: it was answered, or still runs."""
KNOWN: Final = "known"
"""The caller's name for the intent stands for a bet."""

_BY_CALLER_KEY: Final = "bets_caller_key_idx"


class Opening(NamedTuple):
    """A bet to be opened, with the caller's request that is to begin with it."""

    bet: Bet
    claim: Claim | None


async def open_each(pool: Pool, openings: Sequence[Opening]) -> list[str | Exception]:
    """Open bets, each with its hold or not at all.

    Returns:
        What became of each, in their order: `ANSWERED`, `KNOWN`, or what the ledger said of the
        hold, of which ``posted`` means that the bet is there.
    """
    return await take_each(pool, openings, _open, name=_name)


def _name(opening: Opening) -> tuple[str, str]:
    return (opening.bet.user_id, opening.bet.caller_key)


async def _open(connection: asyncpg.Connection[Any], openings: Sequence[Opening]) -> Sequence[str]:
    holds = [
        ledger.stake_held(bet.user_id, bet.stake, bet_id=bet.bet_id, event_at=bet.created_at)
        for bet, _ in openings
    ]
    try:
        outcomes: list[str] = await connection.fetchval(
            load("recon.bets", "open"),
            [_row(bet) for bet, _ in openings],
            entry_rows(holds),
            [claim for _, claim in openings],
            DEAD_AFTER,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _BY_CALLER_KEY:
            raise
        # Another process was a moment faster with one of the names; who looks again finds it.
        raise asyncpg.SerializationError(str(error)) from error
    return outcomes


def _row(bet: Bet) -> tuple[object, ...]:
    """A ``bet_intent``."""
    return (
        bet.user_id,
        bet.bet_id,
        bet.caller_key,
        bet.round_id,
        bet.stake.currency,
        str(bet.stake.minor),
        None if bet.auto_cashout is None else str(bet.auto_cashout),
        bet.hold_body,
        bet.hold_key,
        bet.confirm_key,
        bet.release_key,
        bet.cashout_key,
        bet.created_at,
        bet.due_at,
    )
