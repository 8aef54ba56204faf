"""Bets: placed through the API, and by a bare loop that makes the same two signed calls, in turns.

The game is the sandbox, a process of its own; so are the service, the loop and what sends bets.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from recon.db import open_pool
from recon.http import Scope
from recon.http.keys import create_key
from recon.ledger import verify_books
from recon.money import Money
from tests.benchmarks.funding import fund
from tests.benchmarks.processes import (
    Child,
    Sender,
    Service,
    child,
    cpu_seconds,
    sender,
    service,
    tree_cpu_seconds,
)
from tests.benchmarks.say import say
from tests.benchmarks.server import bench_server, make_databases

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.db import Pool
    from recon.db.embedded import EmbeddedPostgres

__all__ = ["CONNECTIONS", "PLAYERS", "BetTurn", "Bets", "measure_bets"]

PLAYERS: Final = 1000
CONNECTIONS: Final = 64
_FUNDS: Final = Money.parse("10000.00", "GBP")
_WARM_UP: Final = 500
_DATABASE: Final = "bets"
_LOOPS: Final = ("client", "raw")


@dataclass(slots=True)
class BetTurn:
    """One turn: bets a second, latency, and microseconds of CPU a bet.

    ``client_us`` is spent by whoever calls the game: the service, or the loop.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    client_us: float
    postgres_us: float
    game_us: float


@dataclass(slots=True)
class Bets:
    """What came out: ``placed`` and ``repeated`` through the API, ``loops`` by their kind."""

    placed: list[BetTurn] = field(default_factory=list)
    repeated: list[BetTurn] = field(default_factory=list)
    loops: dict[str, list[BetTurn]] = field(default_factory=dict)

    def ratio(self, loop: str) -> float:
        """The median of bets placed a second ÷ the loop's, turn by turn."""
        pairs = zip(self.placed, self.loops[loop], strict=True)
        return median(placed.rate / bare.rate for placed, bare in pairs)

    def median(self, name: str, measure: str) -> float:
        """The median of any measure of one kind's turns."""
        return float(median(getattr(turn, measure) for turn in self.turns()[name]))

    def cost_of_a_repeat(self) -> float:
        """CPU of the service and of Postgres for a repeat ÷ for the bet itself."""
        costs = [
            sum(self.median(name, measure) for measure in ("client_us", "postgres_us"))
            for name in ("repeats", "bets")
        ]
        return costs[0] / costs[1]

    def turns(self) -> dict[str, list[BetTurn]]:
        """All turns, by a name for each kind."""
        loops = {f"loop ({kind})": turns for kind, turns in self.loops.items()}
        return {"bets": self.placed, "repeats": self.repeated, **loops}


@dataclass(frozen=True, slots=True)
class _Table:
    """Everybody at it."""

    server: EmbeddedPostgres
    game: Child
    service: Service
    sender: Sender
    loop: Child
    round_id: str
    api_key: str

    async def bets(self, count: int, batch: str) -> BetTurn:
        """Send bets through the API."""
        return await self._measured(
            count,
            lambda: self.sender.send(
                self.service,
                count=count,
                users=PLAYERS,
                connections=CONNECTIONS,
                batch=batch,
                round_id=self.round_id,
                api_key=self.api_key,
            ),
        )

    async def loop_turn(self, kind: str, count: int) -> BetTurn:
        """Let the loop go round."""
        return await self._measured(
            count,
            lambda: self.loop.ask(
                kind=kind,
                count=count,
                users=PLAYERS,
                connections=CONNECTIONS,
                round_id=self.round_id,
            ),
        )

    async def _measured(self, count: int, send: Callable[[], dict[str, Any]]) -> BetTurn:
        before = self._spent()
        answer = await asyncio.to_thread(send)
        client_s, postgres_s, game_s = (
            after - was for after, was in zip(self._spent(), before, strict=True)
        )
        return BetTurn(
            rate=count / answer["seconds"],
            p50_ms=answer.get("p50_ms", 0.0),
            p99_ms=answer.get("p99_ms", 0.0),
            client_us=1e6 * client_s / count,
            postgres_us=1e6 * postgres_s / count,
            game_us=1e6 * game_s / count,
        )

    def _spent(self) -> tuple[float, float, float]:
        assert self.server.pid is not None
        return (
            self.service.cpu_seconds + cpu_seconds(self.loop.pid),
            tree_cpu_seconds(self.server.pid),
            cpu_seconds(self.game.pid),
        )


