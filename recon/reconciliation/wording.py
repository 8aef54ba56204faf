"""What of an explanation is open, in words; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.money import Money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recon.reconciliation.candidate import Candidate

__all__ = ["NAMED", "Said"]

NAMED: Final = 5
"""So many sets are named; of more it is said that there are more."""
_FACTS_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Said:
    """Words for what is open.

    Attributes:
        first: the reading that counts the others from.
        currency: of it.
    """

    first: int
    currency: str

    def either_of(
        self, sets: Iterable[tuple[int, Sequence[Candidate]]], *, at_least: int = 1
    ) -> list[str]:
        """What fits, in one sentence; none below ``at_least``. The same rows are said once."""
        said = list(dict.fromkeys(self._one(reading, rows) for reading, rows in sets))
        if len(said) < at_least:
            return []
        more = "; and more" if len(said) > NAMED else ""
        return ["either of: " + "; ".join(said[:NAMED]) + more]

    def _one(self, reading: int, rows: Sequence[Candidate]) -> str:
        names = [f"{one.fact.kind} {one.fact.id}" for one in rows]
        more = len(names) - _FACTS_NAMED
        if more > 1:
            names = [*names[:_FACTS_NAMED], f"{more} more"]
        said = " + ".join(names)
        still_there = self.first - reading
        if still_there:
            amount = Money(still_there, self.currency)
            said += f" (if {amount} {self.currency} of accepted withdrawals is still at the game)"
        return said
