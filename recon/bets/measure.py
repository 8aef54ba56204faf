"""Gauges of the bets whose money has not come to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge

from recon import clock
from recon.bets.rules import OLD
from recon.db import load
from recon.db.numbers import DatabaseNumbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recon.db import Pool

__all__ = ["BET_NUMBERS", "refresh_bet_gauges"]

_unsettled = Gauge("recon_bets_unsettled", "Bets without an outcome, by their state.", ["state"])
_waiting = Gauge(
    "recon_bets_for_people",
    "Bets that rest for people, or have no outcome an hour after they were made.",
)
_oldest_s = Gauge(
    "recon_bets_oldest_unsettled_seconds", "How long ago the oldest of them was made; 0: none."
)
_oldest_hold_s = Gauge(
    "recon_bets_oldest_hold_seconds",
    "How long the oldest stake has been held of which nobody knows whether the game took the bet;"
    " 0: none.",
)


async def refresh_bet_gauges(pool: Pool, *, now: Callable[[], datetime] = clock.now) -> None:
    """Set the gauges by the database; a state that has none any more says so."""
    at = now()
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.bets", "count_unsettled"), at - OLD)
    by_state = {row["state"]: row for row in rows}
    for state in ("placing", "placed", "cashing_out"):
        _unsettled.labels(state).set(by_state[state]["bets"] if state in by_state else 0)
    _waiting.set(sum(row["waiting"] for row in rows))
    oldest = min((row["oldest"] for row in rows), default=at)
    _oldest_s.set(max(0.0, (at - oldest).total_seconds()))
    # A stake is held until its bet is placed or refused.
    held_since = by_state["placing"]["oldest"] if "placing" in by_state else at
    _oldest_hold_s.set(max(0.0, (at - held_since).total_seconds()))


BET_NUMBERS: Final = DatabaseNumbers(
    "bets", refresh_bet_gauges, (_unsettled, _waiting, _oldest_s, _oldest_hold_s)
)
