"""The sweep: beside a bare loop of the same GETs, and under the game's rate limit.

The game is the sandbox, a process of its own; so is what sweeps or loops.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from recon.db import open_pool
from recon.reconciliation import Cause, Evidence
from recon.reconciliation.explain import Candidate, explain
from recon.reconciliation.odds import Standing
from tests.benchmarks.funding import fund, fund_game
from tests.benchmarks.processes import child
from tests.benchmarks.report import Part, Row, Table
from tests.benchmarks.say import say
from tests.benchmarks.server import bench_server, make_databases
from tests.benchmarks.serving import URL_VARIABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from recon.db.embedded import EmbeddedPostgres

__all__ = ["Sweeps", "explanation_ms", "measure_sweep", "sweep_part"]

_NEAR: Final = "near"
_FAR: Final = "far"
_ANY: Final = "1000000"
_LATENCY_S: Final = 0.02
_WALLETS: Final = 10_000
_CONNECTIONS: Final = 64
_LIMIT: Final = 500
_CANDIDATES: Final = 1000


@dataclass(slots=True)
class Sweeps:
    """What came out, in calls a second.

    Attributes:
        swept: runs of all wallets, without a limit.
        looped: the bare loop, in turns with them.
        far_swept: as ``swept``, where each answer takes 20 ms.
        far_looped: as ``looped``, likewise.
        allowed: calls a second that the game allowed in the limited run.
        limited: calls a second that it made.
        refused: the share of them that were answered 429.
        explanation_ms: one explanation among a thousand candidates that do not fit.
    """

    swept: list[float] = field(default_factory=list)
    looped: list[float] = field(default_factory=list)
    far_swept: list[float] = field(default_factory=list)
    far_looped: list[float] = field(default_factory=list)
    allowed: int = _LIMIT
    limited: float = 0.0
    refused: float = 0.0
    explanation_ms: float = 0.0


async def measure_sweep(*, rounds: int) -> Sweeps:
    """Measure the sweep.

    Raises:
        RuntimeError: a wallet did not agree.
    """
    sweeps = Sweeps(explanation_ms=explanation_ms())
    async with bench_server() as (server, _):
        await make_databases(server, [_NEAR, _FAR])
        await _compare(server, _NEAR, sweeps.swept, sweeps.looped, rounds, 0.0)
        await _compare(server, _FAR, sweeps.far_swept, sweeps.far_looped, rounds, _LATENCY_S)
        answer = await _limited(server)
        sweeps.limited = answer["calls"] / answer["seconds"]
        sweeps.refused = answer["limited"] / answer["calls"]
    return sweeps


async def _compare(
    server: EmbeddedPostgres,
    database: str,
    swept: list[float],
    looped: list[float],
    rounds: int,
    latency_s: float,
) -> None:
    async with _playing(server, database, "--latency", str(latency_s), fund_them=True) as turn:
        for kind in ("sweep", "raw"):
            await turn(kind)
        for _ in range(rounds):
            for kind, rates in (("sweep", swept), ("raw", looped)):
                answer = await turn(kind)
                rates.append(answer["calls"] / answer["seconds"])


async def _limited(server: EmbeddedPostgres) -> dict[str, Any]:
    """A sweep of the same wallets, at a game that allows so many calls a second."""
    async with _playing(server, _NEAR, fund_them=False) as turn:
        return await turn("sweep")


@asynccontextmanager
async def _playing(
    server: EmbeddedPostgres, database: str, *options: str, fund_them: bool
) -> AsyncIterator[Callable[[str], Awaitable[dict[str, Any]]]]:
    url = server.service_dsn_for(database)
    with child("recon", "sandbox", "--json", "--port", "0", "--rate-limit", _ANY, *options) as game:
        told = game.read()
        if fund_them:
            async with open_pool(url) as pool:
                await fund(pool, told["url"], _WALLETS)
        else:
            await fund_game(told["url"], _WALLETS)
            async with (
                aiohttp.ClientSession(told["url"]) as session,
                session.put("/sandbox/rate-limit", json={"limit": _LIMIT}) as put,
            ):
                put.raise_for_status()
        settings = {**told["settings"], URL_VARIABLE: url}
        with child("tests.benchmarks.sweep_looping", environment=settings) as looping:

            async def turn(kind: str) -> dict[str, Any]:
                order = {"kind": kind, "count": _WALLETS, "connections": _CONNECTIONS}
                answer = await asyncio.to_thread(lambda: looping.ask(**order))
                if answer["agreed"] != _WALLETS:
                    raise RuntimeError(f"{answer['agreed']} of {_WALLETS} wallets agreed")
                say(f"{kind}: {answer['calls'] / answer['seconds']:,.0f} calls a second")
                return answer

            yield turn


def explanation_ms() -> float:
    """The shortest of several, in milliseconds, where a thousand candidates do not fit."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    causes = [cause for cause in Cause if cause is not Cause.UNEXPLAINED]
    standings = [*Standing]
    candidates = [
        Candidate(
            # All even, so that an odd difference makes it try everything that it ever tries.
            Evidence(
                "payment",
                str(number),
                2 * (number * 7919 % 99_991 + 1),
                at + timedelta(minutes=number),
                "",
                causes[number % len(causes)],
            ),
            standings[number % len(standings)],
        )
        for number in range(_CANDIDATES)
    ]
    took = []
    for _ in range(5):
        began = time.perf_counter()
        explain(1_000_001, candidates)
        took.append(time.perf_counter() - began)
    return 1000 * min(took)


def sweep_part(sweeps: Sweeps) -> Part:
    """The sweep's verdict and conditions."""
    rows = [
        Row(
            "sweep ÷ a bare loop of the same GETs, the game on the same machine",
            _ratio(sweeps.swept, sweeps.looped),
            bound=0.7,
        ),
        Row(
            f"… where each answer takes {_LATENCY_S * 1000:.0f} ms",
            _ratio(sweeps.far_swept, sweeps.far_looped),
            bound=0.7,
        ),
        Row("share of the allowed rate that is used", sweeps.limited / sweeps.allowed, bound=0.9),
        Row("answered 429", 100 * sweeps.refused, "%", 0.1, most=True),
        Row(
            f"explanation among {_CANDIDATES:,} candidates",
            sweeps.explanation_ms,
            "ms",
            100,
            most=True,
        ),
    ]
    rates = [
        ["sweep", f"{median(sweeps.swept):,.0f}"],
        ["bare loop", f"{median(sweeps.looped):,.0f}"],
        ["sweep, far", f"{median(sweeps.far_swept):,.0f}"],
        ["bare loop, far", f"{median(sweeps.far_looped):,.0f}"],
        [f"sweep where {sweeps.allowed} are allowed", f"{sweeps.limited:,.0f}"],
    ]
    return Part(
        "sweep",
        "Sweep",
        rows,
        [Table(["medians", "wallets a second"], rates)],
        f"{_WALLETS:,} wallets that all agree, {_CONNECTIONS} at once, the sandbox in a process of "
        f"its own, {len(sweeps.swept)} rounds in turns.",
        {
            "swept": sweeps.swept,
            "looped": sweeps.looped,
            "far_swept": sweeps.far_swept,
            "far_looped": sweeps.far_looped,
        },
    )


def _ratio(swept: list[float], looped: list[float]) -> float:
    return median(one / bare for one, bare in zip(swept, looped, strict=True))
