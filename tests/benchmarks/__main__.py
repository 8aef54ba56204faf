"""``make bench``; ``make bench ARGS="--big --pgledger PATH"``."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from tests.benchmarks.report import write_report
from tests.benchmarks.run import Plan, run

_ROOT = Path(__file__).parent.parent.parent


def main() -> None:
    """Measure, write down, and say what came out."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--big", action="store_true", help="10 million postings and 1 million deliveries"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each contender, interleaved")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round, about")
    parser.add_argument("--pgledger", type=Path, help="a checkout of pgledger, or its SQL file")
    parser.add_argument("--only", nargs="*", default=[], help="these parts alone; nothing written")
    parser.add_argument("--out", type=Path, default=_ROOT / "benchmarks", help="where to write")
    given = parser.parse_args()
    plan = Plan(
        rounds=given.rounds,
        seconds=given.seconds,
        history=10_000_000 if given.big else 300_000,
        endurance=1_000_000 if given.big else 60_000,
        pgledger=given.pgledger,
        only=frozenset(given.only),
    )
    results = asyncio.run(run(plan))
    if not plan.only:
        given.out.mkdir(exist_ok=True)
        write_report(results, given.out)


if __name__ == "__main__":
    main()
