"""One discrepancy with what surrounds it: history, the wallet's last agreement, a timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.db import load
from recon.reconciliation import read_discrepancy, read_incident
from recon.web.discrepancy_list import ADDED_UP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.reconciliation import Discrepancy, Evidence, Incident

__all__ = ["Detail", "HistoryEvent", "Moment", "read_detail"]

_AROUND: Final = timedelta(minutes=10)
_OF_A_KIND: Final = 25
_BEFORE: Final = 5
_EVENTS: Final = 50


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One thing that happened to it; ``difference`` in minor units where it is told."""

    at: datetime
    actor: str
    action: str
    difference: int | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline.

    Args:
        at: when.
        kind: ``posting``, ``delivery``, ``payment``, ``bet``, or of our own: ``agreed``,
            ``diverged``, ``seen``.
        title: what happened.
        state: what is known of it.
        amount: in minor units, of a posting what it has moved of the available money; of all else
            what it is over, which has moved nothing by itself.
        balance: the available money after it, in minor units, where it is a posting.
        version: the posting's.
        part: the place, from 1, among the parts of the explanation that it stands for.
        id: what its own page is found by, where it has one.
    """

    at: datetime
    kind: str
    title: str
    state: str
    amount: int | None = None
    balance: int | None = None
    version: int | None = None
    part: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything on the page."""

    discrepancy: Discrepancy
    incident: Incident | None
    agreed_at: datetime | None
    history: Sequence[HistoryEvent]
    timeline: Sequence[Moment]
    diverged_at: datetime | None


async def read_detail(connection: asyncpg.Connection[Any], discrepancy_id: UUID) -> Detail:
    """Read the page.

    Raises:
        NotFound: ``discrepancy_not_found``.
    """
    found = await read_discrepancy(connection, discrepancy_id)
    incident = (
        None
        if found.incident_id is None
        else await read_incident(connection, found.incident_id, at_most=ADDED_UP)
    )
    agreed = await connection.fetchrow(load("recon.web", "agreed"), found.user_id, found.currency)
    agreed_at: datetime | None = None if agreed is None else agreed["agreed_at"]
    if agreed_at is not None and agreed_at > found.first_seen_at:
        # It agreed after this discrepancy: that tells nothing of how this one began.
        agreed_at = None
    events = await connection.fetch(
        load("recon.web", "history"), found.user_id, discrepancy_id, _EVENTS
    )
    diverged_at = min((fact.at for fact in found.evidence), default=None)
    begins = min(at for at in (agreed_at, diverged_at, found.first_seen_at) if at is not None)
    rows = await connection.fetch(
        load("recon.web", "timeline"),
        *(found.user_id, found.currency),
        *(found.last_seen_at + _AROUND, _OF_A_KIND),
    )
    return Detail(
        discrepancy=found,
        incident=incident,
        agreed_at=agreed_at,
        history=[_event(row) for row in events],
        timeline=_timeline(found, _from(rows, begins), agreed_at, diverged_at),
        diverged_at=diverged_at,
    )


def _from(rows: Sequence[asyncpg.Record], begins: datetime) -> Sequence[asyncpg.Record]:
    """What happened since, and a little before it, so that one sees what came just ahead."""
    before = sum(row["at"] < begins for row in rows)
    return rows[max(0, before - _BEFORE) :]


def _event(row: asyncpg.Record) -> HistoryEvent:
    detail = dict(row["detail"])
    told = detail.pop("difference", None)
    return HistoryEvent(
        row["at"], row["actor"], row["action"], None if told is None else int(told), detail
    )


def _timeline(
    found: Discrepancy,
    rows: Sequence[asyncpg.Record],
    agreed_at: datetime | None,
    diverged_at: datetime | None,
) -> list[Moment]:
    """What happened, with our own marks in it: last agreement, point of divergence, first sight."""
    parts = {(fact.kind, fact.id): place for place, fact in enumerate(found.evidence, 1)}
    moments = [_moment(row, parts) for row in rows]
    known = {moment.part for moment in moments}
    moments += [
        _told(place, fact) for place, fact in enumerate(found.evidence, 1) if place not in known
    ]
    moments.append(Moment(found.first_seen_at, "seen", "First seen by a run", ""))
    if agreed_at is not None:
        moments.append(Moment(agreed_at, "agreed", "Ledger and game agreed for the last time", ""))
    if diverged_at is not None:
        moments.append(Moment(diverged_at, "diverged", "Here ledger and game part", ""))
    # At one instant the mark comes first, then what it marks.
    ours = {"agreed": 0, "diverged": 1, "seen": 3}
    return sorted(moments, key=lambda moment: (moment.at, ours.get(moment.kind, 2)))


def _moment(row: asyncpg.Record, parts: dict[tuple[str, str], int]) -> Moment:
    return Moment(
        at=row["at"],
        kind=row["kind"],
        title=row["title"],
        state=row["state"],
        amount=None if row["amount"] is None else int(row["amount"]),
        balance=None if row["available_after"] is None else int(row["available_after"]),
        version=row["version"],
        part=parts.get((row["kind"], row["id"])),
        id=row["id"],
    )


def _told(place: int, fact: Evidence) -> Moment:
    """A fact that stands in none of our tables, such as a payout that only the game knows."""
    return Moment(
        fact.at,
        fact.kind,
        f"{fact.kind.capitalize()} {fact.id}",
        "",
        amount=abs(fact.amount),
        part=place,
        id=fact.id,
    )
