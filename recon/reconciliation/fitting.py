"""Find the sets of facts whose amounts make exactly a difference; pure, exact, bounded.

Facts that say the same of the same amount are one class, however many rows there are. What is known
to be wrong is taken to be part of the difference; a set is then a few steps away from that: a class
added, or a known fact left out. So thirty lost webhooks of one hour are found as readily as one.
Which rows stand behind a set is worked out only for the few sets that are shown.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb, prod
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from recon.reconciliation.odds import against

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from recon.reconciliation.candidate import Candidate, Meaning
    from recon.reconciliation.odds import Odds

__all__ = ["Fit", "Group", "Known", "fits", "tried_weight"]

_STEPS: Final = 3
_TRIPLES_AMONG: Final = 150
_LOOKED_AT: Final = 256
"""So many sets of rows that the first do not all have two facts about the same money."""

Said: TypeAlias = tuple[bool, frozenset[tuple["Meaning", int]]]
"""What a set says: whether beyond what is known, or from nothing; and what is added, or (below
zero) left out."""

Taken: TypeAlias = "tuple[tuple[Group, int], ...]"
"""Groups and how many of each are one step away from what is known."""

_Rows: TypeAlias = tuple[tuple["Candidate", bool], ...]
"""Facts, and whether each is known, and so left out."""


class Group(NamedTuple):
    """Facts of one meaning and odds.

    Attributes:
        meaning: what each of them says.
        odds: of each, that it is part of the difference; of a known one, that it is not.
        known: it is taken to be part of the difference, unless a fit says otherwise.
        facts: the newest first, each about other money.
        keys: of these facts.
        is_alone: no other group has a fact about the money of one of these.
        was_known: it is known, and nothing is taken to be true.
    """

    meaning: Meaning
    odds: Odds
    known: bool
    facts: Sequence[Candidate]
    keys: frozenset[str]
    is_alone: bool
    was_known: bool = False

    def untaken(self) -> Group:
        """The same where nothing is taken to be true."""
        if not self.known:
            return self
        return self._replace(odds=against(self.odds), known=False, was_known=True)

    @property
    def step(self) -> int:
        """What the sum changes by if one more of them is taken, or left out."""
        return -self.meaning.amount if self.known else self.meaning.amount


class Known:
    """What is taken to be part of the difference, unless a fit says otherwise."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.facts = [fact for group in groups if group.known for fact in group.facts]
        self.keys = {fact.key for fact in self.facts}
        self.amount = sum(fact.fact.amount for fact in self.facts)


@dataclass(frozen=True, slots=True)
class Fit:
    """Sets that make the difference and say the same: which rows it was is open, no more.

    Attributes:
        weight: of all of them together.
        said: what they say.
        taken: the steps that they are away from what is known.
        known: what that is.
    """

    weight: float
    said: Said
    taken: Taken
    known: Known

    def sets(self, most: int) -> list[tuple[Candidate, ...]]:
        """A few of them, the newest rows first."""
        made = []
        for rows in islice(_rows(self.taken, self.known), most):
            out = {fact.key for fact, is_known in rows if is_known}
            kept = [fact for fact in self.known.facts if fact.key not in out]
            made.append((*kept, *(fact for fact, is_known in rows if not is_known)))
        return made


def fits(difference: int, groups: Sequence[Group]) -> list[Fit]:
    """All sets up to three steps away from what is known; three only among the likeliest.

    Args:
        difference: what they must make, in minor units, not zero.
        groups: none empty; the likelier of two as likely ones comes first.

    Returns:
        In no order; no movement of money stands in a set twice.
    """
    known = Known(groups)
    found = [_fit(taken, ways, known) for taken, ways in _taken(difference, groups, known)]
    if len(known.facts) > _STEPS:
        # From nothing as well: a few of many known facts are too far away from all of them.
        none = prod(group.odds ** len(group.facts) for group in groups if group.known)
        nothing = Known([])
        untaken = [group.untaken() for group in groups]
        for taken, ways in _taken(difference, untaken, nothing):
            away = sum(-times if group.was_known else times for group, times in taken)
            if len(known.facts) + away > _STEPS:
                fit = _fit(taken, ways, nothing)
                found.append(Fit(fit.weight * none, (True, fit.said[1]), taken, nothing))
    return found


def tried_weight(groups: Sequence[Group]) -> float:
    """The weight of all sets that `fits` tries, whether they fit or not."""
    ranked = _ranked(groups)
    one, two, _ = _symmetric_weights(ranked)
    *_, three = _symmetric_weights(ranked[:_TRIPLES_AMONG])
    return 1 + one + two + three


