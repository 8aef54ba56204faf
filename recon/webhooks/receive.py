"""Take deliveries in: verify, read, and keep and book them in one commit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog

from recon.clock import new_id
from recon.db import with_retries
from recon.db.pool import UNREACHABLE
from recon.db.sharing import WITHIN_S, broken_off_at, each_alone
from recon.webhooks.book import book, book_at_once
from recon.webhooks.errors import IntakeUnavailableError, SignatureStaleError
from recon.webhooks.measure import observe_lag, observe_stale, observe_verified
from recon.webhooks.model import Delivery, Endpoint, Event, Outcome
from recon.webhooks.psp import PROVIDERS
from recon.webhooks.write_down import UNFIT, BookingRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from recon.db import Pool

__all__ = ["receive", "receive_each", "verify_call"]

log = structlog.get_logger(__name__)

_MAX_HEADER: Final = 1024

_OF_A_MEMBER: Final = (
    *UNFIT,
    # Somebody holds its player or its payment for seconds.
    asyncpg.LockNotAvailableError,
)
"""What one delivery can do wrong, as opposed to the database."""


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
    kept = {}
    for name in provider.KEPT_HEADERS:
        text = headers.get(name)
        if text is not None and text.isprintable():
            kept[name] = text[:_MAX_HEADER]
    readings = provider.read(endpoint, headers, body)
    for reading in readings:
        if isinstance(reading.event, Event) and reading.event.event_at is not None:
            observe_lag(endpoint.name, (now - reading.event.event_at).total_seconds())
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
        for reading in readings
    ]


async def receive(pool: Pool, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Keep and book verified deliveries; when this returns, they are durable.

    A member that cannot be booked is quarantined by itself, and its neighbours are booked.

    Raises:
        IntakeUnavailableError: the database cannot take them all; what of them is not kept already
            is to be sent again, and a repeat finds what is.
    """
    outcomes = []
    for outcome in await receive_each(pool, deliveries):
        if isinstance(outcome, IntakeUnavailableError):
            raise outcome
        outcomes.append(outcome)
    return outcomes


async def receive_each(
    pool: Pool, deliveries: Sequence[Delivery]
) -> list[Outcome | IntakeUnavailableError]:
    """As `receive`, and says of each by itself whether the database could take it."""
    until_s = asyncio.get_running_loop().time() + WITHIN_S
    return await _receive(pool, deliveries, until_s)


async def _receive(
    pool: Pool, deliveries: Sequence[Delivery], until_s: float
) -> list[Outcome | IntakeUnavailableError]:
    refused: dict[UUID, str] = {}
    while True:
        try:
            return [*await _commit(pool, deliveries, refused, until_s)]
        except BookingRefusedError as error:
            if error.reasons.keys() <= refused.keys():
                raise
            refused |= error.reasons
            log.exception(
                "booking_refused",
                reasons=sorted(set(error.reasons.values())),
                delivery_ids=sorted(map(str, error.reasons)),
            )
        except Exception as error:
            if _is_of_the_database(error):
                return [_unavailable(error)] * len(deliveries)
            if len(deliveries) > 1:
                # Which of them it is, nobody says.
                return await each_alone(deliveries, lambda alone: _receive(pool, alone, until_s))
            if isinstance(error, asyncpg.LockNotAvailableError):
                return [_unavailable(error)]
            if refused:
                raise
            refused = {deliveries[0].delivery_id: _reason(error, deliveries[0])}


def _is_of_the_database(error: Exception) -> bool:
    """Whether it says nothing of any member."""
    return isinstance(error, UNREACHABLE) and not isinstance(error, _OF_A_MEMBER)


def _reason(error: Exception, delivery: Delivery) -> str:
    """Why a delivery by itself cannot be booked; a fault of ours must not lose it either."""
    if isinstance(error, _OF_A_MEMBER):
        return f"the database says {type(error).__name__}"
    log.error("booking_crashed", delivery_id=str(delivery.delivery_id), exc_info=error)
    return f"an error of ours: {type(error).__name__}"


def _unavailable(error: Exception) -> IntakeUnavailableError:
    log.warning("intake_unavailable", error=type(error).__name__)
    told = IntakeUnavailableError("deliveries cannot be kept now; send them again")
    told.__cause__ = error
    return told


@with_retries
async def _commit(
    pool: Pool, deliveries: Sequence[Delivery], refused: Mapping[UUID, str], until_s: float
) -> list[Outcome]:
    async with pool.acquire() as connection:
        with broken_off_at(until_s, connection):
            if not refused:
                outcomes = await book_at_once(connection, deliveries)
                if outcomes is not None:
                    return outcomes
            async with connection.transaction():
                return await book(connection, deliveries, refused=refused)
