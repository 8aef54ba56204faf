"""Explain a difference by the smallest set of facts whose sum it is; pure, exact, bounded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

from recon.reconciliation.model import Cause, Evidence, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.reconciliation.compare import Comparison

__all__ = ["Explanation", "explain", "explain_look", "severity_of"]

# Sums of two or three fit any difference by chance once there are enough of them: 60 facts make
# some 1,800 pairs, 20 make 1,100 triples, against amounts that differ by tens of thousands.
_AMONG = {2: 60, 3: 20}
# What is booked is wrong only if the sums say so; it is combined where hardly anything else could.
_FEW = 12
_MAX_READINGS = 8
_NAMED = 5

# What our own records say is missing comes before what only the sums suggest.
_RANK = {
    Cause.AMOUNT_MISMATCH: 0,
    Cause.MISSING_WEBHOOK: 1,
    Cause.UNRESOLVED_BET: 2,
    Cause.MISSED_PAYOUT: 3,
    Cause.MISSING_GAME_UPDATE: 4,
    Cause.DUPLICATE: 5,
}

_STEPS = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_MEDIUM_FROM = 10
_HIGH_FROM = 100
_CRITICAL_FROM = 10_000


@dataclass(frozen=True, slots=True)
class Explanation:
    """``difference = explained + unexplained``, the facts behind it and the cause they name.

    ``notes`` says what else would have fitted as well.
    """

    explained: int
    unexplained: int
    cause: Cause
    evidence: list[Evidence]
    notes: list[str] = field(default_factory=list)


def explain(difference: int, facts: Sequence[Evidence]) -> Explanation:
    """The fewest facts, none twice, whose amounts make exactly the difference.

    Args:
        difference: game minus ledger, in minor units, not zero.
        facts: candidates; each amount is the difference that the fact alone would make. The same
            row may stand for two candidates (lost or doubled) and is used once.

    Returns:
        The best of the smallest sets: by what its records say, then the most recent. One fact may
        be any; two or three are combined only among our own records of something wrong, or where
        there are few facts at all, and only if all that fit say the same (the same causes and
        amounts): else it may be chance. Nothing fits: all of it is unexplained.
    """
    ranked = sorted(facts, key=lambda fact: (_RANK[fact.cause], -fact.at.timestamp()))
    fitting = _that_fit(difference, ranked, 1)
    combined = ranked if len(ranked) <= _FEW else [fact for fact in ranked if _is_wrong(fact)]
    for size, among in _AMONG.items():
        if not fitting and len(combined) <= among:
            fitting = _that_fit(difference, combined, size)
    if not fitting:
        return Explanation(0, difference, Cause.UNEXPLAINED, [])
    best = fitting[0]
    notes = [_either_of(fitting)] if len(fitting) > 1 else []
    if len(best) > 1 and len({_meaning(chosen) for chosen in fitting}) > 1:
        return Explanation(0, difference, Cause.UNEXPLAINED, [], notes)
    largest = max(best, key=lambda fact: abs(fact.amount))
    return Explanation(difference, 0, largest.cause, list(best), notes)


def explain_look(look: Comparison, facts: Sequence[Evidence]) -> tuple[Comparison, Explanation]:
    """Explain a look by the one of its readings that the facts bear out with the fewest of them.

    Returns:
        The look with that reading as its difference, and the explanation of it. Where no reading
        is explained, the first counts: the game has taken every accepted withdrawal.
    """
    if look.available_difference == 0:
        return look, explain(look.difference, facts)
    tried = [(reading, explain(reading, facts)) for reading in look.readings[:_MAX_READINGS]]
    reading, best = min(tried, key=lambda one: (one[1].unexplained != 0, len(one[1].evidence)))
    return replace(look, available_difference=reading), best


def severity_of(difference: int, exponent: int, *, unexplained: bool) -> Severity:
    """How much it matters, by the size in whole units of the currency."""
    unit = 10**exponent
    limits = (_MEDIUM_FROM, _HIGH_FROM, _CRITICAL_FROM)
    step = sum(abs(difference) >= limit * unit for limit in limits)
    if unexplained:
        step = min(step + 1, len(_STEPS) - 1)
    return _STEPS[step]


def _that_fit(difference: int, ranked: Sequence[Evidence], size: int) -> list[tuple[Evidence, ...]]:
    """The sets of so many rows that make the difference, the best first."""
    return [
        chosen
        for chosen in combinations(ranked, size)
        if sum(fact.amount for fact in chosen) == difference
        and len({(fact.kind, fact.id) for fact in chosen}) == size
    ]


def _is_wrong(fact: Evidence) -> bool:
    """Whether our own records say that something is amiss, and not only the sum."""
    return fact.kind != "posting" and fact.cause not in {Cause.MISSING_GAME_UPDATE, Cause.DUPLICATE}


def _meaning(chosen: Sequence[Evidence]) -> tuple[tuple[Cause, int], ...]:
    return tuple(sorted((fact.cause, fact.amount) for fact in chosen))


def _either_of(fitting: Sequence[Sequence[Evidence]]) -> str:
    """What fits, in words; a row that fits in two ways is said once."""
    said = list(
        dict.fromkeys(" + ".join(f"{fact.kind} {fact.id}" for fact in chosen) for chosen in fitting)
    )
    more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return "either of: " + "; ".join(said[:_NAMED]) + more
