"""What came of measuring bets, for `tests.benchmarks.report`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.benchmarks.bets import CONNECTIONS, PLAYERS
from tests.benchmarks.report import Part, Row, Table

if TYPE_CHECKING:
    from tests.benchmarks.bets import Bets

__all__ = ["bets_part"]


def bets_part(bets: Bets) -> Part:
    """The bets' verdict, medians and conditions."""
    rows = [
        Row(
            "bets placed through the API ÷ a loop of the same two signed calls",
            bets.ratio("client"),
            bound=0.5,
        ),
        Row("… ÷ such a loop without our client", bets.ratio("raw")),
        Row("p99 of a bet", bets.median("bets", "p99_ms"), "ms"),
        Row("CPU of a caller's repeat ÷ of the bet", bets.cost_of_a_repeat()),
    ]
    return Part(
        "bets",
        "Bets",
        rows,
        [_medians(bets)],
        f"{CONNECTIONS} connections of one caller, {PLAYERS:,} players, one service process, the "
        f"sandbox in its own, {len(bets.placed)} interleaved rounds, medians. Afterwards every "
        "acknowledged bet was found placed, no stake was on hold, and the books verified.",
        {"turns": {name: [asdict(turn) for turn in turns] for name, turns in bets.turns().items()}},
    )


def _medians(bets: Bets) -> Table:
    rows = []
    for name in bets.turns():
        measures = ("p50_ms", "p99_ms", "client_us", "postgres_us", "game_us")
        p50, p99, *cpu = (bets.median(name, measure) for measure in measures)
        waits = [f"{p50:.1f}", f"{p99:.1f}"] if p99 else ["", ""]
        rate = f"{bets.median(name, 'rate'):,.0f}"
        rows.append([name, rate, *waits, *(f"{part:.0f}" for part in cpu)])
    cpu_us = ["CPU µs: service or loop", "Postgres", "game"]
    return Table(["medians", "per second", "p50 ms", "p99 ms", *cpu_us], rows)
