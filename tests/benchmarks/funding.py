"""Players with the same money in the ledger and at the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp

from recon.clock import now
from recon.ledger import post, rules
from recon.money import Money
from tests.benchmarks.bets_traffic import player_name

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["fund", "fund_game"]

_FUNDS: Final = Money.parse("10000.00", "GBP")


async def fund(pool: Pool, game_url: str, players: int) -> None:
    """Give players the same money on both sides."""
    entries = [
        rules.fact_for_player(
            player_name(number),
            _FUNDS,
            kind="deposit.succeeded",
            source="bench",
            key=f"{number}:deposit",
            event_at=now(),
        )
        for number in range(players)
    ]
    async with pool.acquire() as connection, connection.transaction():
        await post(connection, entries)
    await fund_game(game_url, players)


async def fund_game(game_url: str, players: int) -> None:
    """Give them the same money at the sandbox alone."""
    async with aiohttp.ClientSession(game_url) as session:
        for number in range(players):
            opened = {
                "user_id": player_name(number),
                "currency": "GBP",
                "available": str(_FUNDS),
            }
            async with session.post("/sandbox/users", json=opened) as answer:
                answer.raise_for_status()
