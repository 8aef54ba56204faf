"""The list of discrepancies: filter, order and place are the URL's; a page is read at once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from recon.db import is_turned, load, load_in_order
from recon.errors import Invalid
from recon.money import exponents
from recon.reconciliation import Cause, DiscrepancyFilter, Severity, Status
from recon.web.days import Days

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    import asyncpg

__all__ = [
    "ADDED_UP",
    "AGES",
    "SORTS",
    "DiscrepancyPage",
    "DiscrepancyQuery",
    "ListedDiscrepancy",
    "Total",
    "list_page",
    "read_totals",
    "to_the_minute",
]

ADDED_UP: Final = 5_000
"""As many rows are added up for each page; what more come to takes longer, and is asked for.

As many are also sorted for a page; of more, it is sought along an index of the order.
"""

_CLOSE_BY: Final = 20_000
"""Of one age, as many are sorted for a page: they lie side by side, and are read at once."""

# A plan for any filter is a plan for none: the one for these values uses their index. To compile it
# would take longer than a page may. And rows that lie apart are hardly dearer than neighbours: what
# is fifty rows is read from memory, and at the price of a turning disk the planner prefers to walk
# past a hundred thousand neighbours.
_PLANNED: Final = (
    "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off;"
    " SET LOCAL random_page_cost = 1.1"
)

LIVE: Final = (Status.OPEN, Status.INVESTIGATING, Status.AWAITING_APPROVAL)

_PARSED: Final[dict[str, type[Cause | UUID]]] = {
    "cause": Cause,
    "run_id": UUID,
    "new_in": UUID,
    "incident_id": UUID,
}
SORTS: Final = ("age", "size", "unexplained", "severity")
"""What a list can be ordered by; ``size`` is the difference without its sign.

Each has an index, so that a page of a million costs what a page of a hundred does. When something
was last seen has none: each run would have to move every discrepancy in it that persists.
"""

_DAY: Final = timedelta(days=1)
AGES: Final[Mapping[str, tuple[timedelta | None, timedelta | None]]] = {
    "day": (None, _DAY),
    "three_days": (_DAY, 3 * _DAY),
    "week": (3 * _DAY, 7 * _DAY),
    "older": (7 * _DAY, None),
}
"""Ages by name: at least so old, and younger than that, by the minute."""


@dataclass(frozen=True, slots=True)
class DiscrepancyQuery:
    """What a list shows, as the URL's query has it; ``None`` and ``""`` mean any.

    Args:
        status: ``live`` (people still have to deal with it), ``all``, or one status.
        cause: one cause.
        currency: one currency.
        user_id: one player.
        run_id: what this run saw.
        new_in: what this run opened.
        incident_id: what is part of this incident.
        assignee: whose.
        age: a name in `AGES`.
        since: the first day on which it was first seen.
        until: the last such day.
        q: the start of a player's or a discrepancy's id, or a fact's whole id.
        unexplained: ``yes``: of which a part is.
        sort: a name in `SORTS`, with ``-`` before it for the largest first; ``-age`` is the oldest.
    """

    status: str = "live"
    cause: Cause | None = None
    currency: str | None = None
    user_id: str | None = None
    run_id: UUID | None = None
    new_in: UUID | None = None
    incident_id: UUID | None = None
    assignee: str | None = None
    age: str | None = None
    since: date | None = None
    until: date | None = None
    q: str | None = None
    unexplained: str | None = None
    sort: str = "age"

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> DiscrepancyQuery:
        """Read a URL's query; an empty field is one that is not there.

        Raises:
            Invalid: ``invalid_filter``, with the field's name.
        """
        given = {
            name: text.strip()
            for name in (field.name for field in fields(cls))
            if (text := query.get(name, "")).strip()
        }
        parsed: dict[str, Any] = dict(given)
        for name, kind in _PARSED.items():
            if name in given:
                parsed[name] = _read(kind, name, given[name])
        days = Days.parse(given)
        parsed |= {"since": days.since, "until": days.until}
        wanted = cls(**parsed)
        _known("status", wanted.status, {"live", "all", *Status})
        _known("age", wanted.age, {None, *AGES})
        _known("currency", wanted.currency, {None, *exponents()})
        _known("unexplained", wanted.unexplained, {None, "yes"})
        _known("sort", wanted.sort.removeprefix("-"), set(SORTS))
        return wanted

    def with_changes(self, **changes: str | None) -> dict[str, str]:
        """The URL's query for this list with some fields changed; defaults are left out."""
        standard = DiscrepancyQuery()
        said = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) not in {None, getattr(standard, field.name)}
        }
        said |= changes
        return {
            name: str(value)
            for name, value in said.items()
            if value and value != getattr(standard, name, None)
        }

    def sorted_by(self, name: str) -> dict[str, str]:
        """The URL's query when the heading of a column is chosen: largest first, then smallest."""
        return self.with_changes(sort=name if self.sort == f"-{name}" else f"-{name}")

    def filter(self, now: datetime) -> DiscrepancyFilter:
        """What it matches, for an export."""
        seen_from, seen_before = _seen(self, now)
        statuses = _statuses(self.status)
        return DiscrepancyFilter(
            statuses=None if statuses is None else tuple(Status(one) for one in statuses),
            causes=None if self.cause is None else (self.cause,),
            user_id=self.user_id,
            run_id=self.run_id,
            currency=self.currency,
            incident_id=self.incident_id,
            first_run_id=self.new_in,
            assignee=self.assignee,
            seen_from=seen_from,
            seen_before=seen_before,
            q=self.q,
            unexplained=True if self.unexplained else None,
        )

    @property
    def is_tallied(self) -> bool:
        """Whether what it comes to is added up as discrepancies change, however many match.

        Not by days: on which day it was that something over a week old was first seen is not kept.
        """
        asked = replace(self, cause=None, currency=None, age=None, unexplained=None, sort="age")
        return asked == DiscrepancyQuery()

    @property
    def is_of_some_kinds(self) -> bool:
        """Whether it is open ones of one cause in any currency, or of one currency and any cause.

        They lie in as many ranges of an index as there are of the other; which these are is known
        of what is added up beforehand.
        """
        return self.is_tallied and (self.cause is None) != (self.currency is None)

    @property
    def is_narrowed(self) -> bool:
        """Whether a filter may hide what there is."""
        return replace(self, sort="age") != DiscrepancyQuery()


