"""Find the sets of facts whose amounts make exactly a difference; pure, exact, bounded.

Facts that say the same of the same amount are one class, however many rows there are. What is known
to be wrong is taken to be part of the difference; a set is then a few steps away from that: a class
added, or a known fact left out. So thirty lost webhooks of one hour are found as readily as one.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations, islice, product
from math import comb, prod
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from recon.reconciliation.model import Evidence

__all__ = ["Fit", "Group", "fits", "joined", "tried_weight"]

_STEPS: Final = 3
_TRIPLES_AMONG: Final = 150
_ROWS: Final = 64
"""Sets of rows that are looked at behind one set of classes."""


class Group(NamedTuple):
    """Facts of one meaning, amount and odds.

    Attributes:
        amount: of each, signed, in minor units.
        odds: of each, that it is part of the difference; of a known one, that it is not.
        known: it is taken to be part of the difference, unless a fit says otherwise.
        facts: the newest first.
    """

    amount: int
    odds: float
    known: bool
    facts: Sequence[Evidence]

    def untaken(self) -> Group:
        """The same where nothing is taken to be true."""
        return self._replace(odds=1 / self.odds, known=False) if self.known else self

    @property
    def step(self) -> int:
        """What the sum changes by if one more of them is taken, or left out."""
        return -self.amount if self.known else self.amount


class Fit(NamedTuple):
    """Sets that make the difference and say the same: which rows it was is open, no more.

    Attributes:
        weight: of all of them together.
        sets: a few of them, the newest rows first.
    """

    weight: float
    sets: list[tuple[Evidence, ...]]


def fits(difference: int, groups: Sequence[Group]) -> list[Fit]:
    """All sets up to three steps away from what is known; three only among the likeliest.

    Args:
        difference: what they must make, in minor units.
        groups: none empty.

    Returns:
        In no order; a row stands in no set twice.
    """
    found = list(_fits(difference, groups))
    known = {(fact.kind, fact.id) for group in groups if group.known for fact in group.facts}
    if len(known) > _STEPS:
        # From nothing as well: a few of many known facts are too far away from all of them.
        none = prod(group.odds ** len(group.facts) for group in groups if group.known)
        for fit in _fits(difference, [group.untaken() for group in groups]):
            rows = {(fact.kind, fact.id) for fact in fit.sets[0]}
            if len(rows ^ known) > _STEPS:
                found.append(Fit(fit.weight * none, fit.sets))
    return found


def joined(same: Sequence[Fit]) -> Fit:
    """Fits that say the same, as one."""
    ranked = sorted(same, key=lambda fit: -fit.weight)
    return Fit(sum(fit.weight for fit in same), [rows for fit in ranked for rows in fit.sets])


def tried_weight(groups: Sequence[Group]) -> float:
    """The weight of all sets that `fits` tries, whether they fit or not."""
    ranked = sorted(groups, key=lambda group: -group.odds)
    one, two, _ = _symmetric_weights(ranked)
    *_, three = _symmetric_weights(ranked[:_TRIPLES_AMONG])
    return 1 + one + two + three


def _fits(difference: int, groups: Sequence[Group]) -> Iterator[Fit]:
    known = sum(group.amount * len(group.facts) for group in groups if group.known)
    ranked = sorted(groups, key=lambda group: -group.odds)
    for steps in _steps(difference - known, ranked):
        sets = list(islice(_rows(ranked, steps), _ROWS))
        if sets:
            # Of many rows the few that stand for themselves twice make no difference.
            ways = len(sets) if len(sets) < _ROWS else _ways(ranked, steps)
            yield Fit(ways * prod(ranked[place].odds for place in steps), sets)


def _steps(target: int, ranked: Sequence[Group]) -> Iterator[tuple[int, ...]]:
    """The places of up to three steps that come to ``target``, each as often as it is taken."""
    at: defaultdict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(ranked):
        at[group.step].append(place)
    if target == 0:
        yield ()
    for place in at.get(target, ()):
        yield (place,)
    for first, group in enumerate(ranked):
        for second in at.get(target - group.step, ()):
            if second >= first:
                yield (first, second)
    yield from _triples(target, ranked[:_TRIPLES_AMONG], at)


def _triples(
    target: int, few: Sequence[Group], at: Mapping[int, Sequence[int]]
) -> Iterator[tuple[int, ...]]:
    for first, group in enumerate(few):
        rest = target - group.step
        for second in range(first, len(few)):
            for third in at.get(rest - few[second].step, ()):
                if second <= third < len(few):
                    yield (first, second, third)


def _rows(ranked: Sequence[Group], steps: tuple[int, ...]) -> Iterator[tuple[Evidence, ...]]:
    """The sets of rows behind steps, no row twice, the newest first."""
    chosen = [
        combinations(ranked[place].facts, steps.count(place)) for place in dict.fromkeys(steps)
    ]
    left = [place for place, group in enumerate(ranked) if group.known and place not in steps]
    kept = [fact for place in left for fact in ranked[place].facts]
    for parts in islice(product(*chosen), _ROWS * 4):
        rows = list(kept)
        for place, part in zip(dict.fromkeys(steps), parts, strict=True):
            group = ranked[place]
            rows += [fact for fact in group.facts if fact not in part] if group.known else part
        if len({(fact.kind, fact.id) for fact in rows}) == len(rows) > 0:
            yield tuple(rows)


def _ways(ranked: Sequence[Group], steps: tuple[int, ...]) -> int:
    return prod(
        comb(len(ranked[place].facts), steps.count(place)) for place in dict.fromkeys(steps)
    )


def _symmetric_weights(groups: Sequence[Group]) -> tuple[float, float, float]:
    """The sums of the products of one, of two and of three different facts' odds."""
    first = sum(len(group.facts) * group.odds for group in groups)
    second = sum(len(group.facts) * group.odds**2 for group in groups)
    third = sum(len(group.facts) * group.odds**3 for group in groups)
    two_weight = (first**2 - second) / 2
    three_weight = (first**3 - 3 * first * second + 2 * third) / 6
    return first, two_weight, three_weight
