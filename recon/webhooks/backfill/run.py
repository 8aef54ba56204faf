"""Compare a PSP's own list of events with the inbox, and take in what is missing.

One process at a time does so for an endpoint: it holds a lease, which it renews before each page
and which ends by itself when the process is killed. Should two list at once all the same, nothing
is doubled: a delivery is unique by (endpoint, event id).

The list is newest first and can be read from its top only, so it is taken an hour at a time, the
oldest hour first: what was compared to its end stays so, whatever happens to the next.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from logging import DEBUG, WARNING
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog
from msgspec.structs import replace

from recon.clock import format_time, new_id, now
from recon.db import load
from recon.errors import ReconError
from recon.webhooks.backfill.errors import BackfillBusyError, ListingFaultyError
from recon.webhooks.backfill.listing import open_event_list
from recon.webhooks.backfill.missed import not_in_inbox
from recon.webhooks.errors import NotJsonError
from recon.webhooks.model import Delivery
from recon.webhooks.psp import PROVIDERS
from recon.webhooks.receive import receive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from recon.db import Pool
    from recon.webhooks.backfill.accounts import ApiAccount
    from recon.webhooks.backfill.listing import EventList, ListedEvent
    from recon.webhooks.model import Endpoint, Outcome

__all__ = ["Backfilled", "backfill", "backfill_due"]

log = structlog.get_logger(__name__)

_KEPT_BY_STRIPE: Final = timedelta(days=30)
_OVERLAP: Final = timedelta(minutes=15)
"""An event may appear in the list a little later than its ``created`` says, which is by Stripe's
clock and not by ours."""
_FIRST: Final = timedelta(hours=1)
"""How far the very first listing goes back: what happened before this service was put to work is
not booked unbidden."""
_SLICE: Final = timedelta(hours=1)
_LEASE: Final = timedelta(minutes=3)
"""Longer than all tries of one page, see `recon.webhooks.backfill.listing`."""
_CALL_TIMEOUT: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What one comparison did.

    Args:
        endpoint: whose list.
        since: where it began.
        until: where it ended; younger events are left to their webhooks.
        listed: events in the list.
        outcomes: of those that were missing, by state.
    """

    endpoint: str
    since: datetime
    until: datetime
    listed: int
    outcomes: dict[str, int]

    @property
    def taken(self) -> int:
        """How many were missing, and are here now."""
        return sum(self.outcomes.values())


async def backfill_due(
    pool: Pool, accounts: Sequence[ApiAccount], *, every: timedelta, leave: timedelta
) -> None:
    """Compare those accounts whose time has come; one that fails is logged, the others go on.

    Args:
        pool: the database.
        accounts: all that have an API.
        every: how often each is compared.
        leave: events younger than this are left to their webhooks.
    """
    ended = await asyncio.gather(
        *(_scheduled(pool, account, every=every, leave=leave) for account in accounts),
        return_exceptions=True,
    )
    for error in ended:
        if error is not None:
            raise error


async def _scheduled(
    pool: Pool, account: ApiAccount, *, every: timedelta, leave: timedelta
) -> None:
    name = account.endpoint.name
    try:
        done = await backfill(pool, account, leave=leave, every=every)
    except BackfillBusyError:
        return
    except ReconError as error:
        log.warning("backfill_failed", endpoint=name, code=error.code, reason=error.message)
    else:
        # Webhooks were missed: somebody should know why, also where each is booked by now.
        level = WARNING if done.taken else DEBUG
        log.log(level, "backfill_completed", endpoint=name, listed=done.listed, taken=done.taken)


async def backfill(
    pool: Pool,
    account: ApiAccount,
    *,
    leave: timedelta,
    since: datetime | None = None,
    every: timedelta | None = None,
) -> Backfilled:
    """Compare one account's list with the inbox and take in what is missing.

    Args:
        pool: the database.
        account: whose list.
        leave: events younger than this are left to their webhooks.
        since: where to begin; ``None``: a little before the end of the last comparison.
        every: only when the last try began so long ago; ``None``: now.

    Raises:
        BackfillBusyError: another process does so now, or it is not due.
        ListingUnavailableError: see `EventList.pages`, as for the next two.
        ListingRefusedError: somebody must see to the key.
        ListingFaultyError: nothing of the faulty page is taken in.
        IntakeUnavailableError: the database cannot take them now.
    """
    name, holder = account.endpoint.name, new_id()
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            load("recon.webhooks", "hold_backfill"), name, holder, _LEASE, every
        )
    if row is None:
        raise BackfillBusyError(f"the events of {name} are listed by another process now")
    failure: str | None = "it was interrupted"
    try:
        begin, end = _span(name, row["listed_until"], since, leave)
        async with open_event_list(account, timeout=_CALL_TIMEOUT) as events:
            done = await _compare(pool, events, holder, begin, end)
    except ReconError as error:
        failure = f"{error.code}: {error.message}"
        raise
    else:
        failure = None
        return done
    finally:
        # Also when this task is cancelled: the next one need not wait for the lease to end.
        await asyncio.shield(_end(pool, name, holder, failure))


