"""Taking turns at one API key: who may send now, who waits, and who is sent away.

`Pace` says when the next call may leave; this queues the callers for it, by `Priority`. So that
nobody waits for ever, one turn in eight goes to whoever has waited longest. A lane is bounded and
so is the wait: past either, a caller is told when to come back, and nothing of theirs was sent. A
caller that is cancelled leaves no trace.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.game.errors import GameBusy
from recon.game.metrics import REFUSED_TURNS, TURN_WAIT, WAITING
from recon.game.pace import Priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.errors import ReconError
    from recon.game.pace import Pace

__all__ = ["Turnstile"]

_OLDEST_EVERY: Final = 8
_MOST_WAITING: Final = 1000
_PATIENCE_S: Final = (5.0, 5.0, 15.0, 30.0, 120.0, 120.0)
"""How long a call waits for its turn, by priority; a player's own no longer than they would, and a
suspect's within the time for which it is claimed."""
_SHORTEST_NAP_S: Final = 0.0005
_PRIORITIES: Final = tuple(Priority)


@dataclass(slots=True, eq=False)
class _Waiter:
    number: int
    priority: Priority
    granted: asyncio.Future[None]


class Turnstile:
    """The queue of one key in this process.

    Args:
        pace: when the next call may leave.
        monotonic: seconds from any origin, never backwards.
        most_waiting: callers in one lane.
    """

    def __init__(
        self, pace: Pace, *, monotonic: Callable[[], float], most_waiting: int = _MOST_WAITING
    ) -> None:
        self._pace = pace
        self._monotonic = monotonic
        self._most_waiting = most_waiting
        self._lanes: tuple[OrderedDict[int, _Waiter], ...] = tuple(
            OrderedDict() for _ in _PRIORITIES
        )
        self._waiting = 0
        self._numbers = 0
        self._since_oldest = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return self._waiting

    async def take(self, priority: Priority, request_id: str) -> None:
        """Wait for a turn; it is counted as sent, and whoever has it says to `Pace` how it ended.

        Raises:
            GameBusy: the queue is full, or the turn would not come in time; nothing was sent.
        """
        now_s = self._monotonic()
        if self._waiting == 0 and self._pace.ready_at(priority, now_s) <= now_s:
            self._pace.sent(priority, now_s)
            return
        patience_s = _PATIENCE_S[priority]
        stopped_s = self._pace.stopped_for_s(now_s)
        if stopped_s > patience_s:
            REFUSED_TURNS[priority].inc()
            raise GameBusy(
                "the game asked us to wait", wait_s=stopped_s, status=None, request_id=request_id
            )
        lane = self._lanes[priority]
        if len(lane) >= self._most_waiting:
            REFUSED_TURNS[priority].inc()
            raise self._busy("too many calls wait for the game's rate limit", priority, request_id)
        await self._queue(priority, patience_s, request_id)
        TURN_WAIT[priority].observe(self._monotonic() - now_s)

    def pump(self) -> None:
        """Let in whoever may go now, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            now_s = self._monotonic()
            waiter, ranks_as = self._next()
            if waiter.granted.done():  # cancelled a moment ago, and about to leave
                self._remove(waiter)
                continue
            at_s = self._pace.ready_at(ranks_as, now_s)
            if at_s > now_s:
                if at_s != math.inf:  # else the next answer comes here
                    nap_s = max(_SHORTEST_NAP_S, at_s - now_s)
                    self._timer = asyncio.get_running_loop().call_later(nap_s, self.pump)
                return
            self._remove(waiter)
            self._since_oldest = (self._since_oldest + 1) % _OLDEST_EVERY
            self._pace.sent(waiter.priority, now_s)
            waiter.granted.set_result(None)

    def send_away(self, make: Callable[[], ReconError]) -> None:
        """Tell everybody in the queue that there will be no turn."""
        for waiter in [waiter for lane in self._lanes for waiter in lane.values()]:
            self._remove(waiter)
            if not waiter.granted.done():
                waiter.granted.set_exception(make())

    async def _queue(self, priority: Priority, patience_s: float, request_id: str) -> None:
        self._numbers += 1
        waiter = _Waiter(self._numbers, priority, asyncio.get_running_loop().create_future())
        self._lanes[priority][waiter.number] = waiter
        self._waiting += 1
        WAITING[priority].inc()
        self.pump()
        try:
            async with asyncio.timeout(patience_s):
                await waiter.granted
        except BaseException as error:
            self._leave(waiter)
            if not isinstance(error, TimeoutError):
                raise
            REFUSED_TURNS[priority].inc()
            raise self._busy("the game's rate limit leaves no turn", priority, request_id) from None

    def _leave(self, waiter: _Waiter) -> None:
        """Give up a place in the queue, or the turn that has just come of it."""
        granted = waiter.granted
        if waiter.number in self._lanes[waiter.priority]:
            self._remove(waiter)
        elif not granted.cancelled() and granted.exception() is None:
            self._pace.not_sent()
        self.pump()

    def _next(self) -> tuple[_Waiter, Priority]:
        """Who is next, and by whose rights."""
        firsts = [next(iter(lane.values())) for lane in self._lanes if lane]
        if self._since_oldest == _OLDEST_EVERY - 1:
            return min(firsts, key=lambda waiter: waiter.number), Priority.CASH_OUT
        return firsts[0], firsts[0].priority

    def _remove(self, waiter: _Waiter) -> None:
        del self._lanes[waiter.priority][waiter.number]
        self._waiting -= 1
        WAITING[waiter.priority].dec()

    def _busy(self, why: str, priority: Priority, request_id: str) -> GameBusy:
        """Sent away until those who go before have had their turns, as far as can be told."""
        before = sum(len(lane) for lane in self._lanes[: priority + 1])
        wait_s = self._pace.taken_for_s(before, priority, self._monotonic())
        return GameBusy(
            f"{why}; nothing was sent",
            wait_s=wait_s if math.isfinite(wait_s) else None,
            status=None,
            request_id=request_id,
        )