async def measure_bets(*, rounds: int, seconds: float) -> Bets:
    """Measure bets on an empty database of a server of their own.

    Args:
        rounds: turns of each contender, interleaved.
        seconds: of one turn, about.

    Raises:
        RuntimeError: a bet was not placed, or the books do not verify or lack one.
    """
    async with bench_server() as (server, _):
        await make_databases(server, [_DATABASE])
        return await _measure(server, rounds, seconds)


async def _measure(server: EmbeddedPostgres, rounds: int, seconds: float) -> Bets:
    every = ("--betting", "86400", "--hold-ttl", "86400", "--rate-limit", "1000000000")
    results = Bets()
    with child("recon", "sandbox", "--json", "--port", "0", *every) as game, sender() as sending:
        told = game.read()
        settings = {k: v for k, v in told["settings"].items() if k.startswith("RECON_GAME_")}
        url = server.service_dsn_for(_DATABASE)
        async with open_pool(url) as pool:
            key = await create_key(
                pool, name="bench", scopes=[Scope.WRITE_BET, Scope.READ_BET], lifetime=None
            )
            await fund(pool, told["url"], PLAYERS)
            round_id = await _round(told["url"], settings["RECON_GAME_API_KEY"])
            with (
                service("shared", url, environment=settings) as served,
                child("tests.benchmarks.bets_looping", environment=settings) as loop,
            ):
                table = _Table(server, game, served, sending, loop, round_id, key.key)
                placed = await _turns(table, results, rounds, seconds)
            await _prove(pool, placed)
    say(
        f"bets ÷ loop: {results.ratio('client'):.2f}, without our client {results.ratio('raw'):.2f}"
    )
    return results


async def _turns(table: _Table, results: Bets, rounds: int, seconds: float) -> int:
    """How many bets were placed through the API."""
    await table.bets(_WARM_UP, "warm")
    bets = _count(seconds, (await table.bets(_WARM_UP, "warmer")).rate)
    loops = {}
    for kind in _LOOPS:
        await table.loop_turn(kind, _WARM_UP)
        loops[kind] = _count(seconds, (await table.loop_turn(kind, _WARM_UP)).rate)
    for number in range(rounds):
        results.placed.append(await table.bets(bets, f"r{number}"))
        results.repeated.append(await table.bets(bets, f"r{number}"))
        for kind in _LOOPS:
            turn = await table.loop_turn(kind, loops[kind])
            results.loops.setdefault(kind, []).append(turn)
        for name, turns in results.turns().items():
            say(f"round {number + 1} {name}: {_shown(turns[-1])}")
    return 2 * _WARM_UP + rounds * bets


def _count(seconds: float, rate: float) -> int:
    return max(CONNECTIONS, int(seconds * rate))


def _shown(turn: BetTurn) -> str:
    return (
        f"{turn.rate:,.0f}/s p50 {turn.p50_ms:.1f} p99 {turn.p99_ms:.1f} ms; CPU µs: "
        f"client {turn.client_us:.0f}, Postgres {turn.postgres_us:.0f}, game {turn.game_us:.0f}"
    )


async def _round(game_url: str, api_key: str) -> str:
    async with (
        aiohttp.ClientSession(game_url, headers={"X-API-Key": api_key}) as session,
        session.get("/api/v1/game/state") as answer,
    ):
        return str((await answer.json())["round_id"])


async def _prove(pool: Pool, placed: int) -> None:
    """Every bet that was answered with 201 is in the books, no stake is left on hold."""
    states = {
        row["state"]: row["n"]
        for row in await pool.fetch("SELECT state, count(*) AS n FROM bets GROUP BY state")
    }
    if states != {"placed": placed}:
        raise RuntimeError(f"{placed} bets acknowledged, {states} kept")
    held = await pool.fetchval("SELECT sum(held) FROM wallets")
    verified = await verify_books(pool)
    if held or verified.faults:
        raise RuntimeError(f"the books do not verify: {held} held, {verified.faults[:3]}")
