"""Numbers of sealing, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from recon.clock import now

if TYPE_CHECKING:
    from datetime import datetime

    from recon.seals.model import Seal

__all__ = ["observe_miss", "observe_pass", "observe_seal"]

_rows = Counter("recon_seals_rows", "Rows that this process has linked and sealed.")
_sealed_at = Gauge("recon_seals_last_seal_timestamp_seconds", "When this process sealed last.")
_age = Gauge(
    "recon_seals_oldest_unsealed_seconds",
    "Since when there may be rows that no seal covers, as far as this process knows; the smallest"
    " of all processes counts.",
)

_missed = Counter(
    "recon_seals_lock_missed", "Passes that were not made: another sealer was at work."
)

_covered: dict[str, datetime] = {}


def observe_miss() -> None:
    """Another sealer was at work."""
    _missed.inc()


def observe_seal(seal: Seal) -> None:
    """A seal was made."""
    _rows.inc(seal.links)
    _sealed_at.set(seal.sealed_at.timestamp())


def observe_pass(covers_until: datetime) -> None:
    """A pass has covered everything that was committed by an instant."""
    if not _covered:
        # Only now: a process that never seals has nothing to say about it.
        _age.set_function(_seconds_since)
    _covered["until"] = covers_until


def _seconds_since() -> float:
    return (now() - _covered["until"]).total_seconds()