@dataclass(frozen=True, slots=True)
class ListedDiscrepancy:
    """One row; amounts in minor units."""

    discrepancy_id: UUID
    user_id: str
    currency: str
    status: Status
    severity: Severity
    cause: Cause
    ledger_available: int
    game_available: int
    available_difference: int
    difference: int
    unexplained: int
    assignee: str | None
    ignored_until: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def is_of_held(self) -> bool:
        """Whether the difference is of what is held for bets, as the available money agrees."""
        return self.available_difference == 0

    @property
    def on_its_way(self) -> int:
        """Withdrawals that the ledger has reserved and the game still shows, as it may."""
        between = self.game_available - self.ledger_available
        return 0 if self.is_of_held else between - self.available_difference


@dataclass(frozen=True, slots=True)
class Total:
    """What the filter comes to in one currency, over all its pages; amounts in minor units."""

    currency: str
    rows: int
    plus: int
    minus: int
    net: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class _Kind(Total):
    """The same of one cause, where that is known."""

    cause: str | None = None


@dataclass(frozen=True, slots=True)
class DiscrepancyPage:
    """One page; ``after`` names its last row when more follow.

    ``totals`` is ``None`` where more than `ADDED_UP` match, and nobody adds them up beforehand.
    """

    rows: list[ListedDiscrepancy]
    totals: Sequence[Total] | None
    after: str | None

    @property
    def matching(self) -> int | None:
        """How many match in all; ``None``: more than `ADDED_UP`."""
        return None if self.totals is None else sum(total.rows for total in self.totals)


async def list_page(
    connection: asyncpg.Connection[Any],
    wanted: DiscrepancyQuery,
    *,
    now: datetime,
    after: str | None = None,
    limit: int = 50,
) -> DiscrepancyPage:
    """A page of the list, and the totals of all pages.

    Raises:
        Invalid: ``invalid_cursor``.
    """
    chosen = _chosen(wanted, now)
    name, turned = wanted.sort.removeprefix("-"), is_turned(wanted.sort)
    key, last = _place(after)
    async with connection.transaction(readonly=True):
        await connection.execute(_PLANNED)
        by_kind: list[_Kind] = []
        matching = await _players(connection, wanted, chosen)
        if wanted.q is None or matching <= ADDED_UP:
            by_kind = await _totals(connection, wanted, chosen, ADDED_UP + 1)
            matching = sum(kind.rows for kind in by_kind)
        known = matching <= ADDED_UP or wanted.is_tallied
        place = (name, key, last, limit + 1)
        if matching <= (_CLOSE_BY if known and wanted.age else ADDED_UP):
            rows = await connection.fetch(
                load("recon.web", "discrepancies_few"), *chosen, *place, not turned
            )
        elif wanted.is_of_some_kinds:
            kinds = [(kind.cause, kind.currency) for kind in by_kind]
            rows = await connection.fetch(
                load_in_order("recon.web", "discrepancies_apart", turned=turned),
                *(chosen[0], None, None, *chosen[3:], *place),
                *([cause for cause, _ in kinds], [currency for _, currency in kinds]),
            )
        else:
            rows = await connection.fetch(
                load_in_order("recon.web", "discrepancies_along", turned=turned),
                *chosen,
                *place,
            )
    more = len(rows) > limit
    rows = rows[:limit]
    return DiscrepancyPage(
        rows=[_row(row) for row in rows],
        totals=_by_currency(by_kind) if known else None,
        after=f"{rows[-1]['key']} {rows[-1]['discrepancy_id']}" if more else None,
    )


