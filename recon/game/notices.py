"""What the game says beside its answers: rate limits, waits, versions and announced endings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from recon.clock import format_time
from recon.game.metrics import show_notice

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Notice", "Noticeboard", "RateLimits", "read_limits", "read_wait_s"]

_log = structlog.get_logger(__name__)

_MAJOR: Final = "1"
_MAX_CHARS: Final = 200
_MAX_WAIT_S: Final = 3600.0
"""Who asks for longer is asked again after so long: a wait that was told in the wrong unit, or by
mistake, must not keep us away until somebody notices."""


class RateLimits(NamedTuple):
    """The key's budget as last seen: ``remaining`` of ``limit`` calls, renewed in ``reset_s``."""

    limit: int
    remaining: int
    reset_s: int
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should know before it breaks.

    Args:
        kind: ``api_version`` (another major than ours), ``deprecation`` or ``sunset``.
        operation: the call that it came with.
        value: the header's text; RFC 9745 and RFC 8594 say how to read the last two.
        link: the ``Link`` header, where there was one.
        seen_at: when it was first seen.
    """

    kind: str
    operation: str
    value: str
    link: str | None
    seen_at: datetime

    @property
    def at(self) -> datetime | None:
        """The instant that it names: RFC 9745's ``@`` and seconds, RFC 8594's HTTP date."""
        try:
            if self.kind == "deprecation" and self.value.startswith("@"):
                return datetime.fromtimestamp(int(self.value[1:]), UTC)
            if self.kind == "sunset":
                return _http_date(self.value)
        except (ValueError, OverflowError, OSError):
            pass
        return None

    def __str__(self) -> str:
        when = self.value if self.at is None else format_time(self.at)
        if self.kind == "api_version":
            return f"the game API is at version {self.value}, this client speaks {_MAJOR}.x"
        more = "" if self.link is None else f" ({self.link})"
        verb = "is deprecated since" if self.kind == "deprecation" else "ends at"
        return f"{self.operation} {verb} {when}{more}"


def read_limits(headers: Mapping[str, str], seen_at: datetime) -> RateLimits | None:
    """The three ``X-RateLimit-*`` headers; None unless all of them are whole numbers."""
    limit = _whole(headers.get("X-RateLimit-Limit"))
    remaining = _whole(headers.get("X-RateLimit-Remaining"))
    reset_s = _whole(headers.get("X-RateLimit-Reset"))
    if limit is None or remaining is None or reset_s is None:
        return None
    return RateLimits(limit, remaining, reset_s, seen_at)


def read_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the game asks us to wait, in seconds, at most an hour; None where it does not say.

    ``Retry-After`` as seconds or as an HTTP date wins over ``X-RateLimit-Reset``, which counts only
    when nothing remains.
    """
    text = headers.get("Retry-After")
    if text is not None:
        seconds = _whole(text)
        if seconds is not None:
            return min(float(seconds), _MAX_WAIT_S)
        try:
            then = _http_date(text)
        except ValueError:
            then = None
        if then is not None:
            return min(max(0.0, (then - now).total_seconds()), _MAX_WAIT_S)
    if _whole(headers.get("X-RateLimit-Remaining")) != 0:
        return None
    reset_s = _whole(headers.get("X-RateLimit-Reset"))
    return None if reset_s is None else min(float(reset_s), _MAX_WAIT_S)


class Noticeboard:
    """Keeps each notice once per call and kind; logs what is new or says something new."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Notice] = {}
        self._last_at: dict[tuple[str, str], datetime] = {}

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was seen so far, oldest first."""
        return tuple(self._seen.values())

    @property
    def announcements(self) -> tuple[tuple[Notice, datetime], ...]:
        """The same, each with when it was last seen."""
        return tuple((notice, self._last_at[key]) for key, notice in self._seen.items())

    def read(self, operation: str, headers: Mapping[str, str], seen_at: datetime) -> None:
        """Take note of an answer's headers."""
        version = headers.get("X-API-Version")
        if version is not None and version.partition(".")[0] != _MAJOR:
            self._note("api_version", "*", version, headers, seen_at)
        for kind, name in (("deprecation", "Deprecation"), ("sunset", "Sunset")):
            value = headers.get(name)
            if value is not None:
                self._note(kind, operation, value, headers, seen_at)

    def _note(
        self,
        kind: str,
        operation: str,
        value: str,
        headers: Mapping[str, str],
        seen_at: datetime,
    ) -> None:
        self._last_at[kind, operation] = seen_at
        value = _text(value)
        known = self._seen.get((kind, operation))
        if known is not None and known.value == value:
            return
        link = headers.get("Link")
        notice = Notice(kind, operation, value, None if link is None else _text(link), seen_at)
        self._seen[kind, operation] = notice
        show_notice(kind, operation, None if notice.at is None else notice.at.timestamp())
        _log.warning(
            "game_api_notice",
            kind=kind,
            operation=operation,
            value=notice.value,
            link=notice.link,
        )


def _text(value: str) -> str:
    """A header's text, shortened; what does not print fits neither log nor database nor terminal.

    That is bytes which are no UTF-8, and control characters, which aiohttp lets through.
    """
    return "".join(sign if sign.isprintable() else "?" for sign in value[:_MAX_CHARS])


def _http_date(text: str) -> datetime:
    """An HTTP date, which is always GMT; "-0000" alone comes back without a zone.

    Raises:
        ValueError: it is none.
    """
    try:
        then = parsedate_to_datetime(text)
    except OverflowError:  # a zone or a year that no clock can hold
        raise ValueError("no date") from None
    return then if then.tzinfo is not None else then.replace(tzinfo=UTC)


def _whole(text: str | None) -> int | None:
    """A whole number of at most 9 digits."""
    if text is None or len(text) > 9 or not (text.isascii() and text.isdigit()):  # noqa: PLR2004 - said above
        return None
    return int(text)
