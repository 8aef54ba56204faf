"""How fast one API key may be used, concluded from what the game's answers say alone. Pure.

Several processes share a key and know nothing of each other. Each of them spreads what the game
last called ``remaining`` evenly over the rest of the window; as the others' calls lower what
remains, all of them slow down together, and none takes more than is there. Calls that can wait
leave a part of the window to those that cannot, which in turn may go in bursts; but for cash-outs
no process begins a window with more at once than its part of the last one. A 429 stops
everything until ``Retry-After`` and halves the pace, once a window; a window without one gives a
tenth back.

Time is seconds from any origin that never goes backwards, and always comes in as a parameter.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from recon.game.notices import RateLimits

__all__ = ["Pace", "Priority"]

_UNHEARD: Final = 8
"""So many calls may be under way before the first answer has told what is allowed."""
_LEFT_TO_OTHERS: Final = (0.0, 0.02, 0.1, 0.12, 0.15, 0.2)
"""The share of a window, by priority, that is left to calls of a higher one, and to what other
processes have just sent."""
_ALONE: Final = 0.4
"""The part of that which is enough where no other process calls; of ten calls one at least."""
_MANY: Final = 10
_BURST: Final = (1.0, 0.5, 0.1, 0.05, 0.0, 0.0)
"""The share of a window, by priority, that may go at once; what compares all the time is evenly
spaced."""
_GRAIN_S: Final = 0.01
"""Even spacing is kept to this: a loop that wakes for each of 5000 calls a second does no more."""
_OURS_LEAST: Final = 1 / 8
"""A process that has hardly called, while others have, may begin with as much."""
_AT_ONCE_LEAST: Final = 2.0
"""Calls that may go at once, whatever the others do; of those that may at all."""
_SLOWEST: Final = 1 / 64
_GIVEN_BACK: Final = 0.1
_FORESEEN_S: Final = 120.0
"""Nobody can tell further ahead how a key will be used."""
_WITHOUT_A_WORD_S: Final = 1.0
"""How long a 429 that names no time stops us."""
_ASKED_AGAIN_S: Final = 60.0
"""However long a window is said to last, and whatever remains of it: after so long without a call
one is due, to hear whether that is still so. A window told in milliseconds would be half a day."""
_ROUNDING_S: Final = 1.0
"""``X-RateLimit-Reset`` is whole seconds: two words about one window differ by as much."""


class Priority(IntEnum):
    """Who goes first; a player's money in flight before anything that can wait.

    Of what compares balances, first the wallets that differed or that somebody wants to know of,
    then those that have changed, then all of them.
    """

    CASH_OUT = 0
    BET = 1
    SETTLEMENT = 2
    SUSPECT = 3
    CHANGED = 4
    SWEEP = 5


class Pace:
    """When the next call of a key may leave, as far as this process can tell."""

    def __init__(self) -> None:
        self.share = 1.0
        """The part of the allowed pace that is used; below 1 after a 429."""
        self.under_way = 0
        """Calls that were sent and have not ended."""
        self._heard = False
        self._limit: int | None = None
        self._left = 0  # the least that an answer has said remains of this window
        self._told_at_s = -math.inf
        self._sent_at_s = -math.inf
        self._ends_s = -math.inf
        self._length_s = 0.0
        self._assumed = False  # this window is expected by the last one, not told yet
        self._next_s = -math.inf  # when an evenly spaced call would be due
        self._stopped_until_s = -math.inf
        self._held_until_s = -math.inf
        self._retry_at_s = -math.inf
        self._was_refused = False
        self._served = 0  # calls of ours that were answered in this window, and not by a 429
        self._ours = 1.0  # their part of all that were made in the last one

    @property
    def limit(self) -> int | None:
        """Calls in a window, as last told; None where the game does not say."""
        return self._limit

    @property
    def left(self) -> int | None:
        """What remains of the window for this process to send, at most."""
        return None if self._limit is None else max(0, self._left - self.under_way)

    def stopped_for_s(self, now_s: float) -> float:
        """How long nothing at all may be sent, because the game has said so."""
        return max(0.0, self._stopped_until_s - now_s, self._held_until_s - now_s)

    def refused_for_s(self, now_s: float) -> float:
        """How long nothing may be sent because the key is used up, by the game's own 429."""
        return max(0.0, self._stopped_until_s - now_s)

    def ready_at(self, priority: Priority, now_s: float) -> float:
        """When a call may leave if nothing changes, ``now_s`` or later.

        Args:
            priority: of the call; a higher one is never ready later than a lower one.
            now_s: the time.

        Returns:
            Seconds; infinity for "not before an answer has told what is allowed".
        """
        at_s = max(now_s, self._stopped_until_s, self._held_until_s)
        if self._limit is None:
            return math.inf if not self._heard and self.under_way >= _UNHEARD else at_s
        self._renew(now_s)
        latest_s = self._ends_s
        if self.under_way == 0:
            asked_s = max(self._told_at_s, self._sent_at_s)
            latest_s = min(latest_s, asked_s + _ASKED_AGAIN_S)
            if self._retry_at_s > self._sent_at_s:
                latest_s = min(latest_s, self._retry_at_s)
        left = self._left - self.under_way - self._kept(priority, self._limit)
        if left < 1:
            return max(at_s, latest_s)
        rest_s = self._ends_s - now_s
        at_once = _BURST[priority] * self._limit
        if priority is not Priority.CASH_OUT:
            # Of all processes together; ours is the part that it was in the last window.
            at_once = max(at_once * self._ours, min(at_once, _AT_ONCE_LEAST))
        tolerance_s = max(_GRAIN_S, at_once * rest_s / self._left)
        return max(at_s, min(self._next_s - tolerance_s, latest_s))

    def taken_for_s(self, calls: int, priority: Priority, now_s: float) -> float:
        """How long until so many calls of a priority have left, as far as can be told.

        Returns:
            Seconds; infinity for "not before an answer has told what is allowed".
        """
        ready_s = self.ready_at(priority, now_s) - now_s
        if self._limit is None:
            return ready_s
        kept = self._kept(priority, self._limit)
        left = max(0, self._left - self.under_way - kept)
        rest_s = max(0.0, self._ends_s - now_s)
        if calls <= left:
            taken_s = rest_s * calls / max(1, left)
        else:
            windows = (calls - left) / max(1, self._limit - kept)
            taken_s = rest_s + windows * max(self._length_s, _ROUNDING_S)
        return max(ready_s, min(taken_s, _FORESEEN_S))

    def sent(self, priority: Priority, now_s: float) -> None:
        """A call leaves."""
        if self._limit is not None:
            self._renew(now_s)
            left = self._left - self._kept(priority, self._limit)
            # So that what is left lasts until the window ends.
            interval_s = (self._ends_s - now_s) / (max(1, left) * self.share)
            self._next_s = max(self._next_s, now_s) + interval_s
        self._sent_at_s = now_s
        self.under_way += 1

    def not_sent(self) -> None:
        """A call that `sent` has counted did not leave after all, or how it ended is not known."""
        self.under_way -= 1

    def answered(self, limits: RateLimits | None, *, sent_s: float, now_s: float) -> None:
        """A call has been answered.

        Args:
            limits: what the answer says of the key's budget.
            sent_s: when the call left.
            now_s: the time.
        """
        self.under_way -= 1
        self._heard = True
        self._served += 1
        if limits is None:
            return
        ends_s = now_s + limits.reset_s
        self._length_s = max(self._length_s, float(limits.reset_s))
        if self._is_new(limits, ends_s, sent_s, now_s):
            self._begin(now_s)
            self._assumed = False
            self._left, self._ends_s, self._told_at_s = limits.remaining, ends_s, now_s
        else:
            self._ends_s = min(self._ends_s, ends_s)
            if limits.remaining < self._left:
                self._left, self._told_at_s = limits.remaining, now_s
        self._limit = max(1, limits.limit)

    def refused(self, wait_s: float | None, now_s: float) -> None:
        """The game said 429: the key waits, and goes on at half the pace."""
        pause_s = _WITHOUT_A_WORD_S if wait_s is None else wait_s
        if wait_s is not None:
            # Wins over the end of the window: one call may find out, and its answer says more.
            self._retry_at_s = now_s + wait_s
        self._stopped_until_s = max(self._stopped_until_s, now_s + pause_s)
        self._served -= 1
        if not self._was_refused:
            self._was_refused = True
            self.share = max(_SLOWEST, self.share / 2)

    def unavailable(self, wait_s: float, now_s: float) -> None:
        """The game said 503 and for how long: everybody waits, or until it serves a call again."""
        self._held_until_s = max(self._held_until_s, now_s + wait_s)

    def served(self) -> None:
        """The game has served a call that was under way: it is there, whatever a 503 has said."""
        self._held_until_s = -math.inf

    def _kept(self, priority: Priority, limit: int) -> int:
        """How many calls of a window are kept for higher priorities and for other processes."""
        share = _LEFT_TO_OTHERS[priority]
        if priority <= Priority.BET:
            return int(share * limit)
        kept = share * limit * (1 - (1 - _ALONE) * self._ours)
        return math.ceil(kept) if limit >= _MANY else int(kept)

    def _is_new(self, limits: RateLimits, ends_s: float, sent_s: float, now_s: float) -> bool:
        """Whether an answer speaks of another window than the one that we know."""
        if self._limit is None or self._assumed or now_s >= self._ends_s:
            return True
        took_s = now_s - sent_s
        if ends_s > self._ends_s + _ROUNDING_S + took_s:
            return True
        # Within a window less and less remains; answers that overtake each other aside.
        return limits.remaining > self._left and sent_s >= self._told_at_s

    def _renew(self, now_s: float) -> None:
        """Expect the next window to be as the last one, once that has ended."""
        if now_s >= self._ends_s and self._limit is not None:
            self._begin(now_s)
            self._assumed = True
            self._left, self._told_at_s = self._limit, now_s
            self._ends_s = now_s + max(self._length_s, _ROUNDING_S)

    def _begin(self, now_s: float) -> None:
        if not (self._was_refused or self._assumed):
            self.share = min(1.0, self.share + _GIVEN_BACK)
        if not self._assumed:
            used = 0 if self._limit is None else self._limit - self._left
            self._ours = min(1.0, max(_OURS_LEAST, self._served / used)) if used > 0 else 1.0
        self._served = 0
        self._was_refused = self._was_refused and now_s < self._stopped_until_s
        self._next_s = min(self._next_s, now_s)
