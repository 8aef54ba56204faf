"""Rate limits per caller, with the fields of the RateLimit draft (11).

Counted in this process: with N processes a caller may have up to N times the quota. Keys that
open nothing are counted by the address that they come from, after they were looked up: an honest
caller behind the same proxy is never kept out by a guesser.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from recon.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FAILURES", "LIMITER", "Allowance", "RateLimiter"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one counted request leaves of a quota.

    Args:
        quota: requests allowed in a window.
        window_s: length of a window in seconds.
        left: requests left; below zero: this one was too many.
        resets_s: whole seconds until the window ends.
    """

    quota: int
    window_s: int
    left: int
    resets_s: int

    @property
    def headers(self) -> dict[str, str]:
        """The fields that tell the caller."""
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w={self.window_s}',
            "RateLimit": f'"default";r={max(self.left, 0)};t={self.resets_s}',
        }

    def require(self) -> None:
        """Refuse the request that was too many.

        Raises:
            TooManyRequests: the quota of this window is used up.
        """
        if self.left < 0:
            raise TooManyRequests(
                f"more than {self.quota} requests in {self.window_s} s",
                retry_after_s=self.resets_s,
            )


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

    def count(self, name: str) -> Allowance:
        """Count one request."""
        now = self._clock()
        ends, used = self._windows.get(name, (0.0, 0))
        if now >= ends:
            if len(self._windows) >= self._MAX_NAMES:
                self._windows = {n: w for n, w in self._windows.items() if w[0] > now}
            ends, used = now + self._window_s, 0
        # One above the quota says all there is to say.
        used = min(used + 1, self._quota + 1)
        self._windows[name] = (ends, used)
        return Allowance(self._quota, self._window_s, self._quota - used, math.ceil(ends - now))


LIMITER: web.AppKey[RateLimiter] = web.AppKey("limiter", RateLimiter)
"""Calls, by caller."""

FAILURES: web.AppKey[RateLimiter] = web.AppKey("failures", RateLimiter)
"""Calls without a key that opens something, by address."""
