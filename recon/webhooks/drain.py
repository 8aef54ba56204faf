"""Share commits: what arrives while a commit is under way goes into the next one, all together.

A single call commits at once, so that nothing is slower when it is quiet; under load a commit
carries as many deliveries as arrived meanwhile. Memory is bounded: past a limit of waiting
deliveries the answer is 503, and the PSP comes again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import Histogram

from recon.webhooks.errors import IntakeUnavailableError
from recon.webhooks.receive import receive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from recon.db import Pool
    from recon.webhooks.model import Delivery, Outcome

__all__ = ["DRAIN", "Drain"]

_IN_A_COMMIT: Final = 256
_MOST_WAITING: Final = 4096
_COMMITS_AT_ONCE: Final = 2
_WITHIN_S: Final = 8.0
"""Waiting included: Adyen takes no answer for a refusal after ten seconds."""

_batch_size = Histogram(
    "recon_intake_commit_deliveries",
    "Deliveries that shared a commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)


@dataclass(slots=True)
class _Call:
    deliveries: Sequence[Delivery]
    answer: asyncio.Future[list[Outcome]]
    refused: bool = False


class Drain:
    """The queue before the commit; belongs to one event loop.

    Args:
        pool: the database.
        most_waiting: deliveries that may wait; more are refused.
        take_in: commits deliveries and says what became of each, in their order.
        within_s: nobody waits longer for an answer.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        most_waiting: int = _MOST_WAITING,
        take_in: Callable[[Pool, Sequence[Delivery]], Awaitable[list[Outcome]]] = receive,
        within_s: float = _WITHIN_S,
    ) -> None:
        self._pool = pool
        self._most_waiting = most_waiting
        self._take_in = take_in
        self._within_s = within_s
        self._calls: deque[_Call] = deque()
        self._waiting = 0
        self._workers: set[asyncio.Task[None]] = set()

    async def take(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Wait for the commit that these deliveries are in; what became of each, in their order.

        They stand in one commit together. If the caller is cancelled they are taken all the same.

        Raises:
            IntakeUnavailableError: too many wait already, or the database cannot take them, or not
                in time.
        """
        if self._waiting + len(deliveries) > self._most_waiting:
            raise IntakeUnavailableError("too many deliveries wait; send them again")
        call = _Call(deliveries, asyncio.get_running_loop().create_future())
        self._calls.append(call)
        self._waiting += len(deliveries)
        if len(self._workers) < _COMMITS_AT_ONCE:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        try:
            async with asyncio.timeout(self._within_s):
                return await call.answer
        except TimeoutError:
            call.refused = True
            raise IntakeUnavailableError("the database takes too long; send them again") from None

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while self._workers:
            await asyncio.wait(set(self._workers))

    async def _work(self) -> None:
        while self._calls:
            calls = [self._calls.popleft()]
            size = len(calls[0].deliveries)
            while self._calls and size + len(self._calls[0].deliveries) <= _IN_A_COMMIT:
                calls.append(self._calls.popleft())
                size += len(calls[-1].deliveries)
            _batch_size.observe(size)
            try:
                # Who was refused while they waited sends them again.
                await self._commit([call for call in calls if not call.refused])
            finally:
                self._waiting -= size

    async def _commit(self, calls: Sequence[_Call]) -> None:
        together = [delivery for call in calls for delivery in call.deliveries]
        if not together:
            return
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
                call.answer.set_result(told)


def _told(error: BaseException) -> Exception:
    """What each caller is told: the error, or that the process is ending."""
    if isinstance(error, Exception):
        return error
    return IntakeUnavailableError("the service is stopping; send it again")


DRAIN: web.AppKey[Drain] = web.AppKey("drain", Drain)
