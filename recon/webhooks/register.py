"""Register a payment of which its PSP may have spoken already.

A webhook may beat the registration. Both hold the lock of (endpoint, reference) while they decide,
so one of them sees the other; what was said first is then decided again, in the transaction that
registers: money that has left is not reserved, what waits or stands in suspense is booked, and the
payment is in the state that was reported.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from recon.clock import new_id
from recon.db import with_retries
from recon.db.sharing import WITHIN_S, broken_off_at
from recon.payments import insert_payment, read_payment
from recon.webhooks import queries, writes
from recon.webhooks.batch import Sleeper
from recon.webhooks.errors import RegistrationUnavailableError
from recon.webhooks.hearing import hear, names_of
from recon.webhooks.look_up import prepare, take_locks
from recon.webhooks.model import Case, CaseKind, State
from recon.webhooks.rules.known import time_of
from recon.webhooks.rules.registration import contradictions, told_by
from recon.webhooks.write_down import BookingRefusedError, write_down

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from recon.db import Pool
    from recon.payments import ExpectedPayment, Payment
    from recon.webhooks.batch import Batch
    from recon.webhooks.hearing import Heard
    from recon.webhooks.rules.registration import Contradiction

__all__ = ["register_payment"]


@with_retries
async def register_payment(pool: Pool, expected: ExpectedPayment) -> Payment:
    """Register once; the same registration again gives the payment as it is now.

    What is booked otherwise than registered stays as it is, with a case.

    Raises:
        Invalid: a field is unusable.
        PaymentExistsError: the reference stands for something else.
        InsufficientBalanceError: a withdrawal of more than is available.
        ReferenceAmbiguousError: the PSP used the reference for hundreds of payments.
        RegistrationUnavailableError: the books refuse what the rules allow; nothing has
            changed, and the same may be sent again.
    """
    expected.check()
    expected.money()
    names = {(expected.endpoint, expected.reference)}
    # Then the caller's key is free again, and its next attempt finds what was done.
    until_s = asyncio.get_running_loop().time() + WITHIN_S
    while True:
        async with pool.acquire() as connection:
            with broken_off_at(until_s, connection):
                async with connection.transaction():
                    await take_locks(connection, names)
                    heard = await hear(connection, expected.endpoint, expected.reference)
                    if names_of(heard) <= names:
                        return await _register(connection, expected, heard)
        # Locks are taken in ascending order, so what is missing cannot be taken on top.
        names |= names_of(heard)


async def _register(
    connection: asyncpg.Connection[Any], expected: ExpectedPayment, heard: Sequence[Heard]
) -> Payment:
    named = {(one.stored.endpoint, one.stored.payment_id, None) for one in heard}
    movements = await queries.find_movements(connection, sorted(named, key=str)) if named else []
    told = told_by(expected, movements)
    first = min((one.stored.received_at for one in heard), default=None)
    if told.payment_id is not None:
        told = replace(told, reported_at=first)
    payment, is_new = await insert_payment(connection, expected, told)
    if not is_new or not heard:
        return payment
    events = [one.event for one in heard if one.event is not None]
    batch = await prepare(connection, events, refused={})
    _decide_again(batch, heard)
    report = batch.reports.get(payment.reference)
    if report is not None:
        batch.reports[payment.reference] = replace(report, reported_at=first)
    try:
        await write_down(connection, batch, new=[])
    except BookingRefusedError as error:
        raise RegistrationUnavailableError(
            "the books refuse what the PSP has said of this reference"
        ) from error
    found = contradictions(expected, movements)
    if found:
        await writes.insert_cases(connection, [_case(one, expected) for one in found])
    return await read_payment(connection, payment.reference)


def _decide_again(batch: Batch, heard: Sequence[Heard]) -> None:
    """Decide about everything that is kept, oldest event first; each may wake others."""
    kept = {
        one.stored.delivery_id: Sleeper(one.stored.delivery_id, one.event, one.stored.state)
        for one in heard
        if one.event is not None
    }
    kept = batch.sleepers | kept
    for sleeper in sorted(kept.values(), key=lambda one: (time_of(one.event), one.delivery_id)):
        if sleeper.delivery_id in batch.decisions:
            continue  # woken by one before it
        batch.sleepers.pop(sleeper.delivery_id, None)
        decision = batch.take(sleeper.delivery_id, sleeper.event, sleeper.state)
        if decision.state is State.SUSPENDED:
            batch.sleepers[sleeper.delivery_id] = sleeper


def _case(contradiction: Contradiction, expected: ExpectedPayment) -> Case:
    movement = contradiction.movement
    return Case(
        case_id=new_id(),
        kind=CaseKind.MOVEMENT_CONFLICT,
        endpoint=movement.endpoint,
        delivery_id=movement.delivery_id,
        reference=expected.reference,
        user_id=movement.user_id,
        amount=movement.amount,
        reason=contradiction.reason,
    )
