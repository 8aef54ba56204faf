"""Read registered payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.money import Money
from recon.payments.model import Direction, Payment, PaymentNotFoundError, PaymentState

if TYPE_CHECKING:
    import asyncpg

__all__ = ["open_payments_of", "payment_of_row", "payments_of", "read_payment"]


async def read_payment(connection: asyncpg.Connection[Any], reference: str) -> Payment:
    """The payment under a reference; `PaymentNotFoundError` when there is none."""
    row = await connection.fetchrow(load("recon.payments", "by_reference"), reference)
    if row is None:
        raise PaymentNotFoundError(f"no payment is registered under {reference}")
    return payment_of_row(row)


async def payments_of(
    connection: asyncpg.Connection[Any], user_id: str, currency: str, *, limit: int = 500
) -> list[Payment]:
    """A player's registered payments in one currency, newest first."""
    rows = await connection.fetch(load("recon.payments", "of_user"), user_id, currency, limit)
    return [payment_of_row(row) for row in rows]


async def open_payments_of(
    connection: asyncpg.Connection[Any], user_id: str, currency: str, *, limit: int = 500
) -> list[Payment]:
    """Those whose outcome is not known yet: no PSP has said that they succeeded, paid or failed."""
    rows = await connection.fetch(load("recon.payments", "open_of_user"), user_id, currency, limit)
    return [payment_of_row(row) for row in rows]


def payment_of_row(row: asyncpg.Record) -> Payment:
    """One row of ``payments``."""
    return Payment(
        reference=row["reference"],
        endpoint=row["endpoint"],
        direction=Direction(row["direction"]),
        user_id=row["user_id"],
        amount=Money(int(row["amount"]), row["currency"]),
        state=PaymentState(row["state"]),
        payment_id=row["payment_id"],
        hold_id=row["hold_id"],
        registered_at=row["registered_at"],
        reported_at=row["reported_at"],
        updated_at=row["updated_at"],
    )
