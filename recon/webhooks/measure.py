"""Numbers of how calls prove themselves: by which secret, and how far their clock is from ours.

Cheap enough for every call: what they are counted under is looked up once per endpoint and key.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from statistics import median
from time import monotonic
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from recon.webhooks.proofs import SKEW_ALARM_S

__all__ = ["observe_lag", "observe_refused", "observe_stale", "observe_verified"]

log = structlog.get_logger(__name__)

_LAST: Final = 128
"""Calls of which the median is taken."""

_AGAIN_S: Final = 600.0
"""Seconds between two warnings about one endpoint."""

_BUCKETS: Final = (-300, -120, -60, -30, -10, -5, -2, -1, 0, 1, 2, 5, 10, 30, 60, 120, 300)
_STALE_BUCKETS: Final = (-86400, -3600, -900, -600, -300, 300, 600, 900, 3600, 86400)

_verified = Counter(
    "recon_intake_verified",
    "Verified calls by endpoint and place of the secret; 0 is the newest.",
    ["endpoint", "place"],
)
_refused = Counter(
    "recon_intake_refused",
    "Calls that proved nothing, by endpoint (none: not configured) and why.",
    ["endpoint", "code"],
)
_skew = Histogram(
    "recon_intake_clock_skew_seconds",
    "Our clock minus the signed time, of verified calls.",
    ["endpoint"],
    buckets=_BUCKETS,
)
_median = Gauge(
    "recon_intake_clock_skew_median_seconds",
    f"The median of the last {_LAST} such differences.",
    ["endpoint"],
)
_stale = Histogram(
    "recon_intake_stale_seconds",
    "Our clock minus the signed time, of authentic calls that were refused as stale.",
    ["endpoint"],
    buckets=_STALE_BUCKETS,
)

_lag = Histogram(
    "recon_intake_delivery_lag_seconds",
    "From what happened, by the PSP's clock, to its webhook's arrival here.",
    ["endpoint"],
    buckets=(1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
)


def observe_lag(endpoint: str, lag_s: float) -> None:
    """Note how long after what it tells of a delivery has come."""
    _lag_of(endpoint).observe(lag_s)


def observe_verified(endpoint: str, verified_by: str, skew_s: float | None) -> None:
    """Count a verified call.

    Args:
        endpoint: a configured one.
        verified_by: as `recon.webhooks.psp.signatures.key_id` names keys.
        skew_s: our clock minus the signed time; ``None`` where none is signed.
    """
    _count_of(endpoint, verified_by).inc()
    if skew_s is not None:
        _clock_of(endpoint).observe(skew_s)


def observe_refused(endpoint: str, code: str) -> None:
    """Count a call that proved nothing, to a configured endpoint or (empty) to none."""
    _refused.labels(endpoint, code).inc()


def observe_stale(endpoint: str, skew_s: float) -> None:
    """Count an authentic call that was refused as stale, and say so: a clock may be wrong."""
    _stale.labels(endpoint).observe(skew_s)
    log.warning("authentic_but_stale", endpoint=endpoint, skew_s=round(skew_s))


class _Clock:
    """What one endpoint's clock is to ours."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._histogram = _skew.labels(endpoint)
        self._last_s: deque[float] = deque(maxlen=_LAST)
        self._since = 0
        self._warned_at_s = -_AGAIN_S
        _median.labels(endpoint).set_function(self._median_s)

    def observe(self, skew_s: float) -> None:
        self._histogram.observe(skew_s)
        self._last_s.append(skew_s)
        self._since += 1
        if self._since >= _LAST:
            self._since = 0
            self._warn()

    def _median_s(self) -> float:
        return median(self._last_s) if self._last_s else 0.0

    def _warn(self) -> None:
        skew_s = self._median_s()
        now_s = monotonic()
        if abs(skew_s) > SKEW_ALARM_S and now_s - self._warned_at_s >= _AGAIN_S:
            self._warned_at_s = now_s
            log.warning("clock_skew", endpoint=self._endpoint, median_s=round(skew_s), calls=_LAST)


@cache
def _lag_of(endpoint: str) -> Histogram:
    return _lag.labels(endpoint)


@cache
def _clock_of(endpoint: str) -> _Clock:
    return _Clock(endpoint)


@cache
def _count_of(endpoint: str, verified_by: str) -> Counter:
    return _verified.labels(endpoint, verified_by.split(":")[1])
