"""Explain a difference by the smallest set of facts whose sum it is; pure, exact, bounded.

Sums are exact and of whole minor units. Which of the sets that fit is meant, and how sure that is,
follows from what speaks for each fact (`recon.reconciliation.odds`): a set weighs the product of
its facts' odds, so that one fact weighs more than two, and what our own records say is missing more
than what only the sum suggests. Against all of them stands that it is chance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from math import gcd
from typing import TYPE_CHECKING, Final, NamedTuple

from recon.reconciliation.fitting import Fit, Group, fits, joined, tried_weight
from recon.reconciliation.model import Alternative, Cause, Evidence, Severity
from recon.reconciliation.odds import (
    Odds,
    Standing,
    odds_of,
    percent,
    weight_of_all,
    weight_of_the_rest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.reconciliation.compare import Comparison

__all__ = ["Candidate", "Explanation", "explain", "explain_look", "severity_of"]

_MAX_READINGS: Final = 8
_NAMED: Final = 5
_ALTERNATIVES: Final = 3
_KNOWN_PART: Final = 95
"""Per cent: the odds of what is known."""
_WORTH_SAYING: Final = 5
"""Per cent; what is less likely is not shown."""
_BELIEVED: Final = 50
"""Per cent; below, it explains nothing."""

_STEPS: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_MEDIUM_FROM: Final = 10
_HIGH_FROM: Final = 100
_CRITICAL_FROM: Final = 10_000


class Candidate(NamedTuple):
    """A fact that may be part of a difference, and what speaks for it.

    Attributes:
        fact: its amount is the difference that it alone would make.
        standing: what speaks for it.
        agreed_since: the wallet has agreed after the fact was known.
    """

    fact: Evidence
    standing: Standing
    agreed_since: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """``difference = explained + unexplained``, the facts behind it and the cause they name.

    Attributes:
        explained: the sum of the evidence.
        unexplained: the rest.
        cause: of the largest part, the unexplained one among them.
        evidence: the facts.
        confidence: per cent, that these causes and amounts are what happened; 0 without evidence.
        alternatives: what else fits, the likeliest first.
        notes: what of it is open, in words.
    """

    explained: int
    unexplained: int
    cause: Cause
    evidence: list[Evidence]
    confidence: int = 0
    alternatives: list[Alternative] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def explain(difference: int, candidates: Sequence[Candidate]) -> Explanation:
    """The likeliest of the sets of facts, none twice, whose amounts make exactly the difference.

    Args:
        difference: game minus ledger, in minor units, not zero.
        candidates: the same row may stand for two (lost or doubled) and is used once.

    Returns:
        The set, if it is likelier than all else together; the newest of those that say the same.
        Where nothing fits, what both sides have told explains its part, if that leaves less than
        there was. Else all of it is unexplained, and what would fit is said.
    """
    likely = _likely(difference, candidates)
    if not likely or likely[0].percent < _BELIEVED:
        return replace(
            _known_part(difference, candidates),
            alternatives=[one.told for one in likely],
            notes=[_either_of([one.fit.sets[0] for one in likely])] if likely else [],
        )
    best, *others = likely
    evidence = list(best.fit.sets[0])
    said = [*best.fit.sets, *(one.fit.sets[0] for one in others)]
    return Explanation(
        explained=difference,
        unexplained=0,
        cause=_largest(evidence).cause,
        evidence=evidence,
        confidence=best.percent,
        alternatives=[one.told for one in others],
        notes=[_either_of(said)] if len(said) > 1 else [],
    )


def explain_look(
    look: Comparison, candidates: Sequence[Candidate]
) -> tuple[Comparison, Explanation]:
    """Explain a look by the one of its readings that the facts bear out best.

    Returns:
        The look with that reading as its difference, and the explanation of it. Where no reading
        is explained, the first counts: the game has taken every accepted withdrawal.
    """
    if look.available_difference == 0:
        return look, explain(look.difference, candidates)
    tried = [(reading, explain(reading, candidates)) for reading in look.readings[:_MAX_READINGS]]
    reading, best = min(
        tried, key=lambda one: (one[1].unexplained != 0, -one[1].confidence, len(one[1].evidence))
    )
    return look._replace(available_difference=reading), best


def severity_of(difference: int, exponent: int, *, unexplained: bool) -> Severity:
    """How much it matters, by the size in whole units of the currency."""
    unit = 10**exponent
    limits = (_MEDIUM_FROM, _HIGH_FROM, _CRITICAL_FROM)
    step = sum(abs(difference) >= limit * unit for limit in limits)
    if unexplained:
        step = min(step + 1, len(_STEPS) - 1)
    return _STEPS[step]


class _Likely(NamedTuple):
    fit: Fit
    percent: int

    @property
    def told(self) -> Alternative:
        return Alternative(self.percent, list(self.fit.sets[0]))


def _likely(difference: int, candidates: Sequence[Candidate]) -> list[_Likely]:
    """What fits and is worth saying, the likeliest first; of equals, that with the newest row."""
    groups = _groups(candidates)
    meanings: defaultdict[frozenset[tuple[tuple[Cause, int], int]], list[Fit]] = defaultdict(list)
    for fit in fits(difference, groups):
        said = Counter((fact.cause, fact.amount) for fact in fit.sets[0])
        meanings[frozenset(said.items())].append(fit)
    fitting = [joined(same) for same in meanings.values()]
    weights = [group.odds for group in groups for _ in group.facts]
    rest = weight_of_the_rest(
        weight_of_all(weights), tried_weight(groups), _possible_values(difference, candidates)
    )
    whole = rest + sum(fit.weight for fit in fitting)
    ranked = sorted(
        (_Likely(fit, percent(fit.weight, whole)) for fit in fitting),
        key=lambda one: (-one.fit.weight, len(one.fit.sets[0]), -_newest_s(one.fit.sets[0])),
    )
    return [one for one in ranked[: 1 + _ALTERNATIVES] if one.percent >= _WORTH_SAYING]


def _groups(candidates: Sequence[Candidate]) -> list[Group]:
    rows = Counter((one.fact.kind, one.fact.id) for one in candidates)
    suggested = sum(one.standing is Standing.SUGGESTED for one in candidates)
    members: defaultdict[tuple[Cause, int, Odds, bool], list[Evidence]] = defaultdict(list)
    for fact, standing, agreed_since in candidates:
        odds = odds_of(standing, suggested=suggested, agreed_since=agreed_since)
        # Of a row that may mean two things, neither is taken to be true.
        known = odds > 1 and rows[fact.kind, fact.id] == 1
        members[fact.cause, fact.amount, 1 / odds if known else odds, known].append(fact)
    return [
        Group(amount, odds, known, sorted(facts, key=lambda fact: fact.at, reverse=True))
        for (_, amount, odds, known), facts in members.items()
    ]


def _possible_values(difference: int, candidates: Sequence[Candidate]) -> int:
    """How many differences amounts like these could make: few where all of them are round."""
    amounts = [abs(difference), *(abs(one.fact.amount) for one in candidates)]
    return 2 * max(amounts) // gcd(*amounts)


def _known_part(difference: int, candidates: Sequence[Candidate]) -> Explanation:
    """What both sides have told is part of a difference that nothing makes, if it makes it less."""
    evidence = [
        one.fact
        for one in candidates
        if one.standing is Standing.KNOWN and not one.agreed_since and one.fact.amount
    ]
    explained = sum(fact.amount for fact in evidence)
    rows = {(fact.kind, fact.id) for fact in evidence}
    if not evidence or len(rows) < len(evidence) or abs(difference - explained) >= abs(difference):
        return Explanation(0, difference, Cause.UNEXPLAINED, [])
    unexplained = difference - explained
    largest = _largest(evidence)
    cause = largest.cause if abs(largest.amount) >= abs(unexplained) else Cause.UNEXPLAINED
    return Explanation(explained, unexplained, cause, evidence, confidence=_KNOWN_PART)


def _largest(evidence: Sequence[Evidence]) -> Evidence:
    return max(evidence, key=lambda fact: abs(fact.amount))


def _newest_s(evidence: Sequence[Evidence]) -> float:
    return max(fact.at.timestamp() for fact in evidence)


def _either_of(sets: Sequence[Sequence[Evidence]]) -> str:
    """What fits, in words; a row that fits in two ways is said once."""
    said = list(
        dict.fromkeys(" + ".join(f"{fact.kind} {fact.id}" for fact in chosen) for chosen in sets)
    )
    more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return "either of: " + "; ".join(said[:_NAMED]) + more
