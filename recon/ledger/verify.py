"""Prove the books from the entries alone, in one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.db import NO_PATH, load

if TYPE_CHECKING:
    import asyncpg

    from recon.db import Pool

__all__ = ["Fault", "Verification", "check_books", "verify_books"]

# Folding years of postings takes what it takes; the pool's time-out is for requests.
_TIMEOUT_S = 3600

_CHECKS = {
    "wallet": "verify_wallets",
    "posting": "verify_postings",
    "holds": "verify_holds",
    "hold postings": "verify_hold_postings",
    "idempotency": "verify_keys",
    "movement": "verify_movements",
    "psp posting": "verify_psp_postings",
    "delivery": "verify_deliveries",
    "adjustment": "verify_adjustments",
    "ruling": "verify_rulings",
    "discrepancy": "verify_statuses",
    "overview": "verify_tallies",
    "step": "verify_steps",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not add up: which check, where, and what it found."""

    check: str
    user_id: str
    currency: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at and every fault, at most a hundred of each check."""

    ok: bool
    postings: int
    wallets: int
    deliveries: int
    faults: list[Fault]


async def verify_books(pool: Pool) -> Verification:
    """As `check_books`, in one snapshot of its own."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(f"SET LOCAL {NO_PATH}")
        await connection.execute("SET LOCAL statement_timeout = 0")
        return await check_books(connection)


async def check_books(connection: asyncpg.Connection[Any]) -> Verification:
    """Check that balances equal the fold of their postings, and everything that hangs on them.

    Versions are dense, each balance follows from the one before, open holds equal what is held and
    reserved, each hold and each end of one is a posting of its amount, each posting has its
    idempotency row, each PSP movement its posting of the same money and each posting of a PSP's its
    movement; each movement has its delivery that says the same, each booked delivery its movement;
    each booked adjustment its posting and each posting of one its adjustment. Discrepancies and
    adjustments stand as their history says, what is counted of open ones is what they are, and what
    people did stands in history and audit alike.
    A posting is one debit and one credit of one amount, so every book sums to zero by its shape.

    Args:
        connection: in a transaction that sees one snapshot and has no statement time-out.
    """
    counts = await connection.fetchrow(load("recon.ledger", "verify_counts"), timeout=_TIMEOUT_S)
    if counts is None:
        raise RuntimeError("a count gave no row")
    faults = [
        Fault(check, row["user_id"], row["currency"], row["detail"])
        for check, name in _CHECKS.items()
        for row in await connection.fetch(load("recon.ledger", name), timeout=_TIMEOUT_S)
    ]
    return Verification(
        ok=not faults,
        postings=counts["postings"],
        wallets=counts["wallets"],
        deliveries=counts["deliveries"],
        faults=faults,
    )
