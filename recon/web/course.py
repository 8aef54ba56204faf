"""The course of a wallet: the ledger's available money over time, and the game's where it is known.

The ledger's side is known at each instant. The game's is known where a run compared the wallet and
kept what it saw: where both sides differed, where they agreed again after that, and the last time
that they agreed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from recon.db import load
from recon.ledger import read_entries
from recon.web.sightings import list_sightings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    import asyncpg

    from recon.ledger import Posting
    from recon.web.sightings import Sighting

__all__ = ["Course", "Drawing", "Mark", "Seen", "draw", "read_course"]

WIDTH: Final = 1000
HEIGHT: Final = 160
"""Of the drawing in its own units; the style sheet stretches it."""

_SEEN: Final = 30
_POSTINGS: Final = 200
_LEAD: Final = 12
"""A twelfth of the span is shown before what is first known of the game."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Both sides at an instant, in minor units.

    Attributes:
        at: when.
        ledger: the ledger's available money.
        game: the game's; of an agreement what the ledger had, as that is all that is kept of it.
        difference: what of it counts: withdrawals on their way, which the game may still show, and
            what is tolerated do not.
        sighting: what a run saw; ``None``: it is the last agreement.
    """

    at: datetime
    ledger: int
    game: int
    difference: int
    sighting: Sighting | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What is known of both sides, each from the oldest on.

    Attributes:
        postings: the ledger's side, from a posting at or before ``begins`` on, where there is one.
        seen: both sides where they were compared, from ``begins`` on.
        last: both sides where they were compared last, though it be before ``begins``; ``None``:
            nothing is known of the game by then.
        begins: where the drawing begins.
        ends: where it ends.
    """

    postings: Sequence[Posting]
    seen: Sequence[Seen]
    last: Seen | None
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """The game's side at an instant: a point at its height, and how far it is off.

    ``expected`` is the height at which the game would agree.
    """

    seen: Seen
    x: int
    y: int
    expected: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines and points of an SVG; ``low`` and ``high`` are what its lower and upper edge mean."""

    ledger: str
    marks: Sequence[Mark]
    low: int
    high: int


async def read_course(
    connection: asyncpg.Connection[Any],
    user_id: str,
    currency: str,
    *,
    at: datetime | None,
    now: datetime,
) -> Course:
    """Read the newest part of it, until an instant or now."""
    ends = now if at is None else min(at, now)
    sightings = await list_sightings(connection, user_id, currency, at=at, limit=_SEEN)
    postings = await read_entries(connection, user_id, currency, limit=_POSTINGS, at=at)
    postings.reverse()
    seen = [_as_seen(sighting) for sighting in reversed(sightings)]
    agreed = await connection.fetchrow(load("recon.web", "agreed"), user_id, currency)
    if agreed is not None and agreed["agreed_at"] <= ends:
        version = agreed["agreed_version"]
        there = await read_entries(
            connection, user_id, currency, before_version=version + 1, limit=1
        )
        had = there[0].available_after if there else 0
        seen.append(Seen(agreed["agreed_at"], had, had, 0))
        seen.sort(key=lambda one: one.at)
    begins = _begins(postings, seen, ends)
    before = [place for place, one in enumerate(postings) if one.recorded_at <= begins]
    return Course(
        postings=postings[max(before, default=0) :],
        seen=[one for one in seen if one.at >= begins],
        last=seen[-1] if seen else None,
        begins=begins,
        ends=ends,
    )


def draw(course: Course) -> Drawing | None:
    """Its lines and points; ``None``: there is no more than one instant to draw."""
    span = course.ends - course.begins
    if not course.postings or not span:
        return None
    heights = [one.available_after for one in course.postings]
    heights += [height for one in course.seen for height in (one.game, one.game - one.difference)]
    low, high = min(heights), max(heights)
    if low == high:
        low, high = min(low, 0), max(high, 0)

    def x(at: datetime) -> int:
        return _share(at - course.begins, span)

    def y(minor: int) -> int:
        return HEIGHT - (minor - low) * HEIGHT // ((high - low) or 1)

    first, *rest = course.postings
    line = f"M{x(max(first.recorded_at, course.begins))} {y(first.available_after)}"
    for one in rest:
        line += f"H{x(one.recorded_at)}V{y(one.available_after)}"
    marks = [Mark(one, x(one.at), y(one.game), y(one.game - one.difference)) for one in course.seen]
    return Drawing(f"{line}H{WIDTH}", marks, low, high)


def _as_seen(sighting: Sighting) -> Seen:
    return Seen(
        sighting.place.seen_at,
        sighting.ledger_available,
        sighting.game_available,
        sighting.available_difference,
        sighting,
    )


def _begins(postings: Sequence[Posting], seen: Sequence[Seen], ends: datetime) -> datetime:
    """A little before what is first known of the game; where nothing is, at the oldest posting.

    Never before the oldest of as many postings as are read: what the ledger had before is not known
    here.
    """
    if not seen:
        return postings[0].recorded_at if postings else ends
    begins = seen[0].at - (ends - seen[0].at) / _LEAD
    cut = len(postings) == _POSTINGS
    return max(begins, postings[0].recorded_at) if cut else begins


def _share(part: timedelta, whole: timedelta) -> int:
    return max(0, min(WIDTH, part * WIDTH // whole))
