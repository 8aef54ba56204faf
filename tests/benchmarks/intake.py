"""The intake, in one run: contenders take turns, so that what disturbs one disturbs them all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import asyncpg

from recon.db import open_pool
from recon.seals import Sealer, SealKeys, verify_all
from tests.benchmarks import peers
from tests.benchmarks.filling import fill_history, register_payments
from tests.benchmarks.processes import (
    Sender,
    Service,
    sender,
    service,
    tree_cpu_seconds,
)
from tests.benchmarks.say import say
from tests.benchmarks.server import SETTINGS, bench_server, make_databases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from recon.db.embedded import EmbeddedPostgres

__all__ = ["CONNECTIONS", "PLAYERS", "Plan", "Results", "Turn", "measure_intake"]

CONNECTIONS = 64
PLAYERS = 100_000
_KEYS = SealKeys(("a key of the benchmark, at least 32 characters long",))
_SEAL_EVERY_S = 1.0
_WARM_UP = 3_000
_MEMORY_FROM = 10_000
_A_SHARE = 20_000
_SETTLED = 0.03
"""Deliveries for each posting of history, until what they touch is in memory and in the log."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Args:
        rounds: turns of each contender.
        seconds: of one turn, about.
        history: postings in the ledger that is not empty.
        endurance: deliveries after which memory is read again.
        pgledger: where its SQL is; ``None`` leaves it out.
        only: names of contenders; empty for all.
        wallets: of the quality.
        minutes: of play, for the quality.
        lines: of the settlement file.
    """

    rounds: int
    seconds: float
    history: int
    endurance: int
    pgledger: Path | None
    only: frozenset[str]
    wallets: int = 10_000
    minutes: float = 6.0
    lines: int = 5_000_000


@dataclass(slots=True)
class Turn:
    """One turn of a service: deliveries a second, latency, and microseconds of CPU a delivery."""

    rate: float
    p50_ms: float
    p99_ms: float
    service_us: float
    postgres_us: float
    sender_us: float


@dataclass(slots=True)
class Results:
    """What came out."""

    plan: Plan
    settings: dict[str, str]
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=dict)
    memory_mb: tuple[float, float] = (0.0, 0.0)
    booked: int = 0
    sent: int = 0

    def rate(self, name: str) -> float:
        """The median rate of a contender."""
        return median(self.rates[name])

    def median(self, name: str, measure: str) -> float:
        """The median of any measure of a service's turns."""
        return float(median(getattr(turn, measure) for turn in self.turns[name]))


@dataclass(slots=True)
class _Bench:
    plan: Plan
    server: EmbeddedPostgres
    sender: Sender
    results: Results
    sent: dict[str, int] = field(default_factory=dict)

    async def send(self, name: str, target: Service, count: int) -> dict[str, Any]:
        references = None
        if name == "registered":
            references = f"ref_{self.sent.get(name, 0)}_"
            async with _connected(self.server, name) as connection:
                await register_payments(connection, references, count, PLAYERS)
        self.sent[name] = self.sent.get(name, 0) + count
        return await asyncio.to_thread(
            self.sender.send,
            target,
            count=count,
            users=PLAYERS,
            connections=CONNECTIONS,
            references=references,
        )

    @asynccontextmanager
    async def _sealed(self, name: str) -> AsyncIterator[None]:
        """With a sealer at work all the while, ten times as often as in production."""
        if name != "sealed":
            yield
            return
        async with open_pool(self.server.service_dsn_for(name)) as pool:
            sealer = Sealer(pool, _KEYS)

            async def seal() -> None:
                while True:
                    await sealer.run()
                    await asyncio.sleep(_SEAL_EVERY_S)

            # What the warm-up wrote is no part of the turn.
            await sealer.run(adopt=True)  # its years of history were never sealed
            sealing = asyncio.create_task(seal())
            try:
                yield
            finally:
                sealing.cancel()
                with suppress(asyncio.CancelledError):
                    await sealing
                await sealer.run()

    async def turn(self, name: str, target: Service, count: int) -> Turn:
        postmaster = self.server.pid
        assert postmaster is not None
        async with self._sealed(name):
            before = target.cpu_seconds, tree_cpu_seconds(postmaster)
            answer = await self.send(name, target, count)
        spent = target.cpu_seconds - before[0], tree_cpu_seconds(postmaster) - before[1]
        return Turn(
            rate=count / answer["seconds"],
            p50_ms=answer["p50_ms"],
            p99_ms=answer["p99_ms"],
            service_us=1e6 * spent[0] / count,
            postgres_us=1e6 * spent[1] / count,
            sender_us=1e6 * answer["cpu_seconds"] / count,
        )

    async def measured(
        self, name: str, target: Service, count: int, *, called: str | None = None
    ) -> str:
        """Take a turn, keep what came out under its name (or another), and say it."""
        turn = await self.turn(name, target, count)
        called = called or name
        self.results.turns.setdefault(called, []).append(turn)
        self.results.rates.setdefault(called, []).append(turn.rate)
        return (
            f"{called}: {turn.rate:,.0f}/s p50 {turn.p50_ms:.1f} "
            f"p99 {turn.p99_ms:.1f} ms; CPU µs: service {turn.service_us:.0f}, "
            f"Postgres {turn.postgres_us:.0f}, sender {turn.sender_us:.0f}"
        )


