"""Share commits: what arrives while a commit is under way goes into the next one, all together.

A single call commits at once, so that nothing is slower when it is quiet; under load a commit
carries as many deliveries as arrived meanwhile. One is under way at a time: two would share what
arrives, and each commit has its price. Only beside one that takes long, because somebody holds a
lock or the disk is slow, the next begins. Memory is bounded: past a limit of waiting deliveries the
answer is 503, and the PSP comes again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from prometheus_client import Histogram

from recon.webhooks.errors import IntakeUnavailableError
from recon.webhooks.receive import receive_each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from recon.db import Pool
    from recon.webhooks.model import Delivery, Outcome

    TakeIn = Callable[
        [Pool, Sequence[Delivery]], Awaitable[Sequence[Outcome | IntakeUnavailableError]]
    ]

__all__ = ["DRAIN", "Drain"]

_IN_A_COMMIT: Final = 256
_MOST_WAITING: Final = 4096
_MOST_BYTES: Final = 32 * 2**20
_COMMITS_AT_ONCE: Final = 4
_PATIENCE_S: Final = 0.025
"""A few commits of a good disk."""

_WITHIN_S: Final = 8.0
"""Waiting included: Adyen takes no answer for a refusal after ten seconds."""

_batch_size = Histogram(
    "recon_intake_commit_deliveries",
    "Deliveries that shared a commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)


@dataclass(slots=True, eq=False)
class _Call:
    deliveries: Sequence[Delivery]
    answer: asyncio.Future[list[Outcome]]
    until_s: float
    waits: bool = True
    size: int = field(init=False)
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.deliveries)
        self.bytes = sum(len(delivery.body) for delivery in self.deliveries)


class Drain:
    """The queue before the commit; belongs to one event loop.

    Args:
        pool: the database.
        most_waiting: deliveries that may wait; more are refused.
        most_bytes: of their bodies, likewise.
        take_in: commits deliveries and says what became of each, in their order.
        within_s: nobody waits longer for an answer.
        patience_s: how long a commit may take before the next one begins beside it.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        most_waiting: int = _MOST_WAITING,
        most_bytes: int = _MOST_BYTES,
        take_in: TakeIn = receive_each,
        within_s: float = _WITHIN_S,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._pool = pool
        self._most_waiting = most_waiting
        self._most_bytes = most_bytes
        self._take_in = take_in
        self._within_s = within_s
        self._patience_s = patience_s
        self._calls: deque[_Call] = deque()
        # In the order of their deadlines; whose caller has gone is among them.
        self._unanswered: OrderedDict[_Call, None] = OrderedDict()
        self._deadline: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._bytes = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[Any] | None] = set()

    async def take(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Wait for the commit that these deliveries are in; what became of each, in their order.

        They stand in one commit together. If the caller is cancelled they are taken all the same.

        Raises:
            IntakeUnavailableError: too many wait already, or the database cannot take them, or not
                in time.
        """
        loop = asyncio.get_running_loop()
        call = _Call(deliveries, loop.create_future(), loop.time() + self._within_s)
        if (
            self._waiting + call.size > self._most_waiting
            or self._bytes + call.bytes > self._most_bytes
        ):
            raise IntakeUnavailableError("too many deliveries wait; send them again")
        self._calls.append(call)
        self._count(call, +1)
        self._unanswered[call] = None
        if self._deadline is None:
            self._deadline = loop.call_at(call.until_s, self._end_waiting)
        self._begin()
        return await call.answer

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while self._workers:
            await asyncio.wait(set(self._workers))

    def _count(self, call: _Call, sign: int) -> None:
        self._waiting += sign * call.size
        self._bytes += sign * call.bytes

    def _end_waiting(self) -> None:
        """Answer those whose time is up; one timer for all, set for the first of them."""
        loop = asyncio.get_running_loop()
        self._deadline = None
        while self._unanswered:
            call = next(iter(self._unanswered))
            if not call.answer.done() and call.until_s > loop.time():
                self._deadline = loop.call_at(call.until_s, self._end_waiting)
                return
            del self._unanswered[call]
            if not call.answer.done():
                late = IntakeUnavailableError("the database takes too long; send them again")
                call.answer.set_exception(late)
                if call.waits:
                    # Who sends it again does so with other bytes in memory.
                    self._calls.remove(call)
                    self._count(call, -1)

    def _begin(self) -> None:
        """Begin a commit, unless one is under way that has not taken long."""
        if len(self._slow) == len(self._workers) < _COMMITS_AT_ONCE:
            self._workers.add(asyncio.create_task(self._work()))

    def _lose_patience(self, worker: asyncio.Task[Any] | None) -> None:
        self._slow.add(worker)
        if self._calls:
            self._begin()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        worker = asyncio.current_task()
        try:
            # Beside another that is quick again, this one is not needed any more.
            while self._calls and len(self._workers) - len(self._slow) == 1:
                patience = loop.call_later(self._patience_s, self._lose_patience, worker)
                try:
                    await self._commit(self._next())
                finally:
                    patience.cancel()
                    self._slow.discard(worker)
        finally:
            # At once, not by a callback a moment later: a call that comes in between would find
            # that enough are at work, and nobody would take it.
            self._workers.discard(worker)

    def _next(self) -> list[_Call]:
        calls: list[_Call] = []
        size = 0
        while self._calls and (not calls or size + self._calls[0].size <= _IN_A_COMMIT):
            call = self._calls.popleft()
            call.waits = False
            size += call.size
            calls.append(call)
        _batch_size.observe(size)
        return calls

    async def _commit(self, calls: Sequence[_Call]) -> None:
        together = [delivery for call in calls for delivery in call.deliveries]
        try:
            outcomes = iter(await self._take_in(self._pool, together))
        except BaseException as error:
            for call in calls:
                # A caller that has gone has nobody to tell.
                if not call.answer.done():
                    call.answer.set_exception(_told(error))
                # An error holds all that was on its way, bodies too.
                self._unanswered.pop(call, None)
            if not isinstance(error, Exception):
                raise
            return
        finally:
            for call in calls:
                self._count(call, -1)
        for call in calls:
            _tell(call, [next(outcomes) for _ in range(call.size)])
            self._unanswered.pop(call, None)


def _tell(call: _Call, told: Sequence[Outcome | IntakeUnavailableError]) -> None:
    """One of them that was not taken makes the whole call be sent again; the others are repeats."""
    if call.answer.done():
        # Its caller has gone, or was told that it takes too long.
        return
    taken = []
    for outcome in told:
        if isinstance(outcome, IntakeUnavailableError):
            call.answer.set_exception(outcome)
            return
        taken.append(outcome)
    call.answer.set_result(taken)


def _told(error: BaseException) -> Exception:
    """What each caller is told: the error, or that the process is ending."""
    if isinstance(error, Exception):
        return error
    return IntakeUnavailableError("the service is stopping; send it again")


DRAIN: web.AppKey[Drain] = web.AppKey("drain", Drain)
