"""Gauges of comparing: did the runs happen, what is suspected, what is open and unexplained."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge

from recon.db import load
from recon.db.numbers import DatabaseNumbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from recon.db import Pool
    from recon.reconciliation.model import RunScope

__all__ = ["DISCREPANCY_NUMBERS", "SUSPECT_NUMBERS", "run_numbers"]

_period_s = Gauge(
    "recon_run_period_seconds", "How often a run of a scope begins by the schedule.", ["scope"]
)
_success_age_s = Gauge(
    "recon_run_last_success_age_seconds",
    "How long ago the last run of a scheduled scope ended that reached every wallet; where none has"
    " yet, how long one could have.",
    ["scope"],
)
_running_s = Gauge(
    "recon_run_running_seconds",
    "How long the oldest run of a scheduled scope that is under way has been; 0: none is.",
    ["scope"],
)
_suspects = Gauge(
    "recon_suspects", "Wallets that differed, or gave no answer, and are being looked at again."
)
_oldest_suspect_s = Gauge(
    "recon_suspects_oldest_seconds", "How long ago the oldest of them was first seen so; 0: none."
)
_open = Gauge(
    "recon_discrepancies_open", "Discrepancies to be dealt with, by currency.", ["currency"]
)
_amount = Gauge(
    "recon_discrepancies_amount",
    "The sizes of their differences in all, in units of the currency.",
    ["currency"],
)
_unexplained = Gauge(
    "recon_discrepancies_unexplained_amount",
    "What of that nothing explains, in units of the currency.",
    ["currency"],
)
_oldest_unexplained_s = Gauge(
    "recon_discrepancies_oldest_unexplained_seconds",
    "How long the oldest of them has been unexplained; 0: each is explained.",
    ["currency"],
)

_BEGAN_S: Final = monotonic()


def run_numbers(lanes: Mapping[RunScope, timedelta]) -> DatabaseNumbers:
    """Whether the runs of the schedule happen.

    Args:
        lanes: the scopes of the schedule, and how often each is run.
    """
    scopes = {str(scope): every for scope, every in lanes.items()}

    async def refresh(pool: Pool) -> None:
        async with pool.acquire() as connection:
            rows = await connection.fetch(load("recon.reconciliation", "measure_runs"), [*scopes])
        for gauge in (_period_s, _success_age_s, _running_s):
            gauge.clear()
        for row in rows:
            scope, age_s = row["scope"], row["success_age_s"]
            _period_s.labels(scope).set(scopes[scope].total_seconds())
            # Without any run at all, it could have been made for as long as we have been asked.
            _success_age_s.labels(scope).set(monotonic() - _BEGAN_S if age_s is None else age_s)
            _running_s.labels(scope).set(row["running_s"] or 0)

    return DatabaseNumbers("runs", refresh, (_period_s, _success_age_s, _running_s))


async def _refresh_suspects(pool: Pool) -> None:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(load("recon.reconciliation", "measure_suspects"))
    _suspects.set(row["suspects"])
    _oldest_suspect_s.set(row["oldest_s"])


async def _refresh_discrepancies(pool: Pool) -> None:
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.reconciliation", "measure_open"))
    gone = {*_known} - {row["currency"] for row in rows}
    for row in rows:
        currency = row["currency"]
        _open.labels(currency).set(row["discrepancies"])
        # Prometheus makes floats of them: these are to be looked at, not to be booked.
        _amount.labels(currency).set(row["amount"])
        _unexplained.labels(currency).set(row["unexplained"])
        _oldest_unexplained_s.labels(currency).set(row["oldest_unexplained_s"])
        _known.add(currency)
    for currency in gone:
        # Zero, not gone: that nothing is open any more is what people wait for.
        for gauge in (_open, _amount, _unexplained, _oldest_unexplained_s):
            gauge.labels(currency).set(0)


_known: Final[set[str]] = set()

SUSPECT_NUMBERS: Final = DatabaseNumbers(
    "suspects", _refresh_suspects, (_suspects, _oldest_suspect_s)
)
DISCREPANCY_NUMBERS: Final = DatabaseNumbers(
    "discrepancies",
    _refresh_discrepancies,
    (_open, _amount, _unexplained, _oldest_unexplained_s),
)
