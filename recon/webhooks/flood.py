"""A limit on calls that prove nothing, per address and endpoint; a verified call is never limited.

Counted in this process. Behind a proxy all callers share its address: that is why a call is first
verified and only then counted.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from recon.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FloodGate"]


class FloodGate:
    """A token bucket per name, within bounded memory.

    Args:
        burst: calls at once.
        per_s: calls a second in the long run.
        most_names: buckets kept; past it, the one not used for longest is forgotten.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        burst: int = 60,
        per_s: float = 2.0,
        most_names: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._most_names = most_names
        self._clock = clock
        # Insertion order is order of last use.
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def count(self, address: str, endpoint: str) -> None:
        """Count one unverified call.

        Raises:
            TooManyRequests: there were too many from this address to this endpoint.
        """
        name = (address, endpoint)
        now = self._clock()
        tokens, at = self._buckets.pop(name, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - at) * self._per_s)
        allowed = tokens >= 1
        self._buckets[name] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._most_names:
            del self._buckets[next(iter(self._buckets))]
        if not allowed:
            wait_s = math.ceil((1 - tokens) / self._per_s)
            raise TooManyRequests("too many unverified calls", retry_after_s=max(1, wait_s))
