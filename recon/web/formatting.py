"""How amounts, times and counts are written for people; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from recon.money import format_minor

__all__ = [
    "age",
    "amount",
    "clock",
    "count",
    "instant",
    "person",
    "plain_words",
    "sign_class",
    "signed",
    "span",
]

_MINUS: Final = "\N{MINUS SIGN}"
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_TWO_DAYS: Final = 2 * _DAY


def amount(minor: int, currency: str) -> str:
    """Minor units as people write them: ``(123456, "GBP")`` is ``1,234.56``."""
    text = format_minor(abs(minor), currency)
    whole, point, fraction = text.partition(".")
    return f"{_MINUS if minor < 0 else ''}{int(whole):,}{point}{fraction}"


def signed(minor: int, currency: str) -> str:
    """The same with a sign either way, none on zero: ``+20.00``."""
    return f"{'+' if minor > 0 else ''}{amount(minor, currency)}"


def sign_class(minor: int) -> str:
    """``plus``, ``minus`` or ``zero``: a class beside the sign, never instead of it."""
    return "plus" if minor > 0 else "minus" if minor < 0 else "zero"


def count(number: int) -> str:
    """A whole number with thousands separators."""
    return f"{number:,}"


def instant(at: datetime) -> str:
    """An instant in full, e.g. ``22 Nov 2025 09:00:12 UTC``."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y %H:%M:%S} UTC"


def clock(at: datetime, now: datetime) -> str:
    """An instant as short as it can be: the time today, the day before that, the year at last."""
    utc, today = at.astimezone(UTC), now.astimezone(UTC)
    if utc.date() == today.date():
        return f"{utc:%H:%M:%S}"
    if utc.year == today.year:
        return f"{utc.day} {utc:%b %H:%M}"
    return f"{utc.day} {utc:%b %Y}"


def span(length: timedelta) -> str:
    """A length of time in its two largest units, e.g. ``3 d 4 h``, ``12 min`` or ``8.2 s``."""
    seconds = max(0.0, length.total_seconds())
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - a tenth matters below ten
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < _TWO_DAYS:
        hours, rest = divmod(seconds, _HOUR)
        return f"{hours:.0f} h" + (f" {rest // _MINUTE:.0f} min" if rest >= _MINUTE else "")
    days, rest = divmod(seconds, _DAY)
    return f"{days:.0f} d" + (f" {rest // _HOUR:.0f} h" if rest >= _HOUR else "")


def age(since: datetime, now: datetime) -> str:
    """How long ago, as `span`."""
    return span(now - since)


def person(actor: str) -> str:
    """Who did something, as people call them: ``staff:maker`` is ``maker``."""
    return actor.removeprefix("staff:")


def plain_words(name: str) -> str:
    """A code as words: ``missing_webhook`` is ``Missing webhook``."""
    return name.replace("_", " ").replace(".", " ").capitalize()
