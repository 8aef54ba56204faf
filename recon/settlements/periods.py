"""Of which times an endpoint's files speak, so that what is in none of them can be told; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from recon.settlements.model import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import timedelta

__all__ = ["Period", "Spoken", "judged", "merged", "to_judge", "without"]

Period: TypeAlias = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a file speaks of.

    Args:
        spans: the times in which it has lines.
        tells: of which of the `FAMILIES`.
        judged: the times, by family, that were judged with it.
    """

    spans: list[Period]
    tells: list[str]
    judged: dict[str, list[Period]]


def merged(periods: Iterable[Period], gap: timedelta) -> list[Period]:
    """Periods as few as can be: what is no further apart than ``gap`` is one.

    Nothing may have happened in between, which no file would say.
    """
    found: list[Period] = []
    for begin, end in sorted(periods):
        if found and begin - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def judged(periods: Iterable[Period], grace: timedelta) -> list[Period]:
    """The times of which it can be said that what was booked then should be in a file.

    A payment is settled days after it is booked: the end of each stretch of files is left out, as
    the file that has it may be yet to come.
    """
    return [(begin, end - grace) for begin, end in merged(periods, grace) if end - grace > begin]


def to_judge(
    before: Sequence[Spoken],
    spans: Sequence[Period],
    tells: Collection[str],
    *,
    grace: timedelta,
    now: datetime,
) -> dict[str, list[Period]]:
    """The times, by family, of which it can be said only now what should be in a file.

    What was judged stays judged, whatever grace it was judged by: it is not asked twice, and what
    was left out then is not left out for ever.

    Args:
        before: the endpoint's files.
        spans: of the one that is imported.
        tells: of which of the `FAMILIES` it tells.
        grace: how long a payment may be in no file.
        now: what a file says of later is a clock that is wrong.
    """
    found = {}
    for family in FAMILIES:
        spoken = [span for file in before if family in file.tells for span in file.spans]
        if family in tells:
            spoken += spans
        until_now = [(begin, min(end, now)) for begin, end in spoken if begin < now]
        done = [part for file in before for part in file.judged.get(family, ())]
        left = without(judged(until_now, grace), done)
        if left:
            found[family] = left
    return found


def without(periods: Sequence[Period], others: Sequence[Period]) -> list[Period]:
    """What of ``periods`` is in none of ``others``; a shared border is in both."""
    left = [*periods]
    for begin, end in others:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, begin)), (max(first, end), last))
            if part[0] < part[1]
        ]
    return left
