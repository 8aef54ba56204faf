"""Of which times an endpoint's files speak, so that what is in none of them can be told; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

__all__ = ["Period", "judged", "merged", "without"]

Period: TypeAlias = "tuple[datetime, datetime]"


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
