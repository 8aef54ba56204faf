"""Share commits: what arrives while one is under way goes into the next one, all together.

A single call is taken at once, so that nothing is slower when it is quiet; under load a commit
carries as many units as arrived meanwhile. One is under way at a time: two would share what
arrives, and each commit has its price. Only beside one that takes long, because somebody holds a
lock or the disk is slow, the next begins. Memory and waiting are bounded.

What is shared need not be a commit: a look-up by many keys saves as many round trips.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

import asyncpg
from structlog.contextvars import bound_contextvars, clear_contextvars, get_contextvars

from recon import tracing
from recon.db.holding import held_at_most
from recon.db.pool import DatabaseUnavailableError, database_fault
from recon.db.transactions import with_retries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from recon.db.pool import Pool

__all__ = [
    "MOST_BYTES",
    "MOST_WAITING",
    "PATIENCE_S",
    "WITHIN_S",
    "Shared",
    "broken_off_at",
    "each_alone",
    "take_each",
]

_IN_A_COMMIT: Final = 256
_COMMITS_AT_ONCE: Final = 4
_ALONE_AT_ONCE: Final = 4

MOST_WAITING: Final = 4096
MOST_BYTES: Final = 32 * 2**20
PATIENCE_S: Final = 0.025
"""A few commits of a good disk."""

WITHIN_S: Final = 8.0
"""Waiting included: Adyen takes no answer for a refusal after ten seconds."""

UnitT = TypeVar("UnitT")
ResultT = TypeVar("ResultT")
Together: TypeAlias = (
    "Callable[[asyncpg.Connection[Any], Sequence[UnitT]], Awaitable[Sequence[ResultT]]]"
)


class _Call(Generic[UnitT, ResultT]):
    """Units that came together, and who waits for what becomes of them."""

    __slots__ = ("answer", "bytes", "context", "origin", "size", "units", "until_s", "waits")

    def __init__(
        self,
        units: Sequence[UnitT],
        size: int,
        answer: asyncio.Future[list[ResultT]],
        until_s: float,
    ) -> None:
        self.units = units
        self.answer = answer
        self.until_s = until_s
        self.waits = True
        self.context = copy_context()
        self.origin = tracing.origin()
        self.size = len(units)
        self.bytes = size


class Shared(Generic[UnitT, ResultT]):
    """The queue before a commit; belongs to one event loop.

    Args:
        take_in: commits units and says what became of each, in their order: a result, or the error
            that is its own.
        refused: makes the error of a unit that is not taken, out of the reason.
        weigh: bytes of a unit that are held while it waits.
        observe: told of how many units share each commit.
        most_waiting: units that may wait; more are refused.
        most_bytes: of these, likewise.
        within_s: nobody waits longer for an answer.
        patience_s: how long a commit may take before the next one begins beside it.
        name: of the commit, where it is worth a span.
    """

    def __init__(  # noqa: PLR0913 - each is a setting or a seam, by name
        self,
        take_in: Callable[[Sequence[UnitT]], Awaitable[Sequence[ResultT | Exception]]],
        *,
        refused: Callable[[str], Exception] = DatabaseUnavailableError,
        weigh: Callable[[UnitT], int] = lambda _: 0,
        observe: Callable[[float], None] = lambda _: None,
        most_waiting: int = MOST_WAITING,
        most_bytes: int = MOST_BYTES,
        within_s: float = WITHIN_S,
        patience_s: float = PATIENCE_S,
        name: str | None = None,
    ) -> None:
        self._name = name
        self._take_in = take_in
        self._refused = refused
        self._weigh = weigh
        self._observe = observe
        self._most_waiting = most_waiting
        self._most_bytes = most_bytes
        self._within_s = within_s
        self._patience_s = patience_s
        self._calls: deque[_Call[UnitT, ResultT]] = deque()
        # In the order of their deadlines; whose caller has gone is among them.
        self._unanswered: OrderedDict[_Call[UnitT, ResultT], None] = OrderedDict()
        self._deadline: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._bytes = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[Any] | None] = set()

    async def take_one(self, unit: UnitT) -> ResultT:
        """As `take`, of one unit."""
        (result,) = await self.take((unit,))
        return result

    async def take(self, units: Sequence[UnitT]) -> list[ResultT]:
        """Wait for the commit that these units are in; what became of each, in their order.

        They stand in one commit together. If the caller is cancelled they are taken all the same.

        Raises:
            Exception: one of them came to it; or, by ``refused``, too many wait already, or it
                takes too long.
        """
        loop = asyncio.get_running_loop()
        size = sum(map(self._weigh, units))
        call: _Call[UnitT, ResultT] = _Call(
            units, size, loop.create_future(), loop.time() + self._within_s
        )
        if (
            self._waiting + call.size > self._most_waiting
            or self._bytes + call.bytes > self._most_bytes
        ):
            raise self._refused("too many wait already; come again")
        self._calls.append(call)
        self._count(call, +1)
        self._unanswered[call] = None
        if self._deadline is None:
            self._deadline = loop.call_at(call.until_s, self._end_waiting)
        self._begin()
        return await call.answer

    @property
    def waiting(self) -> int:
        """Units that wait for their commit, or are in one that is under way."""
        return self._waiting

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while self._workers:
            await asyncio.wait(set(self._workers))

    def _count(self, call: _Call[UnitT, ResultT], sign: int) -> None:
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
                call.answer.set_exception(self._refused("the database takes too long; come again"))
                if call.waits:
                    # Who comes again does so with other bytes in memory.
                    self._calls.remove(call)
                    self._count(call, -1)

    def _begin(self) -> None:
        """Begin a commit, unless one is under way that has not taken long."""
        if len(self._slow) == len(self._workers) < _COMMITS_AT_ONCE:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            # One that is cancelled before it has begun takes no leave of its own.
            worker.add_done_callback(self._workers.discard)

    def _lose_patience(self, worker: asyncio.Task[Any] | None) -> None:
        self._slow.add(worker)
        if self._calls:
            self._begin()

    async def _work(self) -> None:
        # Begun by whoever was first, it works for all of them.
        clear_contextvars()
        tracing.leave()
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

    def _next(self) -> list[_Call[UnitT, ResultT]]:
        calls: list[_Call[UnitT, ResultT]] = []
        size = 0
        while self._calls and (not calls or size + self._calls[0].size <= _IN_A_COMMIT):
            call = self._calls.popleft()
            call.waits = False
            size += call.size
            calls.append(call)
        self._observe(size)
        return calls

    async def _commit(self, calls: Sequence[_Call[UnitT, ResultT]]) -> None:
        together = [unit for call in calls for unit in call.units]
        try:
            origins = [call.origin for call in calls]
            # What is logged of one call alone is of its request.
            said = calls[0].context.run(get_contextvars) if len(calls) == 1 else {}
            with (
                bound_contextvars(**said),
                tracing.shared(self._name, origins, {"recon.members": len(together)}),
            ):
                results = iter(await self._take_in(together))
        except BaseException as error:
            for call in calls:
                # A caller that has gone has nobody to tell.
                if not call.answer.done():
                    call.answer.set_exception(self._told(error))
                # An error holds all that was on its way, bodies too.
                self._unanswered.pop(call, None)
            if not isinstance(error, Exception):
                raise
            return
        finally:
            for call in calls:
                self._count(call, -1)
        for call in calls:
            _tell(call, [next(results) for _ in range(call.size)])
            self._unanswered.pop(call, None)

    def _told(self, error: BaseException) -> Exception:
        """What each caller is told: the error, or that the process is ending."""
        if isinstance(error, Exception):
            return error
        return self._refused("the service is stopping; come again")


def _tell(call: _Call[UnitT, ResultT], told: Sequence[ResultT | Exception]) -> None:
    """One of them that came to an error is what the whole call came to."""
    if call.answer.done():
        # Its caller has gone, or was told that it takes too long.
        return
    results: list[ResultT] = []
    for result in told:
        if isinstance(result, Exception):
            call.answer.set_exception(result)
            return
        results.append(result)
    call.answer.set_result(results)


async def take_each(
    pool: Pool,
    units: Sequence[UnitT],
    together: Together[UnitT, ResultT],
    *,
    name: Callable[[UnitT], Any] | None = None,
    within_s: float = WITHIN_S,
) -> list[ResultT | Exception]:
    """Take units together; where that fails, each by itself, so that none harms its neighbours.

    Args:
        pool: the database.
        units: any number.
        together: takes units on a connection that is outside any transaction, all or none; says
            what became of each, in their order. They come in the order of their names, so that two
            calls never wait for each other in a ring, and no name comes twice.
        name: of a unit; sortable. Of two with one name, the later is taken after the other.
            ``None``: they lock nothing, and come as they are.
        within_s: a connection is dropped after so long.

    Returns:
        What became of each, in their order, or the error that is its own.
    """
    until_s = asyncio.get_running_loop().time() + within_s
    if name is None:
        return await _take(pool, units, together, until_s)
    results: list[ResultT | Exception | None] = [None] * len(units)
    names = [name(unit) for unit in units]
    waiting = sorted(range(len(units)), key=names.__getitem__)
    while waiting:
        # In order, one of a name stands beside the next.
        turn = [
            place
            for before, place in zip([None, *waiting], waiting, strict=False)
            if before is None or names[before] != names[place]
        ]
        taken = await _take(pool, [units[place] for place in turn], together, until_s)
        for place, result in zip(turn, taken, strict=True):
            results[place] = result
        if len(turn) == len(waiting):
            break
        done = set(turn)
        waiting = [place for place in waiting if place not in done]
    return cast("list[ResultT | Exception]", results)


async def _take(
    pool: Pool, units: Sequence[UnitT], together: Together[UnitT, ResultT], until_s: float
) -> list[ResultT | Exception]:
    try:
        return [*await _attempt(pool, units, together, until_s)]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        if (own := _of_all(error)) is not None:
            return [own] * len(units)
        if len(units) == 1:
            return [_of_one(error)]
    # Which of them it is, nobody says.
    return await each_alone(units, lambda alone: _take(pool, alone, together, until_s))


async def each_alone(
    units: Sequence[UnitT], take: Callable[[Sequence[UnitT]], Awaitable[Sequence[ResultT]]]
) -> list[ResultT]:
    """Take each by itself, a few at once: one that waits holds up no other long."""
    turn = asyncio.Semaphore(_ALONE_AT_ONCE)

    async def alone(unit: UnitT) -> ResultT:
        async with turn:
            (result,) = await take([unit])
        return result

    return await asyncio.gather(*map(alone, units))


@with_retries
async def _attempt(
    pool: Pool, units: Sequence[UnitT], together: Together[UnitT, ResultT], until_s: float
) -> Sequence[ResultT]:
    # Of its own, because one call's time is not that of the others with which it is taken.
    with held_at_most(None):
        async with pool.acquire() as connection:
            with broken_off_at(until_s, connection):
                return await together(connection, units)


def _of_all(error: Exception) -> Exception | None:
    """What every unit came to: the database's fault says nothing of any of them."""
    fault = database_fault(error)
    if fault is not None:
        fault.__cause__ = error
    return fault


def _of_one(error: Exception) -> Exception:
    if not isinstance(error, asyncpg.LockNotAvailableError):
        return error
    late = DatabaseUnavailableError("somebody else is at it; try again", retry_after_s=1)
    late.__cause__ = error
    return late


@contextmanager
def broken_off_at(until_s: float, connection: asyncpg.Connection[Any]) -> Iterator[None]:
    """Drop the connection when the time is up, without a word to Postgres.

    A cancelled statement ends, and a transaction rolls back, only when Postgres says so; and it may
    be Postgres, or the way to it, that does not answer.
    """
    timer = asyncio.get_running_loop().call_at(until_s, connection.give_up)
    try:
        yield
    finally:
        timer.cancel()
