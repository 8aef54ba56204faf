"""Gauges of the money that withdrawals hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge

from recon.db import load
from recon.db.numbers import DatabaseNumbers

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["PAYMENT_NUMBERS"]

_reserved = Gauge(
    "recon_withdrawals_reserved", "Withdrawals neither paid nor failed, by endpoint.", ["endpoint"]
)
_oldest_s = Gauge(
    "recon_withdrawals_oldest_hold_seconds",
    "How long the oldest of them has held its player's money; 0: none.",
    ["endpoint"],
)

_known: Final[set[str]] = set()


async def _refresh(pool: Pool) -> None:
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.payments", "measure"))
    endpoints = {row["endpoint"]: row for row in rows}
    _known.update(endpoints)
    for endpoint in _known:
        row = endpoints.get(endpoint)
        _reserved.labels(endpoint).set(0 if row is None else row["reserved"])
        _oldest_s.labels(endpoint).set(0 if row is None else row["oldest_s"])


PAYMENT_NUMBERS: Final = DatabaseNumbers("withdrawals", _refresh, (_reserved, _oldest_s))
