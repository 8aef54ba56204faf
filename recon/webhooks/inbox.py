"""Read repeats, cases, and what a PSP said of a player that is not booked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Gauge

from recon.db import load
from recon.db.numbers import DatabaseNumbers
from recon.money import Money
from recon.webhooks.model import BACKFILLED, CaseKind, Kind, State
from recon.webhooks.queries import money_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = [
    "CASE_KINDS",
    "CASE_NUMBERS",
    "INBOX_NUMBERS",
    "CaseRow",
    "Repeat",
    "UnbookedDelivery",
    "case_of",
    "list_cases",
    "refresh_case_gauges",
    "repeats_of",
    "unbooked_deliveries_of",
]


CASE_KINDS: Final = (
    *CaseKind,
    *("payment_overdue", "withdrawal_overdue"),
    *("settlement_missing_here", "settlement_missing_there", "settlement_mismatch"),
    *("settlement_payout", "settlement_lines"),
    *("unresolved_bet", "bet_mismatch", "payout_mismatch", "payout_failed", "late_bet"),
)
"""What people must look at: the inbox's own, overdue payments, settlement files and bets."""

_open_cases = Gauge("recon_cases_open", "Open cases, by what people must look at.", ["kind"])
_unsettled = Gauge(
    "recon_deliveries_unsettled", "Deliveries whose money is in no player's book.", ["state"]
)
_oldest_unsettled_s = Gauge(
    "recon_deliveries_oldest_unsettled_seconds",
    "How long ago the oldest of them came; 0: none.",
    ["state"],
)


@dataclass(frozen=True, slots=True)
class UnbookedDelivery:
    """What a PSP reported and is in no player's book: waiting, in suspense or quarantined.

    Attributes:
        booked: what another delivery of the same movement has put into this player's book.
        undoes_booked: what it would undo (a failure its deposit, a return its payout) is in this
            player's book.
    """

    delivery_id: UUID
    endpoint: str
    event_type: str
    kind: Kind | None
    state: State
    reason: str | None
    amount: Money | None
    reference: str | None
    payment_id: str | None
    effect_id: str | None
    received_at: datetime
    backfilled: bool
    booked: Money | None
    undoes_booked: bool


@dataclass(frozen=True, slots=True)
class Repeat:
    """A delivery that came again; with other bytes it is an alarm."""

    repeat_id: UUID
    received_at: datetime
    body_sha256: bytes
    same_bytes: bool


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as it is kept."""

    case_id: UUID
    kind: str
    endpoint: str | None
    delivery_id: UUID | None
    reference: str | None
    user_id: str | None
    amount: Money | None
    reason: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None = None
    closed_reason: str | None = None


async def repeats_of(
    connection: asyncpg.Connection[Any], endpoint: str, event_id: str
) -> list[Repeat]:
    """How often an event came again, oldest first, a hundred at most."""
    rows = await connection.fetch(load("recon.webhooks", "repeats_of"), endpoint, event_id)
    return [Repeat(**dict(row)) for row in rows]


async def list_cases(
    connection: asyncpg.Connection[Any],
    *,
    state: str | None = None,
    kind: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
    oldest: bool = False,
) -> list[CaseRow]:
    """A page of cases, newest first, from before a case on; or ``oldest`` first, from after it."""
    states = ["open", "closed"] if state is None else [state]
    if oldest:
        rows = await connection.fetch(
            load("recon.webhooks", "list_cases_oldest"), states, before, limit, kind
        )
    elif kind is None:
        rows = await connection.fetch(load("recon.webhooks", "list_cases"), states, before, limit)
    else:
        rows = await connection.fetch(
            load("recon.webhooks", "list_cases_of_kind"), states, before, limit, kind
        )
    return [case_of(row) for row in rows]


def case_of(row: asyncpg.Record) -> CaseRow:
    """One row of ``cases``."""
    return CaseRow(
        case_id=row["case_id"],
        kind=row["kind"],
        endpoint=row["endpoint"],
        delivery_id=row["delivery_id"],
        reference=row["reference"],
        user_id=row["user_id"],
        amount=money_of(row),
        reason=row["reason"],
        state=row["state"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        closed_reason=row["closed_reason"],
    )


async def refresh_case_gauges(pool: Pool) -> None:
    """Set the gauge of open cases by the database; a kind that has none any more says so."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.webhooks", "count_cases"))
    counts = {row["kind"]: row["open"] for row in rows}
    for kind in {*CASE_KINDS, *counts}:
        _open_cases.labels(kind).set(counts.get(kind, 0))


async def _refresh_unsettled(pool: Pool) -> None:
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.webhooks", "measure_waiting"))
    states = {row["state"]: row for row in rows}
    for state in (State.WAITING, State.SUSPENDED, State.QUARANTINED):
        row = states.get(state)
        _unsettled.labels(state).set(0 if row is None else row["deliveries"])
        _oldest_unsettled_s.labels(state).set(0 if row is None else row["oldest_s"])


CASE_NUMBERS: Final = DatabaseNumbers("cases", refresh_case_gauges, (_open_cases,))
INBOX_NUMBERS: Final = DatabaseNumbers(
    "deliveries", _refresh_unsettled, (_unsettled, _oldest_unsettled_s)
)


async def unbooked_deliveries_of(
    connection: asyncpg.Connection[Any], user_id: str, *, references: Sequence[tuple[str, str]]
) -> list[UnbookedDelivery]:
    """Deliveries of a player, or about these, that are in no player's book.

    Args:
        connection: the database.
        user_id: the player.
        references: endpoints with the references of the player's payments there.

    Returns:
        Newest first, five hundred at most.
    """
    rows = await connection.fetch(
        load("recon.webhooks", "unbooked_of"),
        user_id,
        [endpoint for endpoint, _ in references],
        [reference for _, reference in references],
    )
    return [
        UnbookedDelivery(
            delivery_id=row["delivery_id"],
            endpoint=row["endpoint"],
            event_type=row["event_type"],
            kind=None if row["kind"] is None else Kind(row["kind"]),
            state=State(row["state"]),
            reason=row["reason"],
            amount=money_of(row),
            reference=row["reference"],
            payment_id=row["payment_id"],
            effect_id=row["effect_id"],
            received_at=row["received_at"],
            backfilled=row["verified_by"].startswith(BACKFILLED),
            booked=None if row["booked"] is None else Money(int(row["booked"]), row["currency"]),
            undoes_booked=row["undoes_booked"],
        )
        for row in rows
    ]
