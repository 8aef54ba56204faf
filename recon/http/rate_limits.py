"""Rate limits per caller, with the fields of the RateLimit draft (11).

Counted in this process: with N processes a caller may have up to N times the quota. A key that may
place bets acts for every player of a lobby, so that it has a policy of its own, and a wider one.
Keys that open nothing are counted by the address that they come from, after they were looked up: an
honest caller behind the same proxy is never kept out by a guesser.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.errors import TooManyRequests
from recon.http.recent import MOST_NAMES, Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BETS", "DEFAULT", "FAILURES", "LIMITER", "Allowance", "RateLimiter"]

DEFAULT: Final = "default"
BETS: Final = "bets"
"""Of callers whose key may place bets."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one counted request leaves of a quota.

    Args:
        policy: its name.
        quota: requests allowed in a window.
        window_s: length of a window in seconds.
        left: requests left; below zero: this one was too many.
        resets_s: whole seconds until the window ends.
    """

    policy: str
    quota: int
    window_s: int
    left: int
    resets_s: int

    @property
    def headers(self) -> dict[str, str]:
        """The fields that tell the caller."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={self.window_s}',
            "RateLimit": f'"{self.policy}";r={max(self.left, 0)};t={self.resets_s}',
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
    """A fixed window per name and policy, of the names that called last.

    Args:
        quota: requests allowed in a window.
        window_s: length of a window in seconds.
        clock: seconds, monotonic.
        wider: the quotas of policies that have one of their own, by name.
        most_names: windows kept; past it, the one that was used longest ago is forgotten.
    """

    def __init__(
        self,
        quota: int,
        window_s: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        wider: Mapping[str, int] | None = None,
        most_names: int = MOST_NAMES,
    ) -> None:
        self._quota = quota
        self._wider = wider or {}
        self._window_s = window_s
        self._clock = clock
        self._windows: Recent[tuple[str, str], tuple[float, int]] = Recent(most_names)

    def count(self, name: str, policy: str = DEFAULT) -> Allowance:
        """Count one request, by the usual policy where this one has no quota of its own."""
        quota = self._wider.get(policy)
        if quota is None:
            policy, quota = DEFAULT, self._quota
        now, key = self._clock(), (policy, name)
        ends, used = self._windows.take(key) or (0.0, 0)
        if now >= ends:
            ends, used = now + self._window_s, 0
        # One above the quota says all there is to say.
        used = min(used + 1, quota + 1)
        self._windows.put(key, (ends, used))
        return Allowance(policy, quota, self._window_s, quota - used, math.ceil(ends - now))


LIMITER: web.AppKey[RateLimiter] = web.AppKey("limiter", RateLimiter)
"""Calls, by caller."""

FAILURES: web.AppKey[RateLimiter] = web.AppKey("failures", RateLimiter)
"""Calls without a key that opens something, by address."""
