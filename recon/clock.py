"""Time with a zone, and ids that sort by it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from recon.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Source",
    "first_id_at",
    "format_time",
    "new_id",
    "now",
    "parse_duration",
    "parse_time",
    "taken_from",
]

_DURATION = re.compile(r"(\d++(?:\.\d++)?)(ms|s|m|h|d)")
_DURATIONS = re.compile(r"(?:\d++(?:\.\d++)?(?:ms|s|m|h|d))+")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Source(Protocol):
    """Where time and ids come from, other than from this machine."""

    def now(self) -> datetime:
        """The current instant, in UTC."""
        ...

    def new_id(self) -> UUID:
        """A fresh UUIDv7."""
        ...


_source: ContextVar[Source | None] = ContextVar("recon_clock_source", default=None)


@contextmanager
def taken_from(source: Source) -> Iterator[None]:
    """Take time and ids from ``source``, here and in the tasks that are started within.

    What has no parameter for them follows too, so that a simulation leaves nothing to the machine.
    """
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def now() -> datetime:
    """The current instant, in UTC."""
    source = _source.get()
    return datetime.now(UTC) if source is None else source.now()


def new_id() -> UUID:
    """A fresh UUIDv7: unique, and ordered by the millisecond in which it was made."""
    source = _source.get()
    return uuid7() if source is None else source.new_id()


def first_id_at(instant: datetime) -> UUID:
    """What no `new_id` of this millisecond or later is below: where to cut ids by time.

    Before 1970 it is the lowest id of all.
    """
    milliseconds = max(0, int(instant.timestamp() * 1000))
    return UUID(int=milliseconds << 80)


def format_time(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC with ``Z``, to the microsecond where there is one.

    Raises:
        ValueError: the instant has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError("a time without a zone")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """An ISO 8601 instant, which must name its zone, in UTC.

    Raises:
        Invalid: not an instant, one without a zone, or one that UTC's calendar does not have.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text[:64]!r} is not an ISO 8601 time", code="invalid_time") from None
    if instant.tzinfo is None:
        raise Invalid(f"{text!r} names no time zone; end it with Z", code="invalid_time")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise Invalid(
            f"{text[:64]!r} is outside the years 1 to 9999 in UTC", code="invalid_time"
        ) from None


def parse_duration(text: str) -> timedelta:
    """A duration such as ``90s``, ``5m``, ``1h30m`` or ``250ms``.

    Raises:
        ValueError: not of that form, or too long for a timedelta.
    """
    # As a whole first: looked for from each digit anew, it would take the square of their number.
    if _DURATIONS.fullmatch(text) is None:
        raise ValueError(f"{text[:64]!r} is not a duration such as 90s, 5m or 1h30m")
    seconds = sum(float(p[1]) * _UNIT_S[p[2]] for p in _DURATION.finditer(text))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text[:64]!r} is longer than can be counted") from None
