"""When something is sent again, and when a digest is due; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import time

__all__ = ["digest_slot", "retry_in"]

# Source: the Standard Webhooks specification, "Deliverability and reliability".
_RETRIES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_JITTER: Final = 0.1
_LONGEST_ASKED: Final = timedelta(hours=6)

# A Monday, so that a weekly digest comes on Mondays.
_EPOCH: Final = datetime(1970, 1, 5, tzinfo=UTC)


def retry_in(attempts: int, *, retry_after_s: int | None, draw: float) -> timedelta:
    """How long to wait before a message is tried again.

    Args:
        attempts: how often it was tried, from 1.
        retry_after_s: what the receiver asked for; more than six hours is not believed.
        draw: from 0 to 1, spreads tries by a tenth.
    """
    wait = _RETRIES[min(attempts, len(_RETRIES)) - 1] * (1 + _JITTER * draw)
    if retry_after_s is None:
        return wait
    # Bounded before it is a span: what a receiver says may be larger than any.
    return max(wait, timedelta(seconds=min(retry_after_s, _LONGEST_ASKED.total_seconds())))


def digest_slot(now: datetime, every: timedelta, at: time) -> datetime:
    """The newest instant, not after now, at which a digest was due.

    Args:
        now: the time.
        every: between two digests, counted from a Monday.
        at: the time of day, in UTC.
    """
    start = datetime.combine(_EPOCH, at, tzinfo=UTC)
    return start + (now - start) // every * every
