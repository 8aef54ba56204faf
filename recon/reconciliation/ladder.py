"""When a suspect is looked at again, and when its difference has stood long enough; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = ["gave_up", "has_stood", "next_look"]

# A wallet that never comes to rest is left to the next run after this many grace periods.
_PATIENCE = 6


def next_look(now: datetime, since: datetime, grace: timedelta) -> datetime:
    """The next rung: half-way up, then when the grace period is over.

    Args:
        now: the instant of this look.
        since: when the difference that stands now was first seen.
        grace: how long it must stand.
    """
    for rung in (since + grace / 2, since + grace):
        if rung > now:
            return rung
    return now + grace / 4


def has_stood(now: datetime, since: datetime, grace: timedelta) -> bool:
    """Whether the same difference has stood for the whole grace period."""
    return now >= since + grace


def gave_up(now: datetime, first_seen: datetime, grace: timedelta) -> bool:
    """Whether this run has watched long enough a wallet that does not come to rest."""
    return now >= first_seen + grace * _PATIENCE
