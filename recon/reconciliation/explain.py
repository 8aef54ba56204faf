"""Explain a difference by the likeliest set of facts whose sum it is; pure, exact, bounded.

Sums are exact and of whole minor units. Which of the sets that fit is meant, and how sure that is,
follows from what speaks for each fact (`recon.reconciliation.odds`): a set weighs the product of
its facts' odds, so that one fact weighs more than two, and what our own records say is missing more
than what only the sum suggests. Against all of them stands that it is chance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from math import gcd
from typing import TYPE_CHECKING, Final

from recon.reconciliation.candidate import Candidate
from recon.reconciliation.fitting import Fit, Group, Known, fits, tried_weight
from recon.reconciliation.model import Alternative, Cause, Evidence, Severity
from recon.reconciliation.odds import (
    Odds,
    Standing,
    Weight,
    against,
    odds_of,
    percent,
    percent_of_all,
    weight_of_all,
    weight_of_the_rest,
)
from recon.reconciliation.slips import slipped
from recon.reconciliation.wording import NAMED, Said

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recon.reconciliation.candidate import Meaning
    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.slips import Booked

__all__ = ["Candidate", "Explanation", "explain", "explain_look", "severity_of"]

_MAX_READINGS: Final = 8
_ALTERNATIVES: Final = 3
_WORTH_SAYING: Final = 5
"""Per cent; what is less likely is not shown."""
_BELIEVED: Final = 50
"""Per cent; below, it explains nothing."""

_STEPS: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_MEDIUM_FROM: Final = 10
_HIGH_FROM: Final = 100
_CRITICAL_FROM: Final = 10_000


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


def explain(
    difference: int, candidates: Sequence[Candidate], booked: Sequence[Booked] = ()
) -> Explanation:
    """The likeliest of the sets of facts, no money twice, whose amounts make the difference.

    Args:
        difference: game minus ledger, in minor units, not zero.
        candidates: in any order; of those about the same money one at most is taken.
        booked: payments that the game may have taken for another amount.

    Returns:
        The set, if it is likelier than all else together; the newest of those that say the same.
        Where nothing fits, what both sides have told explains its part, if that leaves less than
        there was. Else all of it is unexplained, and what would fit is said.
    """
    _, explanation = _explain([difference], candidates, booked, "")
    return explanation


def explain_look(
    look: Comparison, candidates: Sequence[Candidate], booked: Sequence[Booked] = ()
) -> tuple[Comparison, Explanation]:
    """Explain a look by the one of its readings that the facts bear out best.

    Args:
        look: what differs.
        candidates: as of `explain`.
        booked: likewise.

    Returns:
        The look with that reading as its difference, and the explanation of it; its confidence
        counts what would explain the other readings against it. Where no reading is explained, the
        first counts: the game has taken every accepted withdrawal.
    """
    if look.available_difference == 0:
        return look, explain(look.difference, candidates)
    reading, explanation = _explain(
        look.readings[:_MAX_READINGS], candidates, booked, look.snapshot.currency
    )
    return look._replace(available_difference=reading), explanation


def severity_of(difference: int, exponent: int, *, unexplained: bool) -> Severity:
    """How much it matters, by the size in whole units of the currency."""
    unit = 10**exponent
    limits = (_MEDIUM_FROM, _HIGH_FROM, _CRITICAL_FROM)
    step = sum(abs(difference) >= limit * unit for limit in limits)
    if unexplained:
        step = min(step + 1, len(_STEPS) - 1)
    return _STEPS[step]


@dataclass(frozen=True, slots=True)
class _Likely:
    """What explains a reading, and how likely it is, in per cent, of all that explains any."""

    reading: int
    percent: int
    sets: list[tuple[Candidate, ...]]

    @property
    def evidence(self) -> list[Evidence]:
        return [one.fact for one in self.sets[0]]

    @property
    def told(self) -> Alternative:
        return Alternative(self.percent, self.evidence)


def _explain(
    readings: Sequence[int],
    candidates: Sequence[Candidate],
    booked: Sequence[Booked],
    currency: str,
) -> tuple[int, Explanation]:
    """The reading that is meant, and the explanation of it."""
    candidates = _told_once(candidates)
    likely = _likely(readings, candidates, booked)
    said = Said(readings[0], currency)
    if not likely or likely[0].percent < _BELIEVED:
        first = readings[0]
        return first, replace(
            _known_part(first, candidates),
            alternatives=[one.told for one in likely if one.reading == first],
            notes=said.either_of((one.reading, one.sets[0]) for one in likely),
        )
    best, *others = likely
    evidence = best.evidence
    return best.reading, Explanation(
        explained=best.reading,
        unexplained=0,
        cause=_largest(evidence).cause,
        evidence=evidence,
        confidence=best.percent,
        alternatives=[one.told for one in others if one.reading == best.reading],
        notes=said.either_of(
            [
                *((best.reading, rows) for rows in best.sets),
                *((one.reading, one.sets[0]) for one in others),
            ],
            at_least=2,
        ),
    )


def _told_once(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each thing that is said of some money once, as whoever stands for it best says it.

    In an order that does not depend on the one they came in. Of those who stand for it equally, the
    first to tell counts: a report that is repeated every minute is not a new one every minute.
    """
    ordered = sorted(
        candidates,
        key=lambda one: (one.standing.rank, one.doubts, one.fact.at, one.fact.id, one.fact.summary),
    )
    kept: dict[tuple[str, Meaning], Candidate] = {}
    for one in ordered:
        kept.setdefault((one.key, one.meaning), one)
    by_name = sorted(kept.values(), key=lambda one: (one.key, one.meaning[:2]))
    return sorted(by_name, key=lambda one: one.fact.at, reverse=True)


