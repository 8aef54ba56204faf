"""Register a payment before a PSP reports it; a withdrawal reserves its money with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.clock import new_id, now
from recon.db import load, with_retries
from recon.ledger import post_one, rules
from recon.payments.model import Direction, ExpectedPayment, Payment, PaymentExistsError
from recon.payments.read import payment_of_row, read_payment

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["register_payment"]


@with_retries
async def register_payment(pool: Pool, expected: ExpectedPayment) -> Payment:
    """Register once; the same registration again gives the payment as it is now.

    Raises:
        Invalid: a field is unusable.
        PaymentExistsError: the reference stands for something else.
        InsufficientBalanceError: a withdrawal of more than is available.
    """
    expected.check()
    amount = expected.money()
    hold_id = new_id() if expected.direction is Direction.WITHDRAWAL else None
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            load("recon.payments", "insert"),
            *(expected.reference, expected.endpoint, expected.direction, expected.user_id),
            *(amount.currency, amount.minor, hold_id),
        )
        if row is None:
            known = await read_payment(connection, expected.reference)
            if not _same(known, expected):
                raise PaymentExistsError(f"{expected.reference} is registered with other data")
            return known
        if hold_id is not None:
            entry = rules.withdrawal_reserved(
                expected.user_id,
                amount,
                reference=expected.reference,
                hold_id=hold_id,
                event_at=now(),
            )
            await post_one(connection, entry)
    return payment_of_row(row)


def _same(known: Payment, expected: ExpectedPayment) -> bool:
    return (known.endpoint, known.direction, known.user_id, known.amount) == (
        expected.endpoint,
        expected.direction,
        expected.user_id,
        expected.money(),
    )
