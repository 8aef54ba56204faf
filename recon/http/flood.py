"""A limit on calls that prove nothing, per address and door; one that proves itself never counts.

Counted in this process. Behind a proxy that is not trusted all callers share its address: that is
why a call is first verified and only then counted.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from recon.errors import TooManyRequests
from recon.http.recent import MOST_NAMES, Recent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FloodGate"]


class FloodGate:
    """A token bucket per address and door, of those that called last.

    Args:
        burst: calls at once.
        per_s: calls a second in the long run.
        most_names: buckets kept; past it, the one that was used longest ago is forgotten.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        burst: int = 60,
        per_s: float = 2.0,
        most_names: int = MOST_NAMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._buckets: Recent[tuple[str, str], tuple[float, float]] = Recent(most_names)

    def count(self, address: str, door: str) -> None:
        """Count one call that proved nothing.

        Args:
            address: by which callers are counted, as `recon.http.proxies.Caller.counted_as`.
            door: at what they called, such as an endpoint of webhooks.

        Raises:
            TooManyRequests: there were too many from this address at this door.
        """
        name = (address, door)
        now = self._clock()
        tokens, at = self._buckets.take(name) or (float(self._burst), now)
        tokens = min(self._burst, tokens + (now - at) * self._per_s)
        allowed = tokens >= 1
        self._buckets.put(name, (tokens - 1 if allowed else tokens, now))
        if not allowed:
            wait_s = math.ceil((1 - tokens) / self._per_s)
            raise TooManyRequests("too many unverified calls", retry_after_s=max(1, wait_s))
