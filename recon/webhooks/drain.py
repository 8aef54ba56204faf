"""Share commits: what arrives while a commit is under way goes into the next one, all together.

A single call commits at once, so that nothing is slower when it is quiet; under load a commit
carries as many deliveries as arrived meanwhile. Memory is bounded: past a limit of waiting
deliveries the answer is 503, and the PSP comes again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

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
_COMMITS_AT_ONCE: Final = 2
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
    """

    def __init__(
        self,
        pool: Pool,
        *,
        most_waiting: int = _MOST_WAITING,
        most_bytes: int = _MOST_BYTES,
        take_in: TakeIn = receive_each,
        within_s: float = _WITHIN_S,
    ) -> None:
        self._pool = pool
        self._most_waiting = most_waiting
        self._most_bytes = most_bytes
        self._take_in = take_in
        self._within_s = within_s
        self._calls: deque[_Call] = deque()
        self._waiting = 0
        self._bytes = 0
        self._workers: set[asyncio.Task[None]] = set()

    async def take(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Wait for the commit that these deliveries are in; what became of each, in their order.

        They stand in one commit together. If the caller is cancelled they are taken all the same.

        Raises:
            IntakeUnavailableError: too many wait already, or the database cannot take them, or not
                in time.
        """
        call = _Call(deliveries, asyncio.get_running_loop().create_future())
        if (
            self._waiting + call.size > self._most_waiting
            or self._bytes + call.bytes > self._most_bytes
        ):
            raise IntakeUnavailableError("too many deliveries wait; send them again")
        self._calls.append(call)
        self._count(call, +1)
        if len(self._workers) < _COMMITS_AT_ONCE:
            self._workers.add(asyncio.create_task(self._work()))
        try:
            async with asyncio.timeout(self._within_s):
                return await call.answer
        except TimeoutError:
            if call in self._calls:
                # Who sends it again does so with other bytes in memory.
                self._calls.remove(call)
                self._count(call, -1)
            raise IntakeUnavailableError("the database takes too long; send them again") from None

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while self._workers:
            await asyncio.wait(set(self._workers))

    def _count(self, call: _Call, sign: int) -> None:
        self._waiting += sign * call.size
        self._bytes += sign * call.bytes

    async def _work(self) -> None:
        try:
            while self._calls:
                calls = [self._calls.popleft()]
                size = calls[0].size
                while self._calls and size + self._calls[0].size <= _IN_A_COMMIT:
                    calls.append(self._calls.popleft())
                    size += calls[-1].size
                _batch_size.observe(size)
                try:
                    await self._commit(calls)
                finally:
                    for call in calls:
                        self._count(call, -1)
        finally:
            # At once, not by a callback a moment later: a call that comes in between would find
            # that enough are at work, and nobody would take it.
            self._workers.discard(asyncio.current_task())

    async def _commit(self, calls: Sequence[_Call]) -> None:
        together = [delivery for call in calls for delivery in call.deliveries]
        try:
            outcomes = iter(await self._take_in(self._pool, together))
        except BaseException as error:
            for call in calls:
                # A caller that has gone has nobody to tell.
                with suppress(asyncio.InvalidStateError):
                    call.answer.set_exception(_told(error))
            if not isinstance(error, Exception):
                raise
            return
        for call in calls:
            told = [next(outcomes) for _ in call.deliveries]
            with suppress(asyncio.InvalidStateError):
                _tell(call, told)


def _tell(call: _Call, told: Sequence[Outcome | IntakeUnavailableError]) -> None:
    """One of them that was not taken makes the whole call be sent again; the others are repeats."""
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
