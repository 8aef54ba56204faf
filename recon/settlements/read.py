"""Read files, their batches and findings, and what they say against a wallet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from recon.db import load, load_in_order
from recon.money import Money
from recon.settlements.errors import FileNotFoundHereError
from recon.settlements.model import (
    EXPLAINING,
    SIGNS,
    Batch,
    Finding,
    FindingKind,
    FindingState,
    Format,
    LineKind,
    Place,
    SettlementFact,
    SettlementFile,
    Total,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    Connection: TypeAlias = asyncpg.Connection[Any]

__all__ = [
    "find_place",
    "find_settlement_facts",
    "list_files",
    "list_findings",
    "read_batches",
    "read_file",
]


async def list_files(
    connection: Connection,
    *,
    endpoint: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
    oldest: bool = False,
) -> list[SettlementFile]:
    """A page of files, newest first, from before one on; or ``oldest`` first, from after it."""
    statement = load_in_order("recon.settlements", "files", turned=oldest)
    rows = await connection.fetch(statement, None, endpoint, before, limit)
    return [_file(row) for row in rows]


async def read_file(connection: Connection, file_id: UUID) -> SettlementFile:
    """One imported file.

    Raises:
        FileNotFoundHereError: there is none with this id.
    """
    row = await connection.fetchrow(load("recon.settlements", "files"), file_id, None, None, 1)
    if row is None:
        raise FileNotFoundHereError(f"there is no settlement file {file_id}")
    return _file(row)


async def read_batches(connection: Connection, file_id: UUID, *, limit: int = 100) -> list[Batch]:
    """The batches of which a file was the last to speak; those that are not balanced come first."""
    rows = await connection.fetch(load("recon.settlements", "batches_of"), file_id, limit)
    return [
        Batch(
            batch=row["batch"],
            lines=row["lines"],
            net=Money(int(row["net"]), row["currency"]),
            paid=Money(int(row["paid"]), row["currency"]),
            payouts=row["payouts"],
        )
        for row in rows
    ]


async def list_findings(
    connection: Connection,
    file_id: UUID,
    *,
    state: FindingState | None = None,
    kind: FindingKind | None = None,
    after: UUID | None = None,
    limit: int = 50,
    back: bool = False,
) -> list[Finding]:
    """A page of a file's findings, in their order or ``back`` from the last, after a finding."""
    statement = load_in_order("recon.settlements", "findings_of", turned=back)
    rows = await connection.fetch(statement, file_id, state, kind, after, limit)
    return [_finding(row) for row in rows]


async def find_place(
    connection: Connection, *, finding: tuple[str, UUID] | None = None, case_id: UUID | None = None
) -> Place | None:
    """Where a finding stands (by its player and id), or the first one of a case."""
    user_id, finding_id = finding or (None, None)
    row = await connection.fetchrow(
        load("recon.settlements", "finding_place"), user_id, finding_id, case_id
    )
    return None if row is None else Place(row["file_id"], row["finding_id"])


async def find_settlement_facts(
    connection: Connection, user_id: str, currency: str, since: datetime
) -> list[SettlementFact]:
    """What settlement files say against a wallet and nothing has explained yet.

    Each fact's amount is what the player would have more, were it booked as the PSP settled it: a
    deposit that is missing here is above zero, one that is missing there below.

    Args:
        connection: the database.
        user_id: the player.
        currency: of the wallet; what another currency says is left out of the amount.
        since: settled (or, where it is missing there, booked) from then on.

    Returns:
        Newest first, five hundred at most.
    """
    rows = await connection.fetch(
        load("recon.settlements", "facts_of"),
        *(user_id, currency, since, [kind.value for kind in EXPLAINING]),
    )
    return [_fact(row, currency) for row in rows]


def _fact(row: asyncpg.Record, currency: str) -> SettlementFact:
    settled = int(row["settled_amount"]) if row["settled_currency"] == currency else 0
    booked = int(row["booked_amount"]) if row["booked_currency"] == currency else 0
    about = LineKind(row["about"])
    place = f" (line {row['line_no']})" if row["line_no"] is not None else ""
    return SettlementFact(
        finding_id=row["finding_id"],
        endpoint=row["endpoint"],
        kind=FindingKind(row["kind"]),
        about=about,
        reference=row["reference"],
        payment_id=row["payment_id"],
        effect_id=row["effect_id"],
        amount=Money(SIGNS[about] * (settled - booked), currency),
        settled_at=row["settled_at"],
        found_at=row["found_at"],
        summary=f"{row['endpoint']}'s settlement file{place}: {row['detail']}",
    )


def _file(row: asyncpg.Record) -> SettlementFile:
    fields = dict(row)
    fields["format"] = Format(fields["format"])
    fields["totals"] = tuple(
        Total(**{**total, "kind": LineKind(total["kind"])}) for total in fields["totals"]
    )
    return SettlementFile(**fields)


def _finding(row: asyncpg.Record) -> Finding:
    user_id: str = row["user_id"]
    return Finding(
        finding_id=row["finding_id"],
        user_id=None if user_id.startswith("~") else user_id,
        endpoint=row["endpoint"],
        file_id=row["file_id"],
        kind=FindingKind(row["kind"]),
        about=None if row["about"] is None else LineKind(row["about"]),
        payment_id=row["payment_id"],
        effect_id=row["effect_id"],
        reference=row["reference"],
        line_no=row["line_no"],
        settled=_money(row, "settled"),
        booked=_money(row, "booked"),
        settled_at=row["settled_at"],
        detail=row["detail"],
        state=FindingState(row["state"]),
        found_at=row["found_at"],
        resolved_at=row["resolved_at"],
        resolution=row["resolution"],
        case_id=row["case_id"],
    )


def _money(row: asyncpg.Record, which: str) -> Money | None:
    amount, currency = row[f"{which}_amount"], row[f"{which}_currency"]
    return None if amount is None or currency is None else Money(int(amount), currency)
