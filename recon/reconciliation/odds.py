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

__all__ = ["Odds", "Standing", "odds_of", "percent", "weight_of_all", "weight_of_the_rest"]


Odds: TypeAlias = float
"""For to against."""


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


_ODDS: Final = {Standing.KNOWN: 9.0, Standing.LIKELY: 3.0, Standing.OPEN: 1 / 3}
_ONE_OF_ALL: Final = 0.3
"""That some booked fact is lost or doubled at the game; shared by all that could be it."""
_UNKNOWN: Final = 0.05
"""That there is something of which neither side has a record."""
_AGREED_SINCE: Final = 0.1
"""What is left of a fact's odds if both sides have agreed after it was known."""
_LEAST_VALUES: Final = 100
"""What is unknown need not be as round as what is known."""
_MOST: Final = 600.0
"""A logarithm; beyond it nothing can be said, and an overflow would say no more."""


def odds_of(standing: Standing, *, suggested: int, agreed_since: bool) -> float:
    """The odds that a fact is behind a difference.

    Args:
        standing: what speaks for it.
        suggested: how many facts are merely suggested; they share their odds.
        agreed_since: both sides have agreed after it was known.
    """
    is_one_of_all = standing is Standing.SUGGESTED
    odds = _ONE_OF_ALL / max(1, suggested) if is_one_of_all else _ODDS[standing]
    return odds * _AGREED_SINCE if agreed_since else odds


def weight_of_all(odds: Iterable[float]) -> float:
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
