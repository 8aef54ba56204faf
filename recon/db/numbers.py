"""Numbers that the database knows: whichever process is asked, they are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from prometheus_client import Gauge

    from recon.db.pool import Pool

__all__ = ["DatabaseNumbers"]


@dataclass(frozen=True, slots=True)
class DatabaseNumbers:
    """Gauges that are read from the database together, when somebody asks for the numbers.

    What could not be read is left out rather than shown as it was: an age that stands still would
    tell nobody of anything.

    Args:
        part: what they are about, such as ``bets``.
        refresh: sets them by the database.
        gauges: those that it sets.
    """

    part: str
    refresh: Callable[[Pool], Awaitable[None]]
    gauges: Sequence[Gauge]
    families: frozenset[str] = field(init=False)
    """The names of the gauges."""

    def __post_init__(self) -> None:
        names = (family.name for gauge in self.gauges for family in gauge.describe())
        object.__setattr__(self, "families", frozenset(names))
