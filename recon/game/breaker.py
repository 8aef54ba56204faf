"""A circuit breaker: what does not answer is left alone, and asked by one call at a time. Pure.

Closed, every call passes. It opens when so many attempts in a row ended without an answer of the
game (connection, timeout, 5xx) and the first of them began a while ago, so that a hiccup that hits
many calls at once is none. Open, every call is refused, until the time has come for a single probe:
its answer closes the breaker, its failure opens it for twice as long. What ends while it is open
and is not the probe changes nothing, and neither does what was sent before a call that has been
answered: calls that hung when the game came back time out together, and it is there.

Our own, because the libraries have no half-open state of one call: purgatory 3.0.1 lets every call
through in it, pybreaker 1.4.1 has coroutines for Tornado only, aiobreaker has been without a
release since 2021; none of them takes its time as a parameter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Breaker", "BreakerPolicy", "BreakerState"]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When it opens, and for how long.

    Args:
        failures: so many in a row.
        standing_s: the first of them began so long ago, or longer.
        open_s: until the first probe; twice as long after each that failed.
        longest_s: never longer than this, unless the game itself says so.
    """

    failures: int = 5
    standing_s: float = 1.0
    open_s: float = 1.0
    longest_s: float = 30.0


class BreakerState(IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """The breaker of one game; times are seconds from any origin, never backwards."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self._failures = 0
        self._since_s = 0.0
        self._answered_s = -math.inf
        self._open_s: float | None = None  # None: closed
        self._probe_at_s = 0.0
        self._is_probing = False

    @property
    def state(self) -> BreakerState:
        """``HALF_OPEN`` while the probe is under way."""
        if self._open_s is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._is_probing else BreakerState.OPEN

    def may_pass(self, now_s: float) -> bool:
        """Whether a call that came now would pass, as the probe or because it is closed."""
        return self._open_s is None or (not self._is_probing and now_s >= self._probe_at_s)

    def wait_s(self, now_s: float) -> float:
        """How long until the next probe, zero or more."""
        return max(0.0, self._probe_at_s - now_s)

    def take_probe(self, now_s: float) -> bool:
        """Take the one probe if it is due; whoever has it says how it ended.

        Returns:
            False where the breaker is closed, not due, or another has the probe.
        """
        if self._open_s is None or not self.may_pass(now_s):
            return False
        self._is_probing = True
        return True

    def answered(self, *, is_probe: bool, began_s: float = -math.inf) -> None:
        """A call got an answer below 500, whatever it said.

        Args:
            is_probe: it was the probe.
            began_s: when it was sent; what was sent before and fails later says nothing new.
        """
        self._answered_s = max(self._answered_s, began_s)
        if is_probe:
            self._open_s, self._is_probing = None, False
        if self._open_s is None:
            self._failures = 0

    def failed(
        self, *, began_s: float, now_s: float, is_probe: bool, wait_s: float | None = None
    ) -> bool:
        """A call got no answer, or a 5xx.

        Args:
            began_s: when it was sent.
            now_s: the time.
            is_probe: it was the probe.
            wait_s: how long the game asked us to wait.

        Returns:
            Whether this has opened a breaker that was closed.
        """
        policy = self._policy
        if is_probe and self._open_s is not None:
            self._open(min(policy.longest_s, self._open_s * 2), wait_s, now_s)
            return False
        if self._open_s is not None or began_s < self._answered_s:
            return False
        if self._failures == 0 or began_s < self._since_s:
            self._since_s = began_s
        self._failures += 1
        if self._failures < policy.failures or now_s - self._since_s < policy.standing_s:
            return False
        self._open(policy.open_s, wait_s, now_s)
        return True

    def doubt(self, now_s: float) -> bool:
        """Somebody else gets no answer: one call is to find out, before all the others go.

        Returns:
            Whether this has opened a breaker that was closed; its probe is due at once.
        """
        if self._open_s is not None:
            return False
        self._open(self._policy.open_s, None, now_s)
        self._probe_at_s = now_s
        return True

    def probe_lost(self) -> None:
        """The probe ended without a verdict, its caller has gone: the next call is the probe."""
        self._is_probing = False

    def _open(self, open_s: float, wait_s: float | None, now_s: float) -> None:
        self._open_s, self._is_probing = open_s, False
        self._probe_at_s = now_s + max(open_s, wait_s or 0.0)
