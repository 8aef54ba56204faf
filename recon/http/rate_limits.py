"""Rate limits per key, with the fields of the RateLimit draft (11).

Counted in this process: with N processes a key may have up to N times the quota.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from aiohttp import web

from recon.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LIMITER", "RateLimiter"]


class RateLimiter:
    """A fixed window per name.

    Args:
        quota: requests allowed in a window.
        window_s: length of a window in seconds.
        clock: seconds, monotonic.
    """

    _MAX_NAMES = 10_000

    def __init__(
        self, quota: int, window_s: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quota = quota
        self._window_s = window_s
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, name: str) -> dict[str, str]:
        """Count one request; the headers that tell what is left.

        Raises:
            TooManyRequests: the quota of this window is used up.
        """
        now = self._clock()
        ends, used = self._windows.get(name, (0.0, 0))
        if now >= ends:
            if len(self._windows) >= self._MAX_NAMES:
                self._windows = {n: w for n, w in self._windows.items() if w[0] > now}
            ends, used = now + self._window_s, 0
        resets_s = math.ceil(ends - now)
        if used >= self._quota:
            raise TooManyRequests(
                f"more than {self._quota} requests in {self._window_s} s", retry_after_s=resets_s
            )
        self._windows[name] = (ends, used + 1)
        return {
            "RateLimit-Policy": f'"default";q={self._quota};w={self._window_s}',
            "RateLimit": f'"default";r={self._quota - used - 1};t={resets_s}',
        }


LIMITER: web.AppKey[RateLimiter] = web.AppKey("limiter", RateLimiter)
