"""What the overview shows, read in a few statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from recon.db import load
from recon.reconciliation import Cause, RunState, list_incidents, read_run
from recon.web.charts import Column, columns, permille
from recon.web.discrepancy_list import (
    ADDED_UP,
    DiscrepancyQuery,
    ListedDiscrepancy,
    list_page,
    to_the_minute,
)
from recon.web.verdict import Position, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    import asyncpg

    from recon.reconciliation import Incident
    from recon.web.auth.sessions import Session
    from recon.web.days import Days

__all__ = ["OVERDUE", "Bar", "Drift", "Overview", "RunDrift", "read_overview", "read_verdict"]

OVERDUE: Final = ("payment_overdue", "withdrawal_overdue")
"""Cases of payments of which nobody was heard in time."""

_RUNS_SHOWN: Final = 30
_NEW_SHOWN: Final = 6
_INCIDENTS_SHOWN: Final = 6
_AGES: Final = {
    "day": "Under a day",
    "three_days": "1 to 3 days",
    "week": "3 to 7 days",
    "older": "Over 7 days",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart; ``part`` of ``rows`` are unexplained. Lengths in thousandths."""

    name: str
    label: str
    rows: int
    part: int
    length: int
    part_length: int


@dataclass(frozen=True, slots=True)
class RunDrift:
    """How many wallets one run saw agree; and what it saw in one currency, as it explained it then.

    Counts are of wallets of every currency but ``rows``, amounts in minor units. Of what it
    saw only the sums are known where it ``is_forgotten``.
    """

    run_id: UUID
    started_at: datetime
    state: RunState
    compared: int
    agreed: int
    discrepant: int
    not_compared: int
    is_forgotten: bool
    rows: int
    explained: int
    unexplained: int
    net: int


