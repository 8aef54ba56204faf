"""Numbers of sealing, for Prometheus."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from recon.db import load
from recon.db.numbers import DatabaseNumbers

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.seals.model import Seal

__all__ = ["SEAL_NUMBERS", "observe_miss", "observe_seal"]

_rows = Counter("recon_seals_rows", "Rows that this process has linked and sealed.")
_sealed_at = Gauge("recon_seals_last_seal_timestamp_seconds", "When this process sealed last.")
_unsealed_s = Gauge(
    "recon_seals_oldest_unsealed_seconds",
    "For how long there may have been rows that no seal covers: since the last pass that ended"
    " well, whichever process made it.",
)
_missed = Counter(
    "recon_seals_lock_missed", "Passes that were not made: another sealer was at work."
)
_BEGAN_S: Final = monotonic()


def observe_miss() -> None:
    """Another sealer was at work."""
    _missed.inc()


def observe_seal(seal: Seal) -> None:
    """A seal was made."""
    _rows.inc(seal.links)
    _sealed_at.set(seal.sealed_at.timestamp())


async def _refresh(pool: Pool) -> None:
    async with pool.acquire() as connection:
        unsealed_s = await connection.fetchval(load("recon.seals", "measure"))
    # Where no pass ever ended well, one could have for as long as this process is there.
    _unsealed_s.set(monotonic() - _BEGAN_S if unsealed_s is None else unsealed_s)


SEAL_NUMBERS: Final = DatabaseNumbers("seals", _refresh, (_unsealed_s,))
