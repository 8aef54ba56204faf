"""The sweep: beside a bare loop of the same GETs, and under the game's rate limit.

The game is the sandbox, a process of its own; so is what sweeps or loops.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import aiohttp

from recon.db import open_pool
from recon.reconciliation import Cause, Evidence
from recon.reconciliation.explain import Candidate, explain
from recon.reconciliation.odds import Standing
from tests.benchmarks.funding import fund
from tests.benchmarks.processes import child
from tests.benchmarks.report import Part, Row, Table
from tests.benchmarks.say import say
from tests.benchmarks.server import bench_server, make_databases
from tests.benchmarks.serving import URL_VARIABLE

__all__ = ["Sweeps", "explanation_ms", "measure_sweep", "sweep_part"]

_DATABASE: Final = "sweep"
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
        allowed: calls a second that the game allowed in the limited run.
        limited: calls a second that it made.
        refused: the share of them that were answered 429.
        explanation_ms: one explanation among a thousand candidates that do not fit.
    """

    swept: list[float] = field(default_factory=list)
    looped: list[float] = field(default_factory=list)
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
        await make_databases(server, [_DATABASE])
        url = server.service_dsn_for(_DATABASE)
        with child("recon", "sandbox", "--json", "--port", "0", "--rate-limit", "1000000") as game:
            told = game.read()
            async with open_pool(url) as pool:
                await fund(pool, told["url"], _WALLETS)
            with child(
                "tests.benchmarks.sweep_looping",
                environment={**told["settings"], URL_VARIABLE: url},
            ) as looping:

                async def turn(kind: str) -> dict[str, Any]:
                    order = {"kind": kind, "count": _WALLETS, "connections": _CONNECTIONS}
                    answer = await asyncio.to_thread(lambda: looping.ask(**order))
                    if answer["agreed"] != _WALLETS:
                        raise RuntimeError(f"{answer['agreed']} of {_WALLETS} wallets agreed")
                    say(f"{kind}: {answer['calls'] / answer['seconds']:,.0f} calls a second")
                    return answer

                for kind in ("sweep", "raw"):
                    await turn(kind)
                for _ in range(rounds):
                    for kind, rates in (("sweep", sweeps.swept), ("raw", sweeps.looped)):
                        answer = await turn(kind)
                        rates.append(answer["calls"] / answer["seconds"])
                async with aiohttp.ClientSession(told["url"]) as session:
                    limit = {"limit": _LIMIT}
                    async with session.put("/sandbox/rate-limit", json=limit) as put:
                        put.raise_for_status()
                answer = await turn("sweep")
                sweeps.limited = answer["calls"] / answer["seconds"]
                sweeps.refused = answer["limited"] / answer["calls"]
    return sweeps


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
    pairs = zip(sweeps.swept, sweeps.looped, strict=True)
    rows = [
        Row(
            "sweep ÷ a bare loop of the same GETs",
            median(swept / looped for swept, looped in pairs),
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
        [f"sweep where {sweeps.allowed} are allowed", f"{sweeps.limited:,.0f}"],
    ]
    return Part(
        "sweep",
        "Sweep",
        rows,
        [Table(["medians", "wallets a second"], rates)],
        f"{_WALLETS:,} wallets that all agree, {_CONNECTIONS} at once, the sandbox in a process of "
        f"its own, {len(sweeps.swept)} rounds in turns.",
        {"swept": sweeps.swept, "looped": sweeps.looped},
    )
