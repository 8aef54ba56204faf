"""What came of measuring the intake, for `tests.benchmarks.report`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.benchmarks.intake import CONNECTIONS, PLAYERS
from tests.benchmarks.peers import CLIENTS
from tests.benchmarks.report import Part, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.intake import Results

__all__ = ["intake_part"]


def intake_part(results: Results) -> Part:
    """The intake's verdict, medians and conditions."""
    return Part(
        "intake",
        "Intake",
        list(_rows(results)),
        [_medians(results)],
        _conditions(results),
        {
            "settings": results.settings,
            "rates_per_s": results.rates,
            "turns": {
                name: [asdict(turn) for turn in turns] for name, turns in results.turns.items()
            },
        },
    )


def _rows(results: Results) -> Iterator[Row]:
    booked = results.rate("booked")
    yield Row(
        "booked ÷ the same handler with no database",
        booked / results.rate("no-database"),
        bound=0.5,
    )
    yield Row(
        "… with registered payments",
        results.rate("registered") / results.rate("no-database"),
        bound=0.5,
    )
    yield Row("÷ one transaction per delivery", booked / results.rate("one-each"), bound=3)
    yield Row("÷ `pgbench -N`", booked / results.rate("pgbench"), bound=1.2)
    if "pgledger" in results.rates:
        yield Row("÷ pgledger", booked / results.rate("pgledger"), bound=2.5)
    yield Row("p99", results.median("booked", "p99_ms"), "ms", 50, most=True)
    yield Row(
        f"rate at {results.plan.history:,} postings ÷ at an empty ledger",
        results.rate("history") / booked,
        bound=0.8,
    )
    yield Row(
        "… right after a checkpoint, with nothing in memory", results.rate("checkpoint") / booked
    )
    yield Row("while a sealer works every second ÷ without", results.rate("sealed") / booked)
    yield Row("two processes ÷ one", results.rate("two-processes") / booked)
    before, after = results.memory_mb
    yield Row(
        f"memory after {results.sent:,} deliveries - after 10,000",
        after - before,
        "MB",
        20,
        most=True,
    )


def _medians(results: Results) -> Table:
    rows = []
    for name, rates in results.rates.items():
        if name in results.turns:
            measures = ("p50_ms", "p99_ms", "service_us", "postgres_us", "sender_us")
            p50, p99, *cpu = (results.median(name, measure) for measure in measures)
            costs = [f"{part:.0f}" for part in cpu]
            rows.append([name, f"{results.rate(name):,.0f}", f"{p50:.1f}", f"{p99:.1f}", *costs])
        else:
            spread = f"{name} ({min(rates):,.0f} to {max(rates):,.0f})"
            rows.append([spread, f"{results.rate(name):,.0f}", "", "", "", "", ""])
    cpu_us = ["CPU µs: service", "Postgres", "sender"]
    return Table(["medians", "per second", "p50 ms", "p99 ms", *cpu_us], rows)


def _conditions(results: Results) -> str:
    settings = ", ".join(f"`{name}={value}`" for name, value in results.settings.items())
    return (
        f"{CONNECTIONS} connections, one service process, {PLAYERS:,} players, peers with "
        f"{CLIENTS} clients, {results.plan.rounds} interleaved rounds of "
        f"{results.plan.seconds:g} s, medians. {settings}. Afterwards {results.booked:,} "
        "acknowledged deliveries were counted in the books, which verified."
    )
