"""Look through the inbox: filters, pages and counts, however many deliveries there are.

Every page is read by an index: pages go back by delivery id, which is ordered by time. What no
index knows (an endpoint) is looked for among a bounded number of deliveries at a time: a page may
then have fewer rows than asked for, or none, and still a cursor by which the search goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import MAXYEAR, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from recon.clock import first_id_at, parse_time
from recon.db import load, load_in_order
from recon.errors import Invalid
from recon.http.plain_text import is_plain_text
from recon.webhooks.model import MAX_EVENT_ID, State
from recon.webhooks.queries import delivery_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg

    from recon.webhooks.model import StoredDelivery

__all__ = [
    "UNSETTLED",
    "InboxPage",
    "InboxQuery",
    "StateCount",
    "browse_inbox",
    "count_states",
    "list_deliveries",
]

UNSETTLED: Final = (State.WAITING, State.SUSPENDED, State.QUARANTINED)
"""What people may have to deal with."""

_ROOM: Final = "recon.webhooks"
_LOOKED_AT: Final = 50_000
_NAMED: Final = 2_000
_COUNTED: Final = 1_000
_NEWEST: Final = 5_000
_SLOW: Final = timedelta(minutes=1)
"""A delivery's id is made a little after it was received; never so much."""


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """What a list shows, as a URL's query has it; ``None`` means any.

    Args:
        state: one `State`, or ``unsettled`` for those that people may have to deal with.
        endpoint: the PSP account.
        since: received from this instant on, ISO 8601 with its zone; a date alone is its midnight.
        until: received before this instant; a date alone includes that day.
        q: a whole id: of an event, payment, refund, dispute, payout, delivery or player, or a
            reference.
    """

    state: str | None = None
    endpoint: str | None = None
    since: str | None = None
    until: str | None = None
    q: str | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> InboxQuery:
        """Read a URL's query; an empty field is one that is not there.

        Raises:
            Invalid: ``invalid_state``, ``invalid_filter`` or ``invalid_time``.
        """
        given = {
            name: text.strip()
            for name in ("state", "endpoint", "since", "until", "q")
            if (text := query.get(name, "")).strip()
        }
        wanted = cls(**given)
        if wanted.state not in {None, "unsettled", *State}:
            raise Invalid(f"state is unsettled or one of {', '.join(State)}", code="invalid_state")
        for name in ("endpoint", "q"):
            text = given.get(name, "")
            if len(text) > MAX_EVENT_ID or not is_plain_text(text):
                raise Invalid(f"{name} is no id", code="invalid_filter")
        wanted.bounds()
        return wanted

    def with_changes(self, **changes: str | None) -> dict[str, str]:
        """The URL's query for this list with some fields changed; what is not set is left out."""
        said = {name: getattr(self, name) for name in self.__slots__} | changes
        return {name: text for name, text in said.items() if text}

    def states(self) -> list[str] | None:
        """The states to show; ``None`` for any."""
        if self.state is None:
            return None
        return list(UNSETTLED) if self.state == "unsettled" else [self.state]

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Received from, and before.

        Raises:
            Invalid: ``invalid_time``.
        """
        return _instant(self.since, timedelta(0)), _instant(self.until, timedelta(days=1))


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page without bodies, in the order that was asked for.

    Args:
        rows: what was found.
        after: where to go on, if there may be more.
    """

    rows: list[StoredDelivery]
    after: UUID | None


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many deliveries are in a state; at least so many where ``more`` is set."""

    state: State
    deliveries: int
    more: bool


async def browse_inbox(
    connection: asyncpg.Connection[Any],
    wanted: InboxQuery,
    *,
    before: UUID | None = None,
    limit: int = 50,
    look_at: int = _LOOKED_AT,
    oldest: bool = False,
) -> InboxPage:
    """A page of the inbox.

    Args:
        connection: any.
        wanted: the filter.
        before: where the page before has ended.
        limit: rows on the page.
        look_at: deliveries that are looked at for it, at most.
        oldest: the oldest come first; ``before`` is then what the page comes after.
    """
    since, until = wanted.bounds()
    first = None if since is None else first_id_at(since)
    last = None if until is None else first_id_at(until + _SLOW)
    start, end = (first, last) if oldest else (last, first)
    if before is not None and start is not None:
        start = max(start, before) if oldest else min(start, before)
    else:
        start = before or start
    async with connection.transaction(readonly=True):
        # A plan for any filter is a plan for none: the one for these values uses their index.
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        among = None if wanted.q is None else await _named(connection, wanted.q)
        rows = await connection.fetch(
            load_in_order(_ROOM, "browse_deliveries", turned=oldest),
            *(wanted.states(), wanted.endpoint, start, end, since, until, among),
            *(look_at, limit + 1),
        )
        found = [delivery_of(row) for row in rows]
        if len(found) > limit:
            return InboxPage(found[:limit], found[limit - 1].delivery_id)
        if wanted.endpoint is None or among is not None:
            return InboxPage(found, None)
        further = await connection.fetchval(
            load_in_order(_ROOM, "browsed_to", turned=oldest),
            *(wanted.states(), start, end, look_at - 1),
        )
    return InboxPage(found, further)


async def list_deliveries(
    connection: asyncpg.Connection[Any],
    *,
    state: State | None = None,
    endpoint: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[StoredDelivery]:
    """The rows of a page of the inbox alone, newest first."""
    wanted = InboxQuery(state=state, endpoint=endpoint)
    return (await browse_inbox(connection, wanted, before=before, limit=limit)).rows


async def count_states(connection: asyncpg.Connection[Any]) -> dict[State, StateCount]:
    """How many deliveries are in each state, up to a thousand.

    Booked ones are counted among the newest five thousand deliveries: there may always be more.
    """
    others = [state for state in State if state is not State.BOOKED]
    async with connection.transaction(readonly=True):
        # By the index of states alone: a state that is rare would be looked for in every row.
        await connection.execute("SET LOCAL enable_seqscan = off")
        rows = await connection.fetch(
            load(_ROOM, "count_states"), [str(state) for state in others], _COUNTED + 1, _NEWEST
        )
    return {
        state: StateCount(
            state,
            min(row["deliveries"], _COUNTED),
            row["deliveries"] > _COUNTED,
        )
        for row in rows
        for state in [State(row["state"])]
    }


async def _named(connection: asyncpg.Connection[Any], text: str) -> list[UUID]:
    try:
        delivery_id = UUID(text)
    except ValueError:
        delivery_id = None
    rows = await connection.fetch(load(_ROOM, "find_named"), text, delivery_id, _NAMED)
    return [row["delivery_id"] for row in rows]


def _instant(text: str | None, whole_day: timedelta) -> datetime | None:
    """An instant, or the midnight that begins (or, by ``whole_day``, ends) a date."""
    if text is None:
        return None
    if len(text) == len("2026-01-31"):
        text, further = f"{text}T00:00:00Z", whole_day
    else:
        further = timedelta(0)
    instant = parse_time(text)
    if instant.year >= MAXYEAR:
        raise Invalid(f"{text!r} is out of the calendar", code="invalid_time")
    return instant + further
