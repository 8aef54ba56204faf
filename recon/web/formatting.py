"""How amounts, times and counts are written for people; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from recon.money import exponents, format_minor

if TYPE_CHECKING:
    from datetime import date

__all__ = [
    "age",
    "amount",
    "clock",
    "count",
    "day",
    "decimal_places",
    "instant",
    "lag",
    "person",
    "plain_words",
    "sign_class",
    "signed",
    "span",
    "told",
]

_MINUS: Final = "\N{MINUS SIGN}"
_BELOW_ZERO: Final = re.compile(r"(?<![^\s(])-(?=\d+(?:\.\d+)?(?![\w-]))")
_MOVEMENT: Final = re.compile(r"^(?:bet|deposit|withdrawal)\.[a-z_]+(?= of \d)")
_ONE: Final = re.compile(r"^1 (registered )?(bet|finding|payment|posting|deliver)(s|ies)\b")
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_TWO_DAYS: Final = 2 * _DAY


def amount(minor: int, currency: str) -> str:
    """Minor units as people write them: ``(123456, "GBP")`` is ``1,234.56``.

    A row may outlive its currency's place in the list of them: then its minor units are told as
    such, and the page stands.
    """
    if currency not in exponents():
        return f"{_MINUS if minor < 0 else ''}{abs(minor):,} minor units"
    text = format_minor(abs(minor), currency)
    whole, point, fraction = text.partition(".")
    return f"{_MINUS if minor < 0 else ''}{int(whole):,}{point}{fraction}"


def signed(minor: int, currency: str) -> str:
    """The same with a sign either way, none on zero: ``+20.00``."""
    return f"{'+' if minor > 0 else ''}{amount(minor, currency)}"


def decimal_places(currency: str) -> int:
    """How many a currency has; none where it is not known any more."""
    return exponents().get(currency, 0)


def sign_class(minor: int) -> str:
    """``plus``, ``minus`` or ``zero``: a class beside the sign, never instead of it."""
    return "plus" if minor > 0 else "minus" if minor < 0 else "zero"


def count(number: int) -> str:
    """A whole number with thousands separators."""
    return f"{number:,}"


def day(one: date) -> str:
    """A day in full, e.g. ``22 Nov 2025``."""
    return f"{one.day} {one:%b %Y}"


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


def lag(length: timedelta) -> str:
    """How much later something came, as `span`; what is within a second of none is ``0 s``.

    Below zero it has a minus: it came before it happened, by the clocks of both.
    """
    if abs(length) < _SECOND:
        return "0 s"
    return f"{_MINUS if length < timedelta(0) else ''}{span(abs(length))}"


def age(since: datetime, now: datetime) -> str:
    """How long ago, as `span`."""
    return span(now - since)


def person(actor: str) -> str:
    """Who did something, as people call them: ``staff:maker`` is ``maker``."""
    return actor.removeprefix("staff:")


def plain_words(name: str) -> str:
    """A code as words: ``missing_webhook`` is ``Missing webhook``."""
    return name.replace("_", " ").replace(".", " ").capitalize()


def told(text: str) -> str:
    """What the service wrote of a finding: a true minus, its movement in words, one of many as one.

    ``1 payout to -40.00`` has a true minus then, and ``bet.payout of 11.50`` is a bet payout; what
    is stored, and what a program reads, stays as it was written. ``1 bets`` is one bet.
    """
    named = _MOVEMENT.sub(lambda found: plain_words(found[0]).lower(), text)
    counted = _ONE.sub(
        lambda found: f"1 {found[1] or ''}{found[2]}{'y' if found[3] == 'ies' else ''}", named
    )
    return _BELOW_ZERO.sub(_MINUS, counted)
