"""A discrepancy as one row of an export: the columns, and what stands in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from recon.clock import now
from recon.db import is_turned, load, load_in_order
from recon.money import Money
from recon.reconciliation.read import matching

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    import asyncpg

    from recon.db import Pool
    from recon.reconciliation.read import DiscrepancyFilter

__all__ = ["EXPORT_COLUMNS", "Cell", "EvidenceRow", "ExportRow", "export_rows"]

_PAGE: Final = 500
_ID: Final = 16
"""Bytes of an id."""

EXPORT_COLUMNS = (
    *("discrepancy_id", "run_id", "as_of_ledger", "as_of_game", "user_id", "currency"),
    *("ledger_balance", "game_balance", "difference", "in_flight", "explained", "unexplained"),
    *("cause", "severity", "status", "first_seen_at", "age_hours", "occurrences", "assignee"),
    *("resolution", "adjustment_id", "proposed_by", "approved_by", "last_comment", "url"),
)
"""In the order in which they stand; others rely on them."""

Cell: TypeAlias = "str | int | Money | datetime | UUID | None"


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One fact behind a discrepancy."""

    discrepancy_id: UUID
    user_id: str
    currency: str
    kind: str
    id: str
    amount: Money
    at: str
    cause: str
    summary: str


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A discrepancy's cells by column, and what is summed over rows.

    ``game_balance = ledger_balance + in_flight + difference``: ``in_flight`` is what rightly
    differs, withdrawals that the PSP has not told both sides of. The balances are the available
    ones, or the held ones where only those differ. ``as_of_ledger`` is when the ledger was last
    read for it; ``age_hours`` counts whole hours, until now or until it was closed.
    """

    currency: str
    difference: Money
    explained: Money
    unexplained: Money
    status: str
    cause: str
    severity: str
    columns: dict[str, Cell]
    evidence: tuple[EvidenceRow, ...]

    def cells(self) -> list[Cell]:
        """The row's values, in the order of `EXPORT_COLUMNS`."""
        return [self.columns[name] for name in EXPORT_COLUMNS]


def export_rows(
    pool: Pool, wanted: DiscrepancyFilter, *, base_url: str, sort: str = "age"
) -> AsyncGenerator[list[ExportRow], None]:
    """Every discrepancy that matches, a page at a time.

    No transaction stays open between pages, however slowly the reader reads: a discrepancy stands
    there once, as it was when its page was read; those opened meanwhile are not among them.

    Args:
        pool: what is read.
        wanted: which.
        base_url: where the pages are.
        sort: ``age`` (the newest first), ``size``, ``unexplained`` or ``severity``, with ``-``
            before it for the largest first; ``-age`` is the oldest. All but the first keep sixteen
            bytes in memory for each.
    """
    if sort == "age":
        return _newest_first(pool, wanted, base_url)
    return _in_order(pool, wanted, base_url, sort)


async def _in_order(
    pool: Pool, wanted: DiscrepancyFilter, base_url: str, sort: str
) -> AsyncGenerator[list[ExportRow], None]:
    """In the order at the beginning: what it goes by may change before its page is read."""
    key = sort.removeprefix("-")
    order = load_in_order("recon.reconciliation", "export_order", turned=is_turned(sort))
    statement = load("recon.reconciliation", "export_page")
    async with pool.acquire() as connection:
        (found,) = await matching(connection, order, wanted, before=None, limit=None, more=(key,))
    ids = memoryview(found["ids"] or b"")
    for start in range(0, len(ids), _PAGE * _ID):
        page = ids[start : start + _PAGE * _ID]
        places = {UUID(bytes=bytes(page[at : at + _ID])): at for at in range(0, len(page), _ID)}
        async with pool.acquire() as connection:
            rows = await matching(
                connection, statement, wanted, before=None, limit=_PAGE, more=(list(places),)
            )
        if rows:
            rows.sort(key=lambda row: places[row["discrepancy_id"]])
            at = now()
            yield [_row(row, at, base_url) for row in rows]


async def _newest_first(
    pool: Pool, wanted: DiscrepancyFilter, base_url: str
) -> AsyncGenerator[list[ExportRow], None]:
    """By id, which no change moves: a page goes on after the last one."""
    statement = load("recon.reconciliation", "export_page")
    before: UUID | None = None
    while True:
        async with pool.acquire() as connection:
            rows = await matching(
                connection, statement, wanted, before=before, limit=_PAGE, more=(None,)
            )
        if rows:
            at = now()
            yield [_row(row, at, base_url) for row in rows]
        if len(rows) < _PAGE:
            return
        before = rows[-1]["discrepancy_id"]


def _row(row: asyncpg.Record, at: datetime, base_url: str) -> ExportRow:
    def money(minor: Any) -> Money:  # noqa: ANN401 - asyncpg's columns are untyped
        return Money(int(minor), row["currency"])

    ledger, game = _sides(row)
    age = (row["closed_at"] or at) - row["first_seen_at"]
    booked = row["adjustment_state"] == "booked"
    difference, explained, unexplained = (
        money(row[name]) for name in ("difference", "explained", "unexplained")
    )
    columns: dict[str, Cell] = {
        "discrepancy_id": row["discrepancy_id"],
        "run_id": row["last_run_id"],
        "as_of_ledger": row["last_seen_at"],
        "as_of_game": row["game_as_of"],
        "user_id": row["user_id"],
        "currency": row["currency"],
        "ledger_balance": money(ledger),
        "game_balance": money(game),
        "difference": difference,
        "in_flight": money(game - ledger - difference.minor),
        "explained": explained,
        "unexplained": unexplained,
        "cause": row["cause"],
        "severity": row["severity"],
        "status": row["status"],
        "first_seen_at": row["first_seen_at"],
        "age_hours": age // timedelta(hours=1),
        "occurrences": row["occurrences"],
        "assignee": row["assignee"],
        "resolution": _resolution(row),
        "adjustment_id": row["adjustment_id"],
        "proposed_by": row["proposed_by"],
        "approved_by": row["decided_by"] if booked else None,
        "last_comment": row["last_comment"],
        "url": f"{base_url}/discrepancies/{row['discrepancy_id']}",
    }
    return ExportRow(
        currency=row["currency"],
        difference=difference,
        explained=explained,
        unexplained=unexplained,
        status=row["status"],
        cause=row["cause"],
        severity=row["severity"],
        columns=columns,
        evidence=tuple(
            EvidenceRow(
                discrepancy_id=row["discrepancy_id"],
                user_id=row["user_id"],
                currency=row["currency"],
                kind=fact["kind"],
                id=fact["id"],
                amount=money(fact["amount"]),
                at=fact["at"],
                cause=fact["cause"],
                summary=fact["summary"],
            )
            for fact in row["evidence"]
        ),
    )


def _sides(row: asyncpg.Record) -> tuple[int, int]:
    """Ledger and game, of the balance that the difference is of."""
    of = "available" if row["available_difference"] else "held"
    return int(row[f"ledger_{of}"]), int(row[f"game_{of}"])


def _resolution(row: asyncpg.Record) -> str | None:
    match row["status"]:
        case "resolved":
            booked = Money(int(row["adjustment_amount"]), row["currency"])
            return f"an adjustment of {booked} {booked.currency} was booked"
        case "cleared":
            return "a later run agreed by itself"
        case "ignored":
            return f"ignored: {row['ignored_reason']}"
        case _:
            return None
