"""``make bench``; ``make bench ARGS="intake --big --pgledger PATH"``."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from recon.db.embedded import remove_embedded
from tests.benchmarks.bets import measure_bets
from tests.benchmarks.bets_report import bets_part
from tests.benchmarks.intake import Plan, measure_intake
from tests.benchmarks.intake_report import intake_part
from tests.benchmarks.quality import measure_quality
from tests.benchmarks.quality_report import quality_part
from tests.benchmarks.report import Part, machine, write_part
from tests.benchmarks.settlements_report import measure_settlements, settlements_part
from tests.benchmarks.sweep import measure_sweep, sweep_part

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_ROOT = Path(__file__).parent.parent.parent


async def _intake(plan: Plan) -> Part | None:
    results = await measure_intake(plan)
    return None if plan.only else intake_part(results)


async def _bets(plan: Plan) -> Part | None:
    return bets_part(await measure_bets(rounds=plan.rounds, seconds=plan.seconds))


async def _sweep(plan: Plan) -> Part | None:
    return sweep_part(await measure_sweep(rounds=plan.rounds))


async def _quality(plan: Plan) -> Part | None:
    wallets, minutes = plan.wallets, plan.minutes
    with tempfile.TemporaryDirectory(prefix="recon-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # noqa: ASYNC240 - nothing else runs yet
        try:
            quality = await measure_quality(wallets=wallets, minutes=minutes, home=home / "data")
        finally:
            await remove_embedded(home / "data")
    return quality_part(quality, minutes=minutes)


async def _settlements(plan: Plan) -> Part | None:
    return settlements_part(await measure_settlements(plan.lines))


_PARTS: Final[dict[str, Callable[[Plan], Coroutine[None, None, Part | None]]]] = {
    "intake": _intake,
    "bets": _bets,
    "sweep": _sweep,
    "quality": _quality,
    "settlements": _settlements,
}


def main() -> None:
    """Measure, write down, and say what came out."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(_PARTS)}; all where none is named")
    parser.add_argument(
        "--big", action="store_true", help="10 million postings and 1 million deliveries"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each contender, interleaved")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round, about")
    parser.add_argument("--pgledger", type=Path, help="a checkout of pgledger, or its SQL file")
    parser.add_argument(
        "--only", nargs="*", default=[], help="of the intake, these contenders; it is not written"
    )
    parser.add_argument("--wallets", type=int, default=10_000, help="of the quality")
    parser.add_argument("--minutes", type=float, default=6.0, help="of play, for the quality")
    parser.add_argument("--lines", type=int, default=5_000_000, help="of the settlement file")
    parser.add_argument("--out", type=Path, default=_ROOT / "benchmarks", help="where to write")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    plan = Plan(
        rounds=given.rounds,
        seconds=given.seconds,
        history=10_000_000 if given.big else 300_000,
        endurance=1_000_000 if given.big else 60_000,
        pgledger=given.pgledger,
        only=frozenset(given.only),
        wallets=given.wallets,
        minutes=given.minutes,
        lines=given.lines,
    )
    for name in given.parts or _PARTS:
        where = machine()
        part = asyncio.run(_PARTS[name](plan))
        if part is not None:
            write_part(part, where, given.out)


if __name__ == "__main__":
    main()
