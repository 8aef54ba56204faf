"""How likely it is that a fact is behind a difference, and how much of what fits is chance; pure.

Only probabilities are computed here, never money. The odds are those of a wallet that is known to
differ; the benchmark of the whole (`make bench ARGS=quality`) shows whether they keep their word.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Odds",
    "Standing",
    "Weight",
    "against",
    "odds_of",
    "percent",
    "percent_of_all",
    "weight_of_all",
    "weight_of_the_rest",
]


Odds: TypeAlias = float
"""For to against."""

Weight: TypeAlias = float
"""What a set of facts has of all that could be: a product of odds."""


class Standing(Enum):
    """What speaks for a fact, beside that its amount fits."""

    KNOWN = "known"
    """Both sides have told it: a signed report that is not booked, a payout that the game has."""
    LIKELY = "likely"
    """One side has told it, and something about it is wrong."""
    OPEN = "open"
    """It was to happen, and nobody has said whether it did."""
    SUGGESTED = "suggested"
    """Nothing is known to be wrong with it: any of its kind may be the one."""
    SLIPPED = "slipped"
    """The game would have another amount for it, by one of the slips that people and programs make
    with amounts: a decimal point, two digits."""
    NETTED = "netted"
    """The game would have a little less for it, as if a fee had been kept."""
    ALTERED = "altered"
    """The game would have an amount for it that nothing suggests."""

    @property
    def rank(self) -> int:
        """What speaks the most comes first."""
        return [*Standing].index(self)


_ODDS: Final = {
    Standing.KNOWN: 9.0,
    Standing.LIKELY: 3.0,
    Standing.OPEN: 1 / 3,
    # That some booked fact is lost or doubled at the game; shared by all that could be it.
    Standing.SUGGESTED: 0.3,
    # That some booked payment has another amount there; shared by all payments and amounts.
    Standing.SLIPPED: 0.1,
    Standing.NETTED: 0.02,
    Standing.ALTERED: 0.1,
}
_OF_ONE: Final = {Standing.KNOWN, Standing.LIKELY, Standing.OPEN}
"""What speaks for the very fact, rather than for some fact of its kind."""
_CROWD: Final = 9
"""Who leaves more payments open than these has mostly given them up."""
_UNKNOWN: Final = 0.05
"""That there is something of which neither side has a record."""
_DOUBTED: Final = 0.1
"""What each thing that speaks against a fact leaves of its odds."""
_LEAST_VALUES: Final = 100
"""What is unknown need not be as round as what is known."""
_MOST: Final = 600.0
"""A logarithm; beyond it nothing can be said, and an overflow would say no more."""


def odds_of(standing: Standing, *, share: int, doubts: int) -> Odds:
    """The odds that a fact is behind a difference.

    Args:
        standing: what speaks for it.
        share: how many facts there are of this standing and as many doubts; of a standing that
            is one fact's among all of its kind, for how many its odds are.
        doubts: how many things speak against it.
    """
    odds, share = _ODDS[standing], max(1, share)
    if standing not in _OF_ONE:
        return odds / share * _DOUBTED**doubts
    if doubts:
        # What both sides agreed over is no more than open; a crowd of it is as good as one.
        return min(odds, _ODDS[Standing.OPEN]) * min(_DOUBTED**doubts, 1 / share)
    return odds * min(1, _CROWD / share) if standing is Standing.OPEN else odds


def against(odds: Odds) -> Odds:
    """The odds that it is not so."""
    return 1 / odds


def percent_of_all(odds: Odds, times: int) -> int:
    """How likely it is, in whole per cent, that so many as likely things are all so."""
    return percent((odds / (1 + odds)) ** times, 1)


def weight_of_all(odds: Iterable[Odds]) -> float:
    """The weight of all sets of facts together, the empty one among them.

    Args:
        odds: of each fact; for one that is taken to be true, those that it is not.
    """
    return math.exp(min(_MOST, math.fsum(math.log1p(one) for one in odds)))


def weight_of_the_rest(whole: float, tried: float, values: int) -> float:
    """The weight of all that makes the same difference and was not tried.

    Args:
        whole: as `weight_of_all` says it.
        tried: the weight of the sets that were tried, whether they fit or not.
        values: how many differences are possible; what is unknown is spread evenly over them.

    Returns:
        Of the sets that were not tried, and of any set together with something unknown.
    """
    return (max(0.0, whole - tried) + _UNKNOWN * whole) / max(_LEAST_VALUES, values)


def percent(weight: float, whole: float) -> int:
    """A share in whole per cent, rounded down: what is not certain never says 100."""
    return min(99, int(100 * weight / whole)) if whole > 0 else 0
