"""Register a payment; a withdrawal reserves its money with it, unless that has left already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import web

from recon.clock import new_id, now
from recon.db import Pool, load
from recon.ledger import post_one, rules
from recon.payments.model import Direction, ExpectedPayment, Payment, PaymentExistsError, Told
from recon.payments.read import payment_of_row, read_payment

if TYPE_CHECKING:
    import asyncpg

__all__ = ["REGISTER", "Register", "insert_payment"]

Register: TypeAlias = Callable[[Pool, ExpectedPayment], Awaitable[Payment]]
"""The verb: it registers once, and knows what the PSP has said before."""

REGISTER: web.AppKey[Register] = web.AppKey("register_payment", Callable)  # type: ignore[arg-type]  # a signature is no class


async def insert_payment(
    connection: asyncpg.Connection[Any], expected: ExpectedPayment, told: Told
) -> tuple[Payment, bool]:
    """Register once, inside the caller's transaction.

    Args:
        connection: under the locks that keep ``told`` true.
        expected: checked already.
        told: what the PSP has said of it before.

    Returns:
        The payment, and whether it is new; the same registration again gives it as it is now.

    Raises:
        PaymentExistsError: the reference stands for something else.
        InsufficientBalanceError: a withdrawal of more than is available.
    """
    amount = expected.money()
    reserves = expected.direction is Direction.WITHDRAWAL and not told.is_out
    hold_id = new_id() if reserves else None
    row = await connection.fetchrow(
        load("recon.payments", "insert"),
        *(expected.reference, expected.endpoint, expected.direction, expected.user_id),
        *(amount.currency, amount.minor, hold_id),
        *(told.state, told.payment_id, told.reported_at),
    )
    if row is None:
        known = await read_payment(connection, expected.reference)
        if not _same(known, expected):
            raise PaymentExistsError(f"{expected.reference} is registered with other data")
        return known, False
    if hold_id is not None:
        entry = rules.withdrawal_reserved(
            expected.user_id,
            amount,
            reference=expected.reference,
            hold_id=hold_id,
            event_at=now(),
        )
        await post_one(connection, entry)
    return payment_of_row(row), True


def _same(known: Payment, expected: ExpectedPayment) -> bool:
    return (known.endpoint, known.direction, known.user_id, known.amount) == (
        expected.endpoint,
        expected.direction,
        expected.user_id,
        expected.money(),
    )
