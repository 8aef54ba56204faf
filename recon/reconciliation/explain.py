"""Explain a difference by the smallest set of facts whose sum it is; pure, exact, bounded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from recon.reconciliation.model import Cause, Evidence, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.reconciliation.compare import Comparison

__all__ = ["Explanation", "explain", "explain_look", "severity_of"]

_PAIRS_AMONG = 400
_TRIPLES_AMONG = 60
_MAX_READINGS = 8

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
    """``difference = explained + unexplained``, the facts behind it and the cause they name."""

    explained: int
    unexplained: int
    cause: Cause
    evidence: list[Evidence]


def explain(difference: int, facts: Sequence[Evidence]) -> Explanation:
    """The fewest facts, none twice, whose amounts make exactly the difference.

    Args:
        difference: game minus ledger, in minor units, not zero.
        facts: candidates; each amount is the difference that the fact alone would make. The same
            row may stand for two candidates (lost or doubled) and is used once.

    Returns:
        The best of the smallest sets: by what its records say, then the most recent. Nothing fits:
        all of it is unexplained. Up to three facts are combined, among the first few hundred.
    """
    ranked = sorted(facts, key=lambda fact: (_RANK[fact.cause], -fact.at.timestamp()))
    for size, among in ((1, len(ranked)), (2, _PAIRS_AMONG), (3, _TRIPLES_AMONG)):
        best = _first_that_fits(difference, ranked[:among], size)
        if best is not None:
            largest = max(best, key=lambda fact: abs(fact.amount))
            return Explanation(difference, 0, largest.cause, list(best))
    return Explanation(0, difference, Cause.UNEXPLAINED, [])


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


def _first_that_fits(
    difference: int, ranked: Sequence[Evidence], size: int
) -> tuple[Evidence, ...] | None:
    return next(
        (
            chosen
            for chosen in combinations(ranked, size)
            if sum(fact.amount for fact in chosen) == difference
            and len({(fact.kind, fact.id) for fact in chosen}) == size
        ),
        None,
    )
