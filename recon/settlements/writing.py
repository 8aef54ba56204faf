"""Write an import down in Postgres: the file, its lines, batches, findings and their cases.

All of it is in the transaction that the import holds its endpoint by, so that it is there whole or
not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from recon.audit import record_action
from recon.db import load
from recon.money import Money
from recon.settlements.model import Batch, SettlementFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    import asyncpg

    from recon.settlements.finding import NewCase
    from recon.settlements.periods import Spoken

    Connection: TypeAlias = asyncpg.Connection[Any]

__all__ = [
    "COPY_TIMEOUT_S",
    "FINDING_COLUMNS",
    "LINE_COLUMNS",
    "add_to_batches",
    "copy_in",
    "insert_cases",
    "insert_file",
    "resolve",
    "resolve_batches",
    "slices",
]

COPY_TIMEOUT_S: Final = 3600.0
"""Of a statement that moves millions of rows; the pool's own limit is for others."""

LINE_COLUMNS: Final = (
    *("file_id", "line_no", "line_key", "kind", "payment_id", "effect_id", "reference"),
    *("currency", "amount", "settled_at"),
)
FINDING_COLUMNS: Final = (
    *("user_id", "finding_id", "endpoint", "file_id", "kind", "about", "payment_id", "effect_id"),
    *("reference", "line_no", "settled_currency", "settled_amount", "booked_currency"),
    *("booked_amount", "settled_at", "detail", "case_id"),
)

_AT_ONCE: Final = 5000


def slices(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """As many at once as one statement takes."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


async def insert_file(connection: Connection, file: SettlementFile, spoken: Spoken) -> None:
    """The file's own row, and who imported it in the audit."""
    row = [
        *(file.file_id, file.endpoint, file.format, file.name, file.content_sha256, file.bytes),
        *(file.lines, file.new_lines, file.repeated_lines, file.duplicate_lines),
        *(file.rejected_lines, file.matched, file.period_from, file.period_to),
        *(file.checked_until, msgspec.to_builtins(file.totals, str_keys=True)),
        *(file.imported_at, file.imported_by),
        *(msgspec.to_builtins(spoken.spans), spoken.tells, msgspec.to_builtins(spoken.judged)),
    ]
    await connection.execute(load("recon.settlements", "insert_file"), *row)
    await record_action(
        connection,
        actor=file.imported_by,
        action="settlement.imported",
        obj=f"settlement:{file.file_id}",
        endpoint=file.endpoint,
        name=file.name,
        sha256=file.content_sha256.hex(),
        lines=file.lines,
    )


async def copy_in(connection: Connection, table: str, columns: Sequence[str], path: Path) -> None:
    """Add rows that DuckDB wrote as CSV."""
    await connection.copy_to_table(
        table, source=path, columns=list(columns), format="csv", timeout=COPY_TIMEOUT_S
    )


async def add_to_batches(
    connection: Connection, endpoint: str, file_id: UUID, added: Sequence[Batch]
) -> list[Batch]:
    """Add a file's new lines to their batches; what these come to now."""
    found = []
    for some in slices(added):
        rows = await connection.fetch(
            load("recon.settlements", "add_to_batches"),
            *(endpoint, file_id),
            [batch.batch for batch in some],
            [batch.net.currency for batch in some],
            [batch.lines for batch in some],
            [batch.net.minor for batch in some],
            [batch.paid.minor for batch in some],
            [batch.payouts for batch in some],
        )
        found += [
            Batch(
                batch=row["batch"],
                lines=row["lines"],
                net=Money(int(row["net"]), row["currency"]),
                paid=Money(int(row["paid"]), row["currency"]),
                payouts=row["payouts"],
            )
            for row in rows
        ]
    return found


async def resolve(connection: Connection, findings: Sequence[tuple[Any, ...]], reason: str) -> None:
    """Close findings that are explained, and the cases of which none is open any more."""
    for some in slices(findings):
        rows = await connection.fetch(
            load("recon.settlements", "resolve_findings"),
            [user_id for user_id, _ in some],
            [finding_id for _, finding_id in some],
            reason,
        )
        await _close_cases(connection, rows, reason)


async def resolve_batches(
    connection: Connection, endpoint: str, batches: Sequence[Batch], reason: str
) -> None:
    """Close what was found of batches, as they are told of anew or come to zero now."""
    for some in slices(batches):
        rows = await connection.fetch(
            load("recon.settlements", "resolve_batches"),
            endpoint,
            [batch.batch for batch in some],
            [batch.net.currency for batch in some],
            reason,
        )
        await _close_cases(connection, rows, reason)


async def _close_cases(connection: Connection, rows: list[asyncpg.Record], reason: str) -> None:
    cases = {row["case_id"] for row in rows if row["case_id"] is not None}
    if cases:
        await connection.execute(
            load("recon.settlements", "close_cases"), sorted(cases), "settlements", reason
        )


async def insert_cases(
    connection: Connection, endpoint: str, cases: Sequence[NewCase], at: datetime
) -> None:
    """Open the cases of what was found."""
    for some in slices(cases):
        await connection.execute(
            load("recon.settlements", "insert_cases"),
            [case.case_id for case in some],
            [case.kind for case in some],
            [case.reference for case in some],
            [case.user_id for case in some],
            [None if case.amount is None else case.amount.currency for case in some],
            [None if case.amount is None else case.amount.minor for case in some],
            [case.reason for case in some],
            *(endpoint, at),
        )