def _likely(
    readings: Sequence[int], candidates: Sequence[Candidate], booked: Sequence[Booked]
) -> list[_Likely]:
    """What fits and is worth saying, the likeliest first; of equals, that with the newest row."""
    known = Known(_groups(candidates)).amount
    all_weights = 0.0
    found: list[tuple[int, Weight, list[Fit]]] = []
    for reading in readings:
        values = _possible_values(reading, candidates)
        groups = _groups([*candidates, *slipped(booked, reading - known, values)])
        odds = [group.odds for group in groups for _ in group.facts]
        meanings: defaultdict[object, list[Fit]] = defaultdict(list)
        for fit in fits(reading, groups):
            meanings[fit.said].append(fit)
        weights = {said: sum(fit.weight for fit in same) for said, same in meanings.items()}
        all_weights += sum(weights.values())
        all_weights += weight_of_the_rest(weight_of_all(odds), tried_weight(groups), values)
        found += [(reading, weights[said], same) for said, same in meanings.items()]
    worth = [one for one in found if percent(one[1], all_weights) >= _WORTH_SAYING]
    ranked = sorted(
        [(weight, _rows_of(same), reading) for reading, weight, same in worth],
        key=lambda one: (-one[0], len(one[1][0]), -_newest_s(one[1][0])),
    )
    return [
        _Likely(reading, percent(weight, all_weights), sets)
        for weight, sets, reading in ranked[: 1 + _ALTERNATIVES]
    ]


def _rows_of(same: Sequence[Fit]) -> list[tuple[Candidate, ...]]:
    """A few of the sets that say the same, one more than are named."""
    ranked = sorted(same, key=lambda fit: -fit.weight)[: NAMED + 1]
    return [rows for fit in ranked for rows in fit.sets(NAMED + 1)]


def _groups(candidates: Sequence[Candidate]) -> list[Group]:
    about = Counter(one.key for one in candidates)
    crowd = Counter((one.standing, one.doubts) for one in candidates)
    odds = [
        odds_of(one.standing, share=one.share or crowd[one.standing, one.doubts], doubts=one.doubts)
        for one in candidates
    ]
    # Of money of which two likely things are told, neither is taken to be true.
    likely = Counter(one.key for one, its in zip(candidates, odds, strict=True) if its > 1)
    members: defaultdict[tuple[Meaning, Odds, bool, bool], list[Candidate]] = defaultdict(list)
    for one, its in zip(candidates, odds, strict=True):
        known = its > 1 and likely[one.key] == 1
        members[one.meaning, against(its) if known else its, known, about[one.key] == 1].append(one)
    return [
        Group(meaning, its, known, facts, frozenset(one.key for one in facts), is_alone)
        for (meaning, its, known, is_alone), facts in members.items()
    ]


def _possible_values(difference: int, candidates: Sequence[Candidate]) -> int:
    """How many differences amounts like these could make: few where all of them are round."""
    amounts = [abs(difference), *(abs(one.fact.amount) for one in candidates)]
    return 2 * max(amounts) // gcd(*amounts)


def _known_part(difference: int, candidates: Sequence[Candidate]) -> Explanation:
    """What both sides have told is part of a difference that nothing makes, if it makes it less."""
    known = [
        one
        for one in candidates
        if one.standing is Standing.KNOWN and not one.doubts and one.fact.amount
    ]
    evidence = [one.fact for one in known]
    explained = sum(fact.amount for fact in evidence)
    keys = {one.key for one in known}
    if not known or len(keys) < len(known) or abs(difference - explained) >= abs(difference):
        return Explanation(0, difference, Cause.UNEXPLAINED, [])
    unexplained = difference - explained
    largest = _largest(evidence)
    cause = largest.cause if abs(largest.amount) >= abs(unexplained) else Cause.UNEXPLAINED
    # What has gone wrong together stands or falls together.
    roots = {(one.fact.cause, one.fact.root or one.key) for one in known}
    confidence = percent_of_all(odds_of(Standing.KNOWN, share=1, doubts=0), len(roots))
    if confidence < _BELIEVED:
        return Explanation(0, difference, Cause.UNEXPLAINED, [])
    return Explanation(explained, unexplained, cause, evidence, confidence=confidence)


def _largest(evidence: Sequence[Evidence]) -> Evidence:
    return max(evidence, key=lambda fact: abs(fact.amount))


def _newest_s(rows: Sequence[Candidate]) -> float:
    return max(one.fact.at.timestamp() for one in rows)
