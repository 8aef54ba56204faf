"""The bare loop, a process of its own: ``python -m tests.benchmarks.bets_looping``.

It makes the two signed calls of a bet, hold and confirm, as often as it is told and does nothing
else: no HTTP of ours, no database, nothing is kept. ``client`` makes them with the service's own
client of the game; ``raw`` with aiohttp alone, where every answer is taken for a success.
It reads one order a line and answers each with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import msgspec
import uvloop

from recon.game import GameClient, SigningMiddleware, hold_body
from recon.http.server import collect_seldom
from recon.money import Money
from tests.benchmarks.bets_traffic import STAKE, player_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["main"]


async def _by_client(order: dict[str, Any], numbers: Iterator[int]) -> None:
    stake = Money.parse(STAKE, "GBP")
    async with GameClient(
        os.environ["RECON_GAME_URL"],
        os.environ["RECON_GAME_API_KEY"],
        os.environ["RECON_GAME_SIGNING_SECRET"],
    ) as game:

        async def place(user: str) -> None:
            body = hold_body(order["round_id"], stake, None)
            hold = await game.hold(user, idempotency_key=str(uuid4()), body=body)
            await game.confirm(user, hold.hold_id, str(uuid4()))

        await _many(order, numbers, place)


async def _raw(order: dict[str, Any], numbers: Iterator[int]) -> None:
    stake = Money.parse(STAKE, "GBP")
    url = os.environ["RECON_GAME_URL"] + "/api/v1/bets/holds"
    signer = SigningMiddleware(os.environ["RECON_GAME_SIGNING_SECRET"])
    headers = {
        "X-API-Key": os.environ["RECON_GAME_API_KEY"],
        "Content-Type": "application/json",
    }
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=128), headers=headers, middlewares=(signer,)
    ) as session:

        async def post(user: str, to: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
            named = {"X-User-Id": user, "Idempotency-Key": str(uuid4())}
            async with session.post(to, data=body, headers=named) as answer:
                answer.raise_for_status()
                return msgspec.json.decode(await answer.read())

        async def place(user: str) -> None:
            hold = await post(user, url, hold_body(order["round_id"], stake, None))
            await post(user, f"{url}/{hold['hold_id']}/confirm", b"{}")

        await _many(order, numbers, place)


async def _many(
    order: dict[str, Any], numbers: Iterator[int], place: Callable[[str], Awaitable[None]]
) -> None:
    async def work() -> None:
        for number in numbers:
            await place(player_name(number % order["users"]))

    await asyncio.gather(*(work() for _ in range(order["connections"])))


_KINDS = {"client": _by_client, "raw": _raw}


async def _loop(order: dict[str, Any]) -> dict[str, float]:
    started, cpu = time.perf_counter(), time.process_time()
    await _KINDS[order["kind"]](order, iter(range(order["count"])))
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
    }


def main() -> None:
    """Carry out orders until there are none."""
    collect_seldom()
    for line in sys.stdin:
        print(json.dumps(uvloop.run(_loop(json.loads(line)))), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
