"""Balances asked for, in a process of its own: ``python -m tests.benchmarks.sweep_looping``.

``sweep`` is a run of all wallets as a worker makes it; ``raw`` asks for as many balances with
aiohttp alone, as many at once, and keeps nothing. It reads one order a line and answers with a
line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import uvloop

from recon.cli.console import configure_logging
from recon.db import open_pool
from recon.game import GameClient
from recon.http.server import collect_seldom
from recon.reconciliation import Reconciler, RunScope, run_here, start_run
from tests.benchmarks.bets_traffic import player_name
from tests.benchmarks.serving import URL_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon import game

__all__ = ["main"]


async def _sweep(order: dict[str, Any]) -> dict[str, Any]:
    statuses: Counter[int | None] = Counter()

    def seen(attempt: game.Attempt) -> None:
        statuses[attempt.status] += 1

    async with (
        open_pool(os.environ[URL_VARIABLE], max_size=8) as pool,
        GameClient(
            os.environ["RECON_GAME_URL"],
            os.environ["RECON_GAME_API_KEY"],
            os.environ["RECON_GAME_SIGNING_SECRET"],
            on_attempt=seen,
        ) as client,
    ):
        reconciler = Reconciler(pool, client, timedelta(minutes=2), {}, order["connections"])
        started = time.perf_counter()
        run_id = await start_run(pool, RunScope.ALL, trigger="bench", queued=False)
        run = await run_here(reconciler, run_id)
        seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "agreed": run.wallets.agreed,
        "calls": statuses.total(),
        "limited": statuses[429],
    }


async def _raw(order: dict[str, Any]) -> dict[str, Any]:
    url = os.environ["RECON_GAME_URL"] + "/api/v1/user/balance?currency=GBP"
    key = {"X-API-Key": os.environ["RECON_GAME_API_KEY"]}
    numbers = iter(range(order["count"]))
    connector = aiohttp.TCPConnector(limit=order["connections"])
    async with aiohttp.ClientSession(connector=connector, headers=key) as session:
        started = time.perf_counter()
        workers = (_ask(session, url, numbers) for _ in range(order["connections"]))
        await asyncio.gather(*workers)
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "agreed": order["count"], "calls": order["count"], "limited": 0}


async def _ask(session: aiohttp.ClientSession, url: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        async with session.get(url, headers={"X-User-Id": player_name(number)}) as answer:
            answer.raise_for_status()
            msgspec.json.decode(await answer.read())


_KINDS = {"sweep": _sweep, "raw": _raw}


def main() -> None:
    """Carry out orders until there are none."""
    configure_logging("warning")  # to stderr: the answers stand on stdout
    collect_seldom()
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(uvloop.run(_KINDS[order["kind"]](order))), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