async def read_totals(
    connection: asyncpg.Connection[Any], wanted: DiscrepancyQuery, *, now: datetime
) -> Sequence[Total]:
    """What the filter comes to, however many rows that takes."""
    async with connection.transaction(readonly=True):
        await connection.execute(_PLANNED)
        return _by_currency(await _totals(connection, wanted, _chosen(wanted, now), None))


async def _players(
    connection: asyncpg.Connection[Any], wanted: DiscrepancyQuery, chosen: Sequence[object]
) -> int:
    """How many match a search by the start of their player's id, one above `ADDED_UP` at most."""
    if wanted.q is None:
        return 0
    found: int = await connection.fetchval(
        load("recon.web", "count_of_players"), *chosen, ADDED_UP + 1
    )
    return found


async def _totals(
    connection: asyncpg.Connection[Any],
    wanted: DiscrepancyQuery,
    chosen: Sequence[object],
    at_most: int | None,
) -> list[_Kind]:
    """What it comes to by currency and, where that was added up beforehand, by cause."""
    if wanted.is_tallied:
        _, causes, currency, _, _, _, _, *seen = chosen[:9]
        rows = await connection.fetch(
            load("recon.web", "tallied_totals"), causes, currency, *seen, chosen[-1]
        )
    else:
        rows = await connection.fetch(load("recon.web", "discrepancy_totals"), *chosen, at_most)
    return [
        _Kind(
            row["currency"],
            row["rows"],
            plus=int(row["above"]),
            minus=int(row["below"]),
            net=int(row["net"]),
            unexplained=int(row["unexplained"]),
            cause=row.get("cause"),
        )
        for row in rows
    ]


def _by_currency(kinds: Sequence[_Kind]) -> list[Total]:
    found: dict[str, Total] = {}
    for kind in kinds:
        so_far = found.get(kind.currency, Total(kind.currency, 0, 0, 0, 0, 0))
        found[kind.currency] = Total(
            kind.currency,
            so_far.rows + kind.rows,
            so_far.plus + kind.plus,
            so_far.minus + kind.minus,
            so_far.net + kind.net,
            so_far.unexplained + kind.unexplained,
        )
    return list(found.values())


def _chosen(wanted: DiscrepancyQuery, now: datetime) -> Sequence[object]:
    """The first twelve parameters of the list and of its totals."""
    seen_from, seen_before = _seen(wanted, now)
    return (
        _statuses(wanted.status),
        None if wanted.cause is None else [wanted.cause],
        wanted.currency,
        wanted.user_id,
        wanted.run_id,
        wanted.new_in,
        wanted.assignee,
        seen_from,
        seen_before,
        wanted.q,
        wanted.incident_id,
        True if wanted.unexplained else None,
    )


def to_the_minute(now: datetime) -> datetime:
    """From when ages count: the overview adds up by the minute, and the list says the same."""
    return now.replace(second=0, microsecond=0)


def _seen(wanted: DiscrepancyQuery, now: datetime) -> tuple[datetime | None, datetime | None]:
    """First seen from, and before: by the age's name and by the days, whichever is narrower."""
    at_least, below = AGES[wanted.age] if wanted.age else (None, None)
    now, days = to_the_minute(now), Days(wanted.since, wanted.until)
    since = [None if below is None else now - below, days.begins]
    until = [None if at_least is None else now - at_least, days.ends]
    return (
        max((one for one in since if one is not None), default=None),
        min((one for one in until if one is not None), default=None),
    )


def _statuses(status: str) -> list[str] | None:
    if status == "all":
        return None
    return list(LIVE) if status == "live" else [status]


def _place(after: str | None) -> tuple[Decimal | None, UUID | None]:
    if after is None:
        return None, None
    key, _, last = after.partition(" ")
    try:
        return Decimal(key), UUID(last)
    except (InvalidOperation, ValueError):
        raise Invalid("the cursor is none of ours", code="invalid_cursor") from None


def _row(row: asyncpg.Record) -> ListedDiscrepancy:
    return ListedDiscrepancy(
        discrepancy_id=row["discrepancy_id"],
        user_id=row["user_id"],
        currency=row["currency"],
        status=Status(row["status"]),
        severity=Severity(row["severity"]),
        cause=Cause(row["cause"]),
        ledger_available=int(row["ledger_available"]),
        game_available=int(row["game_available"]),
        available_difference=int(row["available_difference"]),
        difference=int(row["difference"]),
        unexplained=int(row["unexplained"]),
        assignee=row["assignee"],
        ignored_until=row["ignored_until"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
    )


def _read(kind: type[Cause | UUID], name: str, text: str) -> Cause | UUID:
    try:
        return kind(text)
    except ValueError:
        raise Invalid(f"{name} cannot be {text[:64]!r}", code="invalid_filter") from None


def _known(name: str, value: str | None, known: set[Any]) -> None:
    if value not in known:
        raise Invalid(f"{name} cannot be {value!r:.64}", code="invalid_filter")
