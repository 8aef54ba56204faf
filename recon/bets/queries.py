"""Rows of ``bets`` as models, and back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from recon.bets.model import Bet, BetState, SettledBet, UnsettledBet
from recon.db import load
from recon.money import Money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.bets.model import BetAttempt, Case

__all__ = [
    "Due",
    "advance",
    "any_due",
    "attempt_row",
    "bet_by_caller_key",
    "bet_by_id",
    "bet_of",
    "claim",
    "claim_cash_out",
    "close_case",
    "due_bets",
    "late_bets",
    "open_case",
    "record_attempts",
    "settled_bets",
    "unsettled_bets",
]

_ROOM = "recon.bets"
_AHEAD: Final = timedelta(hours=2)
"""No look is put off as long as this; one that is, by a clock that was ahead, does not wait."""

Due = tuple[str, "UUID", int]
"""A bet that is due: its player, its id, its fence as it was seen."""


async def bet_by_caller_key(
    connection: asyncpg.Connection[Any], user_id: str, caller_key: str
) -> Bet | None:
    """The bet that an intent stands for."""
    row = await connection.fetchrow(load(_ROOM, "by_caller_key"), user_id, caller_key)
    return None if row is None else bet_of(row)


async def bet_by_id(connection: asyncpg.Connection[Any], bet_id: UUID) -> Bet | None:
    """A bet by its id."""
    row = await connection.fetchrow(load(_ROOM, "by_id"), bet_id)
    return None if row is None else bet_of(row)


async def claim(
    connection: asyncpg.Connection[Any], due: Due, *, at: datetime, until: datetime
) -> Bet | None:
    """The bet, ours until then; None where somebody else was first."""
    row = await connection.fetchrow(load(_ROOM, "claim"), *due, at, until, at + _AHEAD)
    return None if row is None else bet_of(row)


async def claim_cash_out(
    connection: asyncpg.Connection[Any], bet: Bet, *, at: datetime, until: datetime
) -> Bet | None:
    """The bet with the intent to cash it out, ours until then; None where it is not in play."""
    row = await connection.fetchrow(
        load(_ROOM, "claim_cash_out"), bet.user_id, bet.bet_id, until, at
    )
    return None if row is None else bet_of(row)


async def advance(connection: asyncpg.Connection[Any], bet: Bet) -> bool:
    """Write a bet as it is now; False where the claim on it has ended."""
    row = await connection.fetchrow(
        load(_ROOM, "advance"),
        *(bet.user_id, bet.bet_id, bet.fence, bet.state, bet.cashout_key, bet.game_hold_id),
        *(bet.ticket_id, bet.payout_transaction_id),
        None if bet.payout is None else Decimal(bet.payout.minor),
        *(bet.cashout_multiplier, bet.reason, bet.placed_at, bet.settled_at),
        *(bet.updated_at, bet.due_at, bet.looks),
    )
    return row is not None


async def any_due(connection: asyncpg.Connection[Any], at: datetime) -> bool:
    """Whether any bet is due."""
    return bool(await connection.fetchval(load(_ROOM, "any_due"), at, at + _AHEAD))


async def due_bets(
    connection: asyncpg.Connection[Any],
    at: datetime,
    *,
    limit: int,
    running_round: str | None,
    multiplier: Decimal,
    old: datetime,
) -> list[Due]:
    """Bets that are due, longest first, without those that their running round decides later.

    Of these, whatever was created by ``old`` is due all the same.
    """
    rows = await connection.fetch(
        load(_ROOM, "due"), at, limit, running_round, multiplier, old, at + _AHEAD
    )
    return [_due(row) for row in rows]


async def late_bets(
    connection: asyncpg.Connection[Any], at: datetime, *, created_by: datetime, limit: int
) -> list[Due]:
    """Bets that are due and were created by then, longest first."""
    rows = await connection.fetch(load(_ROOM, "late"), at, created_by, limit)
    return [_due(row) for row in rows]


async def record_attempts(
    connection: asyncpg.Connection[Any], bet: Bet, attempts: Sequence[BetAttempt]
) -> None:
    """Keep what was tried for a bet."""
    if attempts:
        await connection.execute(
            load(_ROOM, "record_attempts"),
            *(bet.user_id, bet.bet_id),
            [attempt.attempt_id for attempt in attempts],
            [attempt.step for attempt in attempts],
            [attempt.request_id for attempt in attempts],
            [attempt.status for attempt in attempts],
            [attempt.outcome for attempt in attempts],
            [attempt.latency_ms for attempt in attempts],
            [attempt.at for attempt in attempts],
        )


def attempt_row(attempt: BetAttempt) -> tuple[object, ...]:
    """A ``bet_attempt`` without the bet."""
    return (
        attempt.attempt_id,
        attempt.step,
        attempt.request_id,
        attempt.status,
        attempt.outcome,
        attempt.latency_ms,
        attempt.at,
    )


async def open_case(
    connection: asyncpg.Connection[Any], bet: Bet, case: Case, *, case_id: UUID, at: datetime
) -> bool:
    """Show a bet to people, once for each kind of case; False where they have seen it."""
    opened = await connection.fetchval(
        load(_ROOM, "open_case"),
        *(case_id, case.kind, str(bet.bet_id), bet.user_id, bet.stake.currency),
        *(Decimal(bet.stake.minor), case.reason, at),
    )
    return opened is not None


async def close_case(connection: asyncpg.Connection[Any], bet: Bet, *, at: datetime) -> None:
    """Close the case of a bet that had no outcome for long, and has one now."""
    await connection.execute(
        load(_ROOM, "close_case"), str(bet.bet_id), at, f"it has come to rest: {bet.state}"
    )


async def unsettled_bets(
    connection: asyncpg.Connection[Any], user_id: str, currency: str, in_flight_since: datetime
) -> list[UnsettledBet]:
    """A player's newest bets in one currency whose money has not come to rest, oldest first."""
    rows = await connection.fetch(load(_ROOM, "unsettled_of"), user_id, currency, in_flight_since)
    return [
        UnsettledBet(
            bet_id=row["bet_id"],
            ticket_id=row["ticket_id"],
            hold_key=row["hold_key"],
            state=BetState(row["state"]),
            amount=_money(row["amount"], currency),
            round_id=row["round_id"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            payout=_money_or_none(row["payout"], currency),
            calls_in_flight=row["calls_in_flight"],
        )
        for row in reversed(rows)
    ]


async def settled_bets(
    connection: asyncpg.Connection[Any], user_id: str, currency: str, since: datetime, limit: int
) -> list[SettledBet]:
    """A player's bets in one currency that were settled since then, newest first."""
    rows = await connection.fetch(load(_ROOM, "settled_of"), user_id, currency, since, limit)
    return [
        SettledBet(
            bet_id=row["bet_id"],
            ticket_id=row["ticket_id"],
            state=BetState(row["state"]),
            amount=_money(row["amount"], currency),
            round_id=row["round_id"],
            payout=_money_or_none(row["payout"], currency),
            payout_transaction_id=row["payout_transaction_id"],
            reason=row["reason"],
            created_at=row["created_at"],
            placed_at=row["placed_at"],
            settled_at=row["settled_at"],
            hold_key=row["hold_key"],
        )
        for row in rows
    ]


def _due(row: asyncpg.Record) -> Due:
    return (row["user_id"], row["bet_id"], row["fence"])


def bet_of(row: Mapping[str, Any]) -> Bet:
    """A bet from a row that has its columns."""
    columns = dict(row)
    currency = columns.pop("currency")
    return Bet(
        stake=_money(columns.pop("amount"), currency),
        payout=_money_or_none(columns.pop("payout"), currency),
        state=BetState(columns.pop("state")),
        **columns,
    )


def _money(minor: Decimal, currency: str) -> Money:
    return Money(int(minor), currency)


def _money_or_none(minor: Decimal | None, currency: str) -> Money | None:
    return None if minor is None else _money(minor, currency)
