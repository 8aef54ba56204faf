"""Read rulings, and the bets that wait for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon import clock
from recon.bets.by_hand.errors import RulingNotFoundError
from recon.bets.by_hand.model import Ruling, RulingOutcome, RulingState
from recon.bets.model import BetState
from recon.bets.rules import OLD
from recon.db import is_turned, load, load_in_order
from recon.money import Money

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    import asyncpg

__all__ = ["WaitingBet", "list_rulings", "list_waiting", "read_ruling", "ruling_by_step"]

_ROOM = "recon.bets.by_hand"


@dataclass(frozen=True, slots=True)
class WaitingBet:
    """A bet that people may settle.

    Attributes:
        rests: the game is not asked about it any more, until its case is closed.
        ruling_id: what is proposed of it, if anything.
        case_reason: what its newest open case says, if there is one.
    """

    bet_id: UUID
    user_id: str
    state: BetState
    stake: Money
    round_id: str
    ticket_id: str | None
    created_at: datetime
    rests: bool
    ruling_id: UUID | None
    case_reason: str | None


async def list_waiting(
    connection: asyncpg.Connection[Any],
    *,
    now: Callable[[], datetime] = clock.now,
    after: UUID | None = None,
    limit: int = 50,
) -> list[WaitingBet]:
    """A page of the bets that people may settle, oldest first, after the one that ``after`` names.

    They rest, or have no outcome an hour after they were made.
    """
    rows = await connection.fetch(load(_ROOM, "waiting"), now() - OLD, after, limit)
    return [
        WaitingBet(
            bet_id=row["bet_id"],
            user_id=row["user_id"],
            state=BetState(row["state"]),
            stake=Money(int(row["amount"]), row["currency"]),
            round_id=row["round_id"],
            ticket_id=row["ticket_id"],
            created_at=row["created_at"],
            rests=row["rests"],
            ruling_id=row["ruling_id"],
            case_reason=row["case_reason"],
        )
        for row in rows
    ]


async def read_ruling(connection: asyncpg.Connection[Any], ruling_id: UUID) -> Ruling:
    """A ruling; `RulingNotFoundError` when there is none."""
    row = await connection.fetchrow(load(_ROOM, "ruling"), ruling_id)
    if row is None:
        raise RulingNotFoundError(f"there is no ruling {ruling_id}")
    return _ruling(row)


async def list_rulings(
    connection: asyncpg.Connection[Any],
    *,
    state: RulingState | None = None,
    bet_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
    sort: str = "age",
) -> list[Ruling]:
    """A page of rulings, from after the one that ``before`` names.

    Args:
        connection: any.
        state: only those in it.
        bet_id: only those of it.
        before: the last of the page before.
        limit: how many.
        sort: ``age``, newest first, or ``amount`` that is paid out, in whole units and nothing as
            zero; with ``-`` before it for the largest first. ``-age`` is the oldest.
    """
    statement = load_in_order(_ROOM, "rulings", turned=is_turned(sort))
    rows = await connection.fetch(statement, state, bet_id, before, limit, sort.removeprefix("-"))
    return [_ruling(row) for row in rows]


async def ruling_by_step(
    connection: asyncpg.Connection[Any], user_id: str, bet_id: UUID, step_id: UUID
) -> UUID | None:
    """The ruling that this very intent proposed before."""
    found: UUID | None = await connection.fetchval(load(_ROOM, "by_step"), user_id, bet_id, step_id)
    return found


def _ruling(row: asyncpg.Record) -> Ruling:
    columns = dict(row)
    payout = columns.pop("payout")
    return Ruling(
        outcome=RulingOutcome(columns.pop("outcome")),
        state=RulingState(columns.pop("state")),
        payout=None if payout is None else Money(int(payout), columns["currency"]),
        **columns,
    )
