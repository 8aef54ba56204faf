"""Stripe's list of events, read with care: it is another company's answer to a call of ours.

Sources: Stripe API reference, "List all events" (thirty days, newest first, ``created`` and up to
twenty ``types``), "Pagination" (``starting_after``, ``has_more``), "Rate limits" (429), "Errors",
"The Event object": ``data`` is rendered in the API version of the day and "never changes", so the
version that is asked for shapes the list alone. ``Stripe-Should-Retry`` is honoured as Stripe's own
libraries do.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import aiohttp
import msgspec
from yarl import URL

from recon.webhooks.backfill.errors import (
    ListingFaultyError,
    ListingRefusedError,
    ListingUnavailableError,
)
from recon.webhooks.model import MAX_EVENT_ID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import timedelta

    from recon.webhooks.backfill.accounts import ApiAccount

__all__ = ["EventList", "ListedEvent", "open_event_list"]

_API_VERSION: Final = "2025-03-31.basil"
_PAGE: Final = 100
_MOST_BYTES: Final = 16 * 2**20
"""A page of a hundred events has a few hundred kilobytes."""
_MOST_PAGES: Final = 10_000
"""A million events between two instants that are an hour apart at most."""
_ATTEMPTS: Final = 4
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 20.0
_PATIENCE: Final = frozenset(
    {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
)
_SERVER_ERROR: Final = 500


class ListedEvent(msgspec.Struct, frozen=True):
    """One event of a list: what a listing must know of it, and its bytes as they stand there."""

    event_id: str
    event_type: str
    created: int
    body: bytes


class _Page(msgspec.Struct):
    object: Literal["list"]
    has_more: bool
    data: list[msgspec.Raw]


class _Head(msgspec.Struct):
    id: str
    object: Literal["event"]
    type: str
    created: int
    livemode: bool


_read_page = msgspec.json.Decoder(_Page).decode
_read_head = msgspec.json.Decoder(_Head).decode


class EventList:
    """The events of one account.

    Args:
        account: whose.
        session: open; it sends the key.
    """

    def __init__(self, account: ApiAccount, session: aiohttp.ClientSession) -> None:
        self.account = account
        self._session = session

    async def pages(self, since: int, until: int) -> AsyncIterator[list[ListedEvent]]:
        """What happened from ``since`` until before ``until``, newest first, page by page.

        Both are Unix seconds: Stripe's ``created`` has no finer time.

        Raises:
            ListingUnavailableError: no answer, or 429 or 5xx, also after a few tries.
            ListingRefusedError: the key or the call is refused.
            ListingFaultyError: what is answered is no such list, or one that does not end.
        """
        firsts: set[str] = set()
        last: ListedEvent | None = None
        for _ in range(_MOST_PAGES):
            page = await self._page(since, until, after=last)
            events = [self._checked(raw, since, until) for raw in page.data]
            if len(events) > _PAGE:
                raise ListingFaultyError(f"a page has more than the {_PAGE} events asked for")
            _check_order(events, last)
            if events:
                if events[0].event_id in firsts:
                    raise ListingFaultyError("the list goes round in a circle")
                firsts.add(events[0].event_id)
                last = events[-1]
                yield events
            if not page.has_more:
                return
            if not events:
                raise ListingFaultyError("an empty page says that there is more")
        raise ListingFaultyError(f"the list does not end after {_MOST_PAGES} pages")

    async def newest(self) -> ListedEvent | None:
        """One event, if there is any: it proves that the list can be read; errors as in `pages`."""
        page = _decoded(await self._ask([("limit", "1")]))
        events = [self._checked(raw, 0, None) for raw in page.data]
        return events[0] if events else None

    async def _page(self, since: int, until: int, *, after: ListedEvent | None) -> _Page:
        query = [("limit", str(_PAGE)), ("created[gte]", str(since)), ("created[lt]", str(until))]
        query += [("types[]", name) for name in self.account.types]
        if after is not None:
            query.append(("starting_after", after.event_id))
        return _decoded(await self._ask(query))

    def _checked(self, raw: msgspec.Raw, since: int, until: int | None) -> ListedEvent:
        body = bytes(raw)
        try:
            head = _read_head(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ListingFaultyError("the list has something that is no event") from None
        if not 0 < len(head.id) <= MAX_EVENT_ID or not head.id.isprintable():
            raise ListingFaultyError("an event has an id that cannot be one")
        if head.livemode is not self.account.livemode:
            world = "live" if head.livemode else "test"
            raise ListingRefusedError(
                f"the API's key is of the {world} mode, which this environment is not"
            )
        if until is not None and (
            not since <= head.created < until or head.type not in self.account.types
        ):
            raise ListingFaultyError("the list has an event that was not asked for")
        return ListedEvent(head.id, head.type, head.created, body)

    async def _ask(self, query: Sequence[tuple[str, str]]) -> bytes:
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._ask_once(query)
            except ListingUnavailableError as error:
                if attempt == _ATTEMPTS or error.retry_after_s > _LONGEST_WAIT_S:
                    raise
                pause_s = max(wait_s * random.uniform(0.5, 1), error.retry_after_s)  # noqa: S311 - spreads retries
            await asyncio.sleep(pause_s)
            wait_s *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _ask_once(self, query: Sequence[tuple[str, str]]) -> bytes:
        url = URL(f"{self.account.url}/v1/events").with_query(query)
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != HTTPStatus.OK:
                    raise _refusal(response)
                return await _read(response)
        # No cause is kept: aiohttp's errors carry the request's headers, our key among them.
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ListingUnavailableError(
                f"the PSP's API does not answer: {type(error).__name__}", retry_after_s=0
            ) from None


@asynccontextmanager
async def open_event_list(account: ApiAccount, *, timeout: timedelta) -> AsyncIterator[EventList]:  # noqa: ASYNC109 - of each call, not of the block
    """Connections to an account's API, closed with the block.

    Args:
        account: whose.
        timeout: of one call, to the last byte of its answer.
    """
    total_s = timeout.total_seconds()
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=total_s, connect=total_s / 2),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {account.key}",
            "Stripe-Version": _API_VERSION,
            "User-Agent": f"recon/{version('recon')}",
        },
    ) as session:
        yield EventList(account, session)


def _refusal(response: aiohttp.ClientResponse) -> ListingRefusedError | ListingUnavailableError:
    status = response.status
    should = response.headers.get("Stripe-Should-Retry", "")
    passes = status in _PATIENCE or status >= _SERVER_ERROR
    if should in {"true", "false"}:
        passes = should == "true"
    if passes:
        return ListingUnavailableError(
            f"the PSP's API answers {status}", retry_after_s=_retry_after_s(response)
        )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ListingRefusedError(
            f"the PSP's API answers {status}: the API_KEY is wrong, revoked, or may not read events"
        )
    return ListingRefusedError(f"the PSP's API answers {status}")


def _retry_after_s(response: aiohttp.ClientResponse) -> int:
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0  # noqa: PLR2004 - longer is nonsense


async def _read(response: aiohttp.ClientResponse) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ListingFaultyError("the answer is encoded in a way that was not asked for")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            response.close()
            raise ListingFaultyError(f"a page is larger than {_MOST_BYTES} bytes")
    return bytes(body)


def _decoded(body: bytes) -> _Page:
    try:
        return _read_page(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ListingFaultyError("the answer is no list of events") from None


def _check_order(events: Sequence[ListedEvent], last: ListedEvent | None) -> None:
    """Newest first, within a page and from page to page: else something would be passed over."""
    before = [last, *events] if last is not None else list(events)
    if any(older.created > newer.created for newer, older in pairwise(before)):
        raise ListingFaultyError("the list is not newest first")