async def _compare(
    pool: Pool, events: EventList, holder: UUID, begin: datetime, end: datetime
) -> Backfilled:
    name = events.account.endpoint.name
    listed, outcomes = 0, dict[str, int]()
    for first, last in _slices(begin, end):
        pages = events.pages(int(first.timestamp()), int(last.timestamp()))
        await _keep(pool, name, holder)
        async for page in pages:
            listed += len(page)
            for outcome in await _take_in(pool, events.account, page):
                outcomes[outcome.state] = outcomes.get(outcome.state, 0) + 1
            await _keep(pool, name, holder)
        async with pool.acquire() as connection:
            await connection.execute(
                load("recon.webhooks", "advance_backfill"), name, holder, first, last
            )
    return Backfilled(name, begin, end, listed, outcomes)


async def _take_in(pool: Pool, account: ApiAccount, page: Sequence[ListedEvent]) -> list[Outcome]:
    missing = await not_in_inbox(pool, account.endpoint.name, page)
    if not missing:
        return []
    deliveries = [_delivery(account, event) for event in reversed(missing)]
    outcomes = await receive(pool, deliveries)
    async with pool.acquire() as connection:
        await connection.execute(
            load("recon.webhooks", "count_backfilled"), account.endpoint.name, len(outcomes)
        )
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        log.info(
            "event_backfilled",
            endpoint=delivery.endpoint,
            event_id=outcome.event_id,
            event_type=delivery.event.event_type,
            delivery_id=str(outcome.delivery_id),
            state=outcome.state,
            verified_by=delivery.verified_by,
        )
    return outcomes


def _delivery(account: ApiAccount, listed: ListedEvent) -> Delivery:
    """A listed event as if it had been delivered; TLS and our key vouch for it."""
    endpoint: Endpoint = account.endpoint
    try:
        (reading,) = PROVIDERS[endpoint.provider].read(endpoint, {}, listed.body)
    except NotJsonError:
        raise ListingFaultyError("the list has something that is no event") from None
    return Delivery(
        delivery_id=new_id(),
        endpoint=endpoint.name,
        provider=endpoint.provider,
        received_at=now(),
        body=listed.body,
        content_sha256=reading.content_sha256,
        headers={},
        verified_by=account.verified_by,
        # One that cannot be used is kept under its id all the same, or it would be missed for ever.
        event=replace(reading.event, event_id=listed.event_id),
    )


def _span(
    endpoint: str, listed_until: datetime | None, since: datetime | None, leave: timedelta
) -> tuple[datetime, datetime]:
    """From when to when, in whole seconds, as far back as Stripe remembers."""
    at = now()
    end = _floor(at - leave)
    oldest = _floor(at - _KEPT_BY_STRIPE)
    wanted = since
    if wanted is None:
        wanted = end - _FIRST if listed_until is None else listed_until - _OVERLAP
        if listed_until is not None and listed_until < oldest:
            log.error(
                "backfill_gap",
                endpoint=endpoint,
                since=format_time(listed_until),
                until=format_time(oldest),
                help="the PSP's API lists no event that is older: compare with its reports",
            )
    begin = _floor(max(wanted, oldest))
    return min(begin, end), end


def _slices(begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[begin, end) an hour at a time, the oldest first."""
    while begin < end:
        until = min(begin + _SLICE, end)
        yield begin, until
        begin = until


def _floor(instant: datetime) -> datetime:
    return datetime.fromtimestamp(int(instant.timestamp()), UTC)


async def _keep(pool: Pool, endpoint: str, holder: UUID) -> None:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            load("recon.webhooks", "keep_backfill"), endpoint, holder, _LEASE
        )
    if row is None:
        raise BackfillBusyError(f"another process has taken over the events of {endpoint}")


async def _end(pool: Pool, endpoint: str, holder: UUID, failure: str | None) -> None:
    try:
        async with pool.acquire() as connection:
            await connection.execute(
                load("recon.webhooks", "end_backfill"), endpoint, holder, failure
            )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # The lease ends by itself; what failed before this is what is to be told.
        log.warning("backfill_not_released", endpoint=endpoint, error=type(error).__name__)