def _ranked(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: -group.odds)


def _taken(difference: int, groups: Sequence[Group], known: Known) -> Iterator[tuple[Taken, int]]:
    """What is a few steps away from what is known, and how many sets of rows stand behind it."""
    ranked = _ranked(groups)
    for places in _steps(difference - known.amount, ranked):
        taken = tuple((ranked[place], places.count(place)) for place in dict.fromkeys(places))
        ways = _ways(taken, known)
        if ways:
            yield taken, ways


def _fit(taken: Taken, ways: int, known: Known) -> Fit:
    weight = float(ways)
    said: defaultdict[Meaning, int] = defaultdict(int)
    for group, times in taken:
        weight *= group.odds**times
        said[group.meaning] += -times if group.known else times
    changes = frozenset((meaning, times) for meaning, times in said.items() if times)
    return Fit(weight, (False, changes), taken, known)


def _steps(target: int, ranked: Sequence[Group]) -> Iterator[tuple[int, ...]]:
    """The places of up to three steps that come to ``target``, each as often as it is taken."""
    steps = [group.step for group in ranked]
    at: defaultdict[int, list[int]] = defaultdict(list)
    for place, step in enumerate(steps):
        at[step].append(place)
    if target == 0:
        yield ()
    for place in at.get(target, ()):
        yield (place,)
    for first, step in enumerate(steps):
        for second in at.get(target - step, ()):
            if second >= first:
                yield (first, second)
    yield from _triples(target, steps[:_TRIPLES_AMONG], at)


def _triples(
    target: int, steps: Sequence[int], at: Mapping[int, Sequence[int]]
) -> Iterator[tuple[int, ...]]:
    few = len(steps)
    for first in range(few):
        rest = target - steps[first]
        for second in range(first, few):
            places = at.get(rest - steps[second])
            if places:
                for third in places:
                    if second <= third < few:
                        yield (first, second, third)


def _ways(taken: Taken, known: Known) -> int:
    """How many sets of rows stand behind steps: any of them may be the one."""
    ways = prod(comb(len(group.facts), times) for group, times in taken)
    if all(group.is_alone for group, _ in taken):
        left_out = sum(times for group, times in taken if group.known)
        nothing_left = left_out == len(known.facts) and all(group.known for group, _ in taken)
        return 0 if nothing_left else ways
    if any(group.known or not known.keys.isdisjoint(group.keys) for group, _ in taken):
        return sum(1 for _ in _rows(taken, known))
    return ways - _about_the_same(taken)


def _about_the_same(taken: Taken) -> int:
    """Of the sets behind one to three steps, how many have two facts about the same money."""
    if len(taken) == 1:
        return 0
    (a, times_a), (b, times_b), *others = taken
    ab = a.keys & b.keys
    if not others:
        # One of the same money, and whatever of the rest where a group is taken twice.
        return len(ab) * (len(a.keys) - 1 if times_a > 1 else len(b.keys) - 1 if times_b > 1 else 1)
    c = others[0][0]
    of_all = len(ab & c.keys)
    return (
        len(ab) * len(c.keys)
        + len(a.keys & c.keys) * len(b.keys)
        + len(b.keys & c.keys) * len(a.keys)
        - 2 * of_all
    )


def _rows(taken: Taken, known: Known) -> Iterator[_Rows]:
    """The facts behind steps, no money twice and something left, the newest first."""
    for chosen in islice(_products(taken), _LOOKED_AT):
        out = {fact.key for fact, is_known in chosen if is_known}
        added = [fact.key for fact, is_known in chosen if not is_known]
        free = all(key in out or key not in known.keys for key in added)
        if free and len(set(added)) == len(added) and len(known.facts) - len(out) + len(added) > 0:
            yield chosen


def _products(taken: Taken) -> Iterator[_Rows]:
    """As `itertools.product` of combinations, which would make all of them first."""
    if not taken:
        yield ()
        return
    (group, times), *others = taken
    for part in combinations(group.facts, times):
        first = tuple((fact, group.known) for fact in part)
        for rest in _products(tuple(others)):
            yield first + rest


def _symmetric_weights(groups: Sequence[Group]) -> tuple[float, float, float]:
    """The sums of the products of one, of two and of three different facts' odds."""
    first = sum(len(group.facts) * group.odds for group in groups)
    second = sum(len(group.facts) * group.odds**2 for group in groups)
    third = sum(len(group.facts) * group.odds**3 for group in groups)
    two_weight = (first**2 - second) / 2
    three_weight = (first**3 - 3 * first * second + 2 * third) / 6
    return first, two_weight, three_weight
