"""How many calls an API key may make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recon.sandbox.keys import ApiKey
    from recon.sandbox.options import SandboxOptions
    from recon.sandbox.timeline import Clock

__all__ = ["Allowance", "RateLimit"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a key's window after a call.

    Attributes:
        allowed: the call may be answered.
        limit: calls in a window.
        remaining: calls left in this one.
        reset_s: whole seconds until it renews, at least 1.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_s: int


class RateLimit:
    """Fixed windows, one per API key, from that key's first call in it.

    Attributes:
        limit: calls in a window; may be changed at any time.

    Args:
        options: the limit and the window.
        clock: the server's time.
    """

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self.limit = options.rate_limit
        self._window_s = options.rate_window_s
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, key: ApiKey) -> Allowance:
        """Count one call of a key, a refused one too."""
        at = self._clock.monotonic()
        ends, used = self._windows.get(key.key_id, (0.0, 0))
        if at >= ends:
            ends, used = at + self._window_s, 0
        used += 1
        self._windows[key.key_id] = (ends, used)
        return Allowance(
            allowed=used <= self.limit,
            limit=self.limit,
            remaining=max(0, self.limit - used),
            reset_s=max(1, math.ceil(ends - at)),
        )
