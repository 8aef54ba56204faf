"""Take deliveries in: verify, read, and keep and book them in one commit."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from recon.clock import new_id
from recon.db import with_retries
from recon.webhooks.book import book
from recon.webhooks.errors import IntakeUnavailableError, SignatureStaleError
from recon.webhooks.measure import observe_stale, observe_verified
from recon.webhooks.model import Delivery, Endpoint, Outcome
from recon.webhooks.psp import PROVIDERS
from recon.webhooks.write_down import BookingRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from recon.db import Pool

__all__ = ["receive", "verify_call"]

log = structlog.get_logger(__name__)

_WITHIN_S: Final = 8.0
"""Adyen takes no answer for a refusal after ten seconds."""

_MAX_HEADER: Final = 1024

_OF_A_MEMBER: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What one delivery's data can do wrong, as opposed to the database."""

_UNAVAILABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # A connection that Postgres has ended, used before asyncpg noticed (its issues 784 and 1069).
    asyncpg.InternalClientError,
)


def verify_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, now: datetime
) -> list[Delivery]:
    """The deliveries of one call: proven first, read then.

    Raises:
        Invalid: the signature is missing or malformed.
        Unauthentic: it is wrong or stale.
        NotJsonError: authentic, and no JSON.
    """
    provider = PROVIDERS[endpoint.provider]
    try:
        verified_by = provider.verify(headers, body, endpoint.secrets, now)
    except SignatureStaleError as error:
        observe_stale(endpoint.name, error.skew_s)
        raise
    signed_at = provider.signed_at(headers)
    skew_s = None if signed_at is None else now.timestamp() - signed_at
    observe_verified(endpoint.name, verified_by, skew_s)
    kept = {
        name: headers[name][:_MAX_HEADER]
        for name in provider.KEPT_HEADERS
        if headers.get(name, "").isprintable() and name in headers
    }
    return [
        Delivery(
            delivery_id=new_id(),
            endpoint=endpoint.name,
            provider=endpoint.provider,
            received_at=now,
            body=reading.body,
            content_sha256=reading.content_sha256,
            headers=kept,
            verified_by=verified_by,
            event=reading.event,
        )
        for reading in provider.read(endpoint, headers, body)
    ]


async def receive(pool: Pool, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Keep and book verified deliveries; when this returns, they are durable.

    A member that cannot be booked is quarantined by itself, and its neighbours are booked.

    Raises:
        IntakeUnavailableError: the database cannot take them; nothing of them is kept, or all is
            and a repeat will find it.
    """
    until_s = asyncio.get_running_loop().time() + _WITHIN_S
    try:
        return await _receive(pool, deliveries, until_s)
    except _UNAVAILABLE as error:
        log.warning("intake_unavailable", error=type(error).__name__, deliveries=len(deliveries))
        raise IntakeUnavailableError("deliveries cannot be kept now; send them again") from error


async def _receive(pool: Pool, deliveries: Sequence[Delivery], until_s: float) -> list[Outcome]:
    refused: dict[UUID, str] = {}
    while True:
        try:
            return await _commit(pool, deliveries, refused, until_s)
        except BookingRefusedError as error:
            if error.reasons.keys() <= refused.keys():
                raise
            refused |= error.reasons
            log.exception("booking_refused", reasons=sorted(set(error.reasons.values())))
        except _OF_A_MEMBER as error:
            if len(deliveries) > 1:
                # Which of them it is, the database does not say.
                return [await _alone(pool, delivery, until_s) for delivery in deliveries]
            if refused:
                raise
            refused = {deliveries[0].delivery_id: f"the database says {type(error).__name__}"}


async def _alone(pool: Pool, delivery: Delivery, until_s: float) -> Outcome:
    (outcome,) = await _receive(pool, [delivery], until_s)
    return outcome


@with_retries
async def _commit(
    pool: Pool, deliveries: Sequence[Delivery], refused: Mapping[UUID, str], until_s: float
) -> list[Outcome]:
    async with pool.acquire() as connection:
        with _broken_off_at(until_s, connection):
            async with connection.transaction():
                return await book(connection, deliveries, refused=refused)


@contextmanager
def _broken_off_at(until_s: float, connection: asyncpg.Connection[Any]) -> Iterator[None]:
    """Drop the connection when the time is up, without a word to Postgres.

    A cancelled statement ends, and a transaction rolls back, only when Postgres says so; and it may
    be Postgres, or the way to it, that does not answer.
    """
    timer = asyncio.get_running_loop().call_at(until_s, connection.give_up)
    try:
        yield
    finally:
        timer.cancel()