@dataclass(frozen=True, slots=True)
class Drift:
    """Runs in one currency, oldest first; a column for each, and one of wallets.

    They are the last ones; of all of some ``days``, where the first is named, as many that are
    evenly spaced ``among`` these.
    """

    currency: str
    currencies: Sequence[str]
    days: Days
    among: int
    runs: Sequence[RunDrift]
    columns: Sequence[Column]
    wallets: Sequence[Column]

    @property
    def most(self) -> int:
        """The top of the scale of wallets."""
        return max((run.discrepant + run.not_compared for run in self.runs), default=0)

    @property
    def tallest(self) -> int:
        """The top of the scale, in minor units."""
        return max((run.explained + run.unexplained for run in self.runs), default=0)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page; what is above `ADDED_UP` of what is counted row by row is more."""

    verdict: Verdict
    oldest: asyncpg.Record | None
    assigned: int
    proposed: int
    cases: int
    overdue: int
    ageing: Sequence[Bar]
    causes: Sequence[Bar]
    drift: Drift | None
    incidents: Sequence[Incident]
    fresh: Sequence[ListedDiscrepancy]
    fresh_in_all: int | None

    @property
    def open_rows(self) -> int:
        """Discrepancies that people still have to deal with."""
        return sum(position.rows for position in self.verdict.positions)


async def read_verdict(
    connection: asyncpg.Connection[Any], *, every: timedelta | None, now: datetime
) -> Verdict:
    """How it stands."""
    return await _judged(connection, await _live(connection, now), every=every, now=now)


async def read_overview(
    connection: asyncpg.Connection[Any],
    session: Session,
    *,
    currency: str | None,
    days: Days,
    every: timedelta | None,
    now: datetime,
) -> Overview:
    """Read the page.

    Args:
        connection: any; a snapshot over all of it is not needed.
        session: for whom, because of what waits for them.
        currency: of the drift; ``None``: the one with most open.
        days: of the drift.
        every: the schedule.
        now: the time.
    """
    live = await _live(connection, now)
    verdict = await _judged(connection, live, every=every, now=now)
    waiting = await connection.fetchrow(
        load("recon.web", "waiting_for"), session.name, session.actor, ADDED_UP + 1
    )
    if waiting is None:
        raise LookupError("two counts without a row")
    cases = {
        row["kind"]: row["cases"]
        for row in await connection.fetch(load("recon.web", "cases_by_kind"), ADDED_UP + 1)
    }
    fresh: list[ListedDiscrepancy] = []
    fresh_in_all: int | None = 0
    if verdict.run is not None:
        found = await list_page(
            connection,
            DiscrepancyQuery(new_in=verdict.run.run_id, sort="-size"),
            now=now,
            limit=_NEW_SHOWN,
        )
        fresh, fresh_in_all = found.rows, found.matching
    return Overview(
        verdict=verdict,
        oldest=await connection.fetchrow(load("recon.web", "oldest")),
        assigned=waiting["assigned"],
        proposed=waiting["proposed"],
        cases=sum(cases.values()),
        overdue=sum(cases.get(kind, 0) for kind in OVERDUE),
        ageing=_bars(live, "age", _AGES),
        causes=_bars(live, "cause", {cause: _words(cause) for cause in Cause}),
        drift=await _drift(connection, currency, days, verdict.positions),
        incidents=await list_incidents(
            connection, only_open=True, limit=_INCIDENTS_SHOWN, at_most=ADDED_UP
        ),
        fresh=fresh,
        fresh_in_all=fresh_in_all,
    )


async def _live(connection: asyncpg.Connection[Any], now: datetime) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        load("recon.web", "live"), to_the_minute(now)
    )
    return rows


async def _judged(
    connection: asyncpg.Connection[Any],
    live: Sequence[asyncpg.Record],
    *,
    every: timedelta | None,
    now: datetime,
) -> Verdict:
    newest = await connection.fetchrow(load("recon.web", "newest_runs"))
    if newest is None:
        raise LookupError("two subqueries without a row")
    ended, running = newest["ended"], newest["running"]
    return judge(
        None if ended is None else await read_run(connection, ended),
        None if running is None else await read_run(connection, running),
        _positions(live),
        every=every,
        now=now,
    )


def _positions(live: Sequence[asyncpg.Record]) -> list[Position]:
    """The largest part first: by how many wallets, as amounts of two currencies do not compare."""
    found = []
    for currency in {row["currency"] for row in live}:
        rows = [row for row in live if row["currency"] == currency]
        found.append(
            Position(
                currency=currency,
                rows=sum(row["rows"] for row in rows),
                unexplained_rows=sum(row["unexplained_rows"] for row in rows),
                net=int(sum(row["net"] for row in rows)),
                gross=int(sum(row["gross"] for row in rows)),
                unexplained=int(sum(row["unexplained"] for row in rows)),
            )
        )
    return sorted(found, key=lambda position: (-position.rows, position.currency))


def _bars(live: Sequence[asyncpg.Record], column: str, labels: dict[str, str]) -> list[Bar]:
    counts = {
        name: (
            sum(row["rows"] for row in live if row[column] == name),
            sum(row["unexplained_rows"] for row in live if row[column] == name),
        )
        for name in labels
    }
    longest = max((rows for rows, _ in counts.values()), default=0)
    return [
        Bar(name, labels[name], rows, part, permille(rows, longest), permille(part, longest))
        for name, (rows, part) in counts.items()
    ]


async def _drift(
    connection: asyncpg.Connection[Any],
    wanted: str | None,
    days: Days,
    positions: Sequence[Position],
) -> Drift | None:
    seen = [row["currency"] for row in await connection.fetch(load("recon.web", "currencies_seen"))]
    if not seen:
        return None
    if wanted is None or wanted not in seen:
        wanted = positions[0].currency if positions else seen[0]
    rows = await connection.fetch(
        load("recon.web", "drift"), wanted, _RUNS_SHOWN, days.begins, days.ends
    )
    runs = [
        RunDrift(
            row["run_id"],
            row["started_at"],
            RunState(row["state"]),
            row["compared"],
            row["agreed"],
            row["discrepant"],
            row["not_compared"],
            row["forgotten_at"] is not None,
            row["rows"],
            int(row["explained"]),
            int(row["unexplained"]),
            int(row["net"]),
        )
        for row in reversed(rows)
    ]
    return Drift(
        currency=wanted,
        currencies=seen,
        days=days,
        among=rows[0]["among"] if rows else 0,
        runs=runs,
        columns=columns([(run.explained, run.unexplained) for run in runs]),
        wallets=columns([(run.discrepant, run.not_compared) for run in runs]),
    )


def _words(cause: Cause) -> str:
    return cause.replace("_", " ").capitalize()