async def measure_intake(plan: Plan) -> Results:
    """Measure everything of a plan.

    Raises:
        RuntimeError: an acknowledged delivery is not in the books, or they do not verify.
    """
    async with bench_server() as (server, home):
        with sender() as sending:
            bench = _Bench(plan, server, sending, Results(plan, await _settings(server)))
            await _measure(bench, home)
    return bench.results


async def _measure(bench: _Bench, home: Path) -> None:
    plan, results = bench.plan, bench.results
    variants = {
        "booked": "shared",
        "registered": "shared",
        "history": "shared",
        "sealed": "shared",
        "two-processes": "shared",
        "no-database": "no-database",
        "one-each": "one-each",
    }
    chosen = [name for name in variants if not plan.only or name in plan.only]
    others = await _peers(bench, home)
    await _databases(bench, chosen)
    async with AsyncExitStack() as running:
        services = {
            name: running.enter_context(
                service(
                    variants[name],
                    bench.server.service_dsn_for(name),
                    processes=2 if name == "two-processes" else 1,
                )
            )
            for name in chosen
        }
        counts = {}
        memory_from = 0.0
        for name, target in services.items():
            # Twice: the first fills caches, and for memory it is the point to measure from.
            await bench.send(name, target, _MEMORY_FROM if name == "booked" else _WARM_UP)
            memory_from = target.memory_mb if name == "booked" else memory_from
            took = (await bench.send(name, target, _WARM_UP))["seconds"]
            counts[name] = int(plan.seconds * _WARM_UP / took)
        if "history" in services:
            await _settle(bench, services["history"], counts["history"])
        for number in range(plan.rounds):
            for name, target in services.items():
                say(f"round {number + 1} {await bench.measured(name, target, counts[name])}")
            for name, peer in others.items():
                rate = await asyncio.to_thread(peer.rate, max(1, round(plan.seconds)))
                results.rates.setdefault(name, []).append(rate)
                say(f"round {number + 1} {name}: {rate:,.0f}/s")
        if "booked" in services:
            target = services["booked"]
            while not plan.only and bench.sent["booked"] < plan.endurance:
                rest = min(_A_SHARE, plan.endurance - bench.sent["booked"])
                await bench.send("booked", target, rest)
                say(f"{bench.sent['booked']:,} deliveries, {target.memory_mb:.1f} MB")
            results.memory_mb = memory_from, target.memory_mb
            results.sent = bench.sent["booked"]
    for name in chosen:
        if name != "no-database":
            await _prove(bench, name)


async def _settle(bench: _Bench, target: Service, count: int) -> None:
    """Measure a long ledger right after a checkpoint, and then let it come to rest.

    The first delivery that touches a page after a checkpoint writes all of it to the log, and
    nothing of the filled tables is in memory yet.
    """
    say(await bench.measured("history", target, count, called="checkpoint"))
    until = bench.sent["history"] + int(_SETTLED * bench.plan.history)
    while bench.sent["history"] < until:
        took = (await bench.send("history", target, _A_SHARE))["seconds"]
        say(f"history: {bench.sent['history']:,} deliveries, {_A_SHARE / took:,.0f}/s")


async def _databases(bench: _Bench, names: Sequence[str]) -> None:
    await make_databases(bench.server, names)
    if "history" in names:
        async with _connected(bench.server, "history") as connection:
            await fill_history(connection, bench.plan.history, PLAYERS, progress=say)


async def _peers(bench: _Bench, home: Path) -> dict[str, peers.Peer]:
    wanted = {"pgbench"} | ({"pgledger"} if bench.plan.pgledger is not None else set())
    if bench.plan.only:
        wanted &= bench.plan.only
    async with _connected(bench.server, "postgres") as connection:
        for name in wanted:
            await connection.execute(f"CREATE DATABASE {name}")
    found = {}
    if "pgbench" in wanted:
        found["pgbench"] = await asyncio.to_thread(peers.pgbench, bench.server, "pgbench")
    if "pgledger" in wanted and bench.plan.pgledger is not None:
        found["pgledger"] = await peers.pgledger(
            bench.server, "pgledger", bench.plan.pgledger, home
        )
    return found


async def _prove(bench: _Bench, name: str) -> None:
    """Every delivery that was answered with 200 is in the books, and the books are in order."""
    async with _connected(bench.server, name) as connection:
        postings = await connection.fetchval("SELECT count(*) FROM postings")
    expected = bench.sent[name] + (bench.plan.history if name == "history" else 0)
    if postings != expected:
        raise RuntimeError(f"{name}: {expected} deliveries acknowledged, {postings} postings")
    async with open_pool(bench.server.service_dsn_for(name)) as pool:
        verified = await verify_all(pool, _KEYS)
    if verified.faults:
        raise RuntimeError(f"{name}: the books do not verify: {verified.faults[:3]}")
    bench.results.booked += bench.sent[name]


@asynccontextmanager
async def _connected(
    server: EmbeddedPostgres, database: str
) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(server.dsn_for(database), command_timeout=None)
    try:
        yield connection
    finally:
        await connection.close()


async def _settings(server: EmbeddedPostgres) -> dict[str, str]:
    """What the server really runs with."""
    async with _connected(server, "postgres") as connection:
        rows = await connection.fetch(
            "SELECT name, current_setting(name) AS value FROM pg_settings "
            "WHERE name = ANY($1::text[]) ORDER BY name",
            [*SETTINGS, "server_version", "wal_sync_method", "wal_level"],
        )
    return {row["name"]: row["value"] for row in rows}
