"""One connection per deployment: whoever has the lease listens, the others wait for it to end.

The lease is a row with an end, by the database's clock, renewed by statements that stand alone, so
that a pooler that gives every transaction another connection may stand between. Its holder counts
from before it asked, by its own clock, and hangs up before the lease can have ended; one that is
killed or hangs is followed by another as soon as it has. Should two listen at once all the same, as
when a process stood still in between, that costs a few questions and nothing else.

One that reaches the database and not the game would keep it for ever: it tries for a while, then
lets go and stands aside, so that another may try from where it is. Alone, it goes on by itself.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from recon.clock import new_id
from recon.db import load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from typing import NoReturn
    from uuid import UUID

    import asyncpg

    from recon.db import Pool, Sql
    from recon.game.stream.watch import StreamWatch

__all__ = ["Holding", "Lease", "hold", "read_holding"]

log = structlog.get_logger(__name__)

_STREAM: Final = "game"
_LEAVING_S: Final = 1.0


class _LeaseOverError(Exception):
    """We may not listen any more."""


class _DeafError(Exception):
    """We have not listened for so long that another should try."""


class _UnansweredError(Exception):
    """The database did not answer in time, or not as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """How long it lasts and how often it is renewed.

    Args:
        lasts_s: after this a holder that has fallen silent is followed by another.
        renew_s: between two renewals; several must fail for the lease to end.
        hang_up_s: so long before its end the holder begins to hang up.
        ask_s: how often the others ask whether it has ended.
        deaf_s: a holder that has not listened for so long lets go, to let another try; longer than
            a game takes to restart.
        refused_s: the same where the game does not accept us. Another may have the newer key, and
            to try with the old one all the time is noise.
    """

    lasts_s: float = 6.0
    renew_s: float = 1.5
    hang_up_s: float = 1.0
    ask_s: float = 1.0
    deaf_s: float = 30.0
    refused_s: float = 300.0

    @property
    def aside_s(self) -> float:
        """How long one that has let go stands aside: the others have asked by then."""
        return 2 * self.ask_s

    @property
    def lasts(self) -> timedelta:
        """As the database takes it."""
        return timedelta(seconds=self.lasts_s)


@dataclass(frozen=True, slots=True)
class Holding:
    """How the deployment's stream stands.

    Attributes:
        held_since: when the present or last holder took it.
        connected_at: since when it listens, None while it does not.
        heard_at: when the server last said anything to any holder.
        failure: why it does not listen, where it has tried.
        is_held: whether anybody holds it.
    """

    held_since: datetime
    connected_at: datetime | None
    heard_at: datetime | None
    failure: str | None
    is_held: bool


async def hold(
    pool: Pool,
    work: Callable[[], Awaitable[NoReturn]],
    watch: StreamWatch,
    *,
    lease: Lease | None = None,
) -> NoReturn:
    """Do the work whenever no other process does; until cancelled.

    Args:
        pool: where the lease is.
        work: what one process does; cancelled when the lease is over.
        watch: what is told of it to others.
        lease: its times.
    """
    lease = lease or Lease()
    while True:
        holder, ends_s, aside_s = new_id(), _end_s(lease), 0.0
        if await _take(pool, holder, lease):
            log.info("stream_held")
            try:
                await _held(pool, holder, work, watch, lease, ends_s)
            except* (_LeaseOverError, TimeoutError):
                log.warning("stream_lease_over")
            except* _DeafError:
                log.warning("stream_let_go", failure=watch.failure)
                aside_s = lease.aside_s
            except* Exception:
                log.exception("stream_not_held")
            finally:
                await asyncio.shield(_leave(pool, holder))
        spread_s = lease.ask_s * random.uniform(0.5, 1)  # noqa: S311 - spreads questions
        await asyncio.sleep(aside_s + spread_s)


async def read_holding(pool: Pool) -> Holding | None:
    """How the stream stands; None where nobody has ever held it."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(load("recon.game.stream", "stream_holder"), _STREAM)
    return None if row is None else Holding(**dict(row))


async def _held(
    pool: Pool,
    holder: UUID,
    work: Callable[[], Awaitable[NoReturn]],
    watch: StreamWatch,
    lease: Lease,
    ends_s: float,
) -> None:
    # Its own limit: a renewal that the database does not answer may take longer than is left.
    async with asyncio.timeout_at(ends_s) as limit, asyncio.TaskGroup() as group:
        group.create_task(_run(work))
        group.create_task(_renew(pool, holder, watch, lease, limit))


async def _run(work: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    await work()


async def _renew(
    pool: Pool, holder: UUID, watch: StreamWatch, lease: Lease, limit: asyncio.Timeout
) -> NoReturn:
    loop = asyncio.get_running_loop()
    heard_s = loop.time()
    while True:
        await asyncio.sleep(lease.renew_s)
        if watch.listening_since_s is not None:
            heard_s = loop.time()
        elif loop.time() - heard_s > (lease.refused_s if watch.is_refused else lease.deaf_s):
            raise _DeafError
        asked_s = _end_s(lease)
        try:
            row = await _ask(
                pool,
                load("recon.game.stream", "keep_stream"),
                *(holder, lease.lasts, watch.connected_at, watch.heard_at, watch.failure),
                until_s=loop.time() + lease.renew_s,
            )
        except _UnansweredError:
            continue  # asked again until the end; what there is to say of it, others say
        if row is None or limit.expired():
            raise _LeaseOverError
        limit.reschedule(asked_s)


async def _take(pool: Pool, holder: UUID, lease: Lease) -> bool:
    with suppress(_UnansweredError):
        statement = load("recon.game.stream", "hold_stream")
        row = await _ask(pool, statement, holder, lease.lasts, until_s=_end_s(lease))
        return row is not None
    return False


async def _leave(pool: Pool, holder: UUID) -> None:
    with suppress(_UnansweredError):
        until_s = asyncio.get_running_loop().time() + _LEAVING_S
        await _ask(pool, load("recon.game.stream", "leave_stream"), holder, until_s=until_s)


async def _ask(
    pool: Pool, statement: Sql, *arguments: object, until_s: float
) -> asyncpg.Record | None:
    try:
        async with asyncio.timeout_at(until_s), pool.acquire() as connection:
            return await connection.fetchrow(statement, _STREAM, *arguments)
    except Exception as error:
        # Whatever it is: a holder waits for the end of its lease, the others for their turn.
        raise _UnansweredError from error


def _end_s(lease: Lease) -> float:
    """When to hang up, by this process's clock, where the lease is asked for now."""
    return asyncio.get_running_loop().time() + lease.lasts_s - lease.hang_up_s
