"""Days in the URL: whole ones of UTC's calendar, the last one included; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from recon.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Days", "parse_day"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Days:
    """From the first to the last day; ``None``: there is no bound on that side."""

    since: date | None = None
    until: date | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Days:
        """Read ``since`` and ``until`` of a URL's query; an empty field is none.

        Raises:
            Invalid: ``invalid_filter``, with the field's name.
        """
        return cls(*(parse_day(name, query.get(name, "")) for name in ("since", "until")))

    @property
    def begins(self) -> datetime | None:
        """The first instant."""
        return None if self.since is None else datetime.combine(self.since, time(), UTC)

    @property
    def ends(self) -> datetime | None:
        """The first instant after it; none after the calendar's last day."""
        if self.until is None or self.until == date.max:
            return None
        return datetime.combine(self.until + _DAY, time(), UTC)

    def said(self) -> dict[str, str]:
        """The URL's query for them."""
        named = {"since": self.since, "until": self.until}
        return {name: day.isoformat() for name, day in named.items() if day is not None}


def parse_day(name: str, text: str) -> date | None:
    """A day as a form's field has it; ``None``: it is empty.

    Raises:
        Invalid: ``invalid_filter``, with the field's name.
    """
    said = text.strip()
    if not said:
        return None
    try:
        return datetime.strptime(said, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of UTC's calendar
    except ValueError:
        raise Invalid(f"{name} is a day such as 2026-01-31", code="invalid_filter") from None
