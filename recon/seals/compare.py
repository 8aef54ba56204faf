"""Compare every row with its link, both ways."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from recon.db import load
from recon.ledger import Fault
from recon.seals.model import SEALED_TABLES, Kind
from recon.seals.rules import parts_of

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

__all__ = ["Compared", "Unsealed", "check_guards", "compare_rows"]

_TIMEOUT_S: Final = 3600
_MOST: Final = 100
_FETCHED_AT_ONCE: Final = 1000

_COMPARE: Final = {
    Kind.POSTING: "compare_postings",
    Kind.MOVEMENT: "compare_movements",
    Kind.DELIVERY: "compare_deliveries",
    Kind.REPEAT: "compare_repeats",
    Kind.EVENT: "compare_events",
    Kind.ADJUSTMENT: "compare_adjustments",
    Kind.DECISION: "compare_decisions",
    Kind.RULING: "compare_rulings",
    Kind.RULING_DECISION: "compare_ruling_decisions",
    Kind.AUDIT: "compare_audit",
}

_WORDS: Final = {
    Kind.POSTING: "posting",
    Kind.MOVEMENT: "movement",
    Kind.DELIVERY: "delivery",
    Kind.REPEAT: "repeated delivery",
    Kind.EVENT: "discrepancy's event",
    Kind.ADJUSTMENT: "adjustment",
    Kind.DECISION: "decision of adjustment",
    Kind.RULING: "ruling of bet",
    Kind.RULING_DECISION: "decision of ruling",
    Kind.AUDIT: "audit row",
}

_REFUSES: Final = """
BEGIN
    RAISE EXCEPTION 'table % is append-only', tg_table_name
    USING ERRCODE = 'restrict_violation';
END
"""
"""The body of refuse_change in 0001_ledger.up.sql; with another one a trigger lets through."""

_DECIDES_ONCE: Final = "288e1d4f8a22fc94cfda87332f33ddf6ffb3c8e5f56f54b90d35212f1dc8d524"
"""SHA-256 of the body of decide_once in 0004_bets.up.sql, without its outer blanks."""

_WITH_USER: Final = {
    *(Kind.POSTING, Kind.EVENT, Kind.ADJUSTMENT, Kind.DECISION),
    *(Kind.RULING, Kind.RULING_DECISION),
}
"""Whose keys begin with the player."""


@dataclass(frozen=True, slots=True)
class Unsealed:
    """Rows that no seal covers yet: how many, and what the oldest says of its time."""

    rows: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What the comparison has found."""

    unsealed: Unsealed
    faults: list[Fault]


async def check_guards(connection: asyncpg.Connection[Any]) -> list[Fault]:
    """What should keep tables from being changed, or shows them otherwise than they are."""
    rows = await connection.fetch(
        load("recon.seals", "guards"), list(SEALED_TABLES), _REFUSES, _DECIDES_ONCE
    )
    return [Fault("guard", "", "", f"{row['table_name']} {row['fault']}") for row in rows]


async def compare_rows(connection: asyncpg.Connection[Any], certain: datetime | None) -> Compared:
    """Find rows that were changed, removed or put in afterwards.

    Only what differs leaves the database, and is counted where it is no fault, so that memory stays
    flat.

    Args:
        connection: in one snapshot.
        certain: a row without a link that says it is older than this was put in afterwards.
    """
    rows, since = 0, None
    faults: list[Fault] = []
    for kind, name in _COMPARE.items():
        said: Counter[str] = Counter()
        async for row in connection.cursor(
            load("recon.seals", name), certain, prefetch=_FETCHED_AT_ONCE, timeout=_TIMEOUT_S
        ):
            finding = row["finding"]
            if finding == "unsealed":
                rows += 1
                since = row["at"] if since is None else min(since, row["at"])
                continue
            said[finding] += 1
            if said[finding] <= _MOST:
                faults.append(_fault(kind, finding, row))
    return Compared(Unsealed(rows, since), faults)


def _fault(kind: Kind, finding: str, row: asyncpg.Record) -> Fault:
    key = parts_of(row["row_key"])
    one = f"{_WORDS[kind]} {' '.join(key)}"
    others = ", its idempotency row or its hold" if kind is Kind.POSTING else ""
    details = {
        "changed": f"{one}{others} was changed after it was sealed as link {row['seq']}",
        "missing": f"{one} was sealed as link {row['seq']} and is gone",
        "inserted": f"{one} says it is from {row['at']}, and was not there when that was sealed",
        "body": f"{one}: its body is not the one that was received",
    }
    user = key[0] if kind in _WITH_USER else ""
    currency = key[1] if kind is Kind.POSTING and len(key) > 1 else ""
    return Fault(f"{kind} {finding}", user, currency, details[finding])
