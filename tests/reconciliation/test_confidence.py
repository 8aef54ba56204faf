"""What an explanation says of its own certainty is kept over many made-up wallets."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from recon.reconciliation import Cause, Evidence
from recon.reconciliation.explain import Candidate, explain
from recon.reconciliation.odds import Standing
from recon.reconciliation.slips import Booked

if TYPE_CHECKING:
    import pytest

WALLETS = int(os.environ.get("RECON_TEST_WALLETS", "700"))
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ROUND = (5_00, 10_00, 20_00, 50_00, 100_00)
HAPPENED = {
    "lost at the game": 40,
    "doubled at the game": 15,
    "webhook missing": 20,
    "webhook quarantined": 10,
    "two at once": 8,
    "another amount, by a slip": 6,
    "another amount, like nothing": 5,
    "nobody knows": 7,
}


@dataclass(frozen=True)
class Case:
    """A wallet's candidates, and the causes and amounts that really made its difference."""

    candidates: list[Candidate]
    booked: list[Booked]
    really: list[tuple[Cause, int]]
    unknown: int

    @property
    def difference(self) -> int:
        return self.unknown + sum(amount for _, amount in self.really)


def made_up(random: Random) -> Case:
    """Players deposit round sums as often as odd ones; some registered payments never happen."""
    candidates: list[Candidate] = []

    booked: list[Booked] = []
    agreed = random.random() < 0.7

    def add(kind: str, amount: int, cause: Cause, standing: Standing, row: str) -> Evidence:
        at = NEW_YEAR + timedelta(minutes=random.randrange(10_000))
        fact = Evidence(kind, row, amount, at, "", cause)
        candidates.append(Candidate(fact, standing))
        return fact

    def amount() -> int:
        return random.choice(ROUND) if random.random() < 0.5 else random.randrange(1_00, 300_00)

    lost, doubled = [], []
    for number in range(random.choice((1, 2, 3, 5, 8, 20, 60))):
        sum_, row = amount(), f"w:GBP:{number}"
        lost.append(add("posting", -sum_, Cause.MISSING_GAME_UPDATE, Standing.SUGGESTED, row))
        doubled.append(add("posting", sum_, Cause.DUPLICATE, Standing.SUGGESTED, row))
        mismatch = replace(lost[-1], amount=0, cause=Cause.AMOUNT_MISMATCH)
        booked.append(Booked(mismatch, sum_, "GBP", f"posting {row}", agreed_before=agreed))
    abandoned = [
        add("payment", amount(), Cause.MISSING_WEBHOOK, Standing.OPEN, f"open-{number}")
        for number in range(random.choice((0, 0, 1, 2, 4)))
    ]
    # What is quarantined has been paid, and is in the difference whatever else has happened.
    quarantined = [
        add("delivery", amount(), Cause.MISSING_WEBHOOK, Standing.KNOWN, f"q-{number}")
        for number in range(random.random() < 0.05)
    ]
    (what,) = random.choices([*HAPPENED], [*HAPPENED.values()])
    really, unknown = [*quarantined], 0
    if what == "webhook missing":
        missing = add("payment", amount(), Cause.MISSING_WEBHOOK, Standing.OPEN, "missing")
        really.append(missing)
    elif what == "webhook quarantined":
        really.append(add("delivery", amount(), Cause.MISSING_WEBHOOK, Standing.KNOWN, "here"))
    elif what == "nobody knows":
        unknown = random.choice((-1, 1)) * amount()
    elif what.startswith("another amount"):
        here = random.choice(booked).change
        there = slip(random, here) if what.endswith("slip") else amount()
        really.append(Evidence("", "", there - here, NEW_YEAR, "", Cause.AMOUNT_MISMATCH))
    else:
        really.append(random.choice(doubled if what == "doubled at the game" else lost))
        if what == "two at once" and abandoned:
            really.append(random.choice(abandoned))
    return Case(candidates, booked, [(fact.cause, fact.amount) for fact in really], unknown)


def slip(random: Random, here: int) -> int:
    """Another amount, as people and programs get it."""
    fee = here * random.randrange(50, 500) // 10_000
    return random.choice((here * 10, here * 100, here // 10, here // 100, here - fee, -here))


def test_what_is_said_to_be_certain_is_right_as_often_as_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    random = Random(20260101)  # noqa: S311 - made-up wallets, the same each time
    right: Counter[int] = Counter()
    said: Counter[int] = Counter()
    confidences: defaultdict[int, list[int]] = defaultdict(list)
    unexplained = 0
    for _ in range(WALLETS):
        case = made_up(random)
        if case.difference == 0:
            continue
        found = explain(case.difference, case.candidates, case.booked)
        if found.unexplained:
            unexplained += 1
            continue
        band = found.confidence // 10 * 10
        named = Counter((fact.cause, fact.amount) for fact in found.evidence)
        said[band] += 1
        confidences[band].append(found.confidence)
        right[band] += named == Counter(case.really) and not case.unknown

    with capsys.disabled():
        print(f"\n{WALLETS} wallets, {unexplained} unexplained")  # noqa: T201 - shown to whoever runs it
        for band in sorted(said):
            mean, share = sum(confidences[band]) / said[band], right[band] / said[band]
            print(f"  said {mean:.0f} %: right {share:.0%} of {said[band]}")  # noqa: T201 - likewise
    for band in said:
        mean = sum(confidences[band]) / said[band]
        # Three standard deviations of a share of so many, of the mean of what was said.
        spread = 300 * (max(mean, 1) / 100 * (1 - mean / 100) / said[band]) ** 0.5
        assert 100 * right[band] / said[band] >= mean - spread - 5, band
    assert unexplained < WALLETS * 0.2
    assert said[90] > WALLETS * 0.4
