"""A read replica: as of when it may be read, by whom, and what happens while it may not.

A streaming standby of the database has everything up to an instant that is a moment ago, as a rule.
It is looked at once a second. Who has written something of late reads from it only once it has that
too, by the place in the write-ahead log; and nobody does while it is too far behind, out of reach,
or no standby of this primary. Then the primary is read, as without a replica.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog
from aiohttp import web
from prometheus_client import Gauge

from recon.db.numbers import DatabaseNumbers
from recon.db.pool import DatabaseUnavailableError, database_fault, open_pool
from recon.db.reading import reading_from
from recon.db.sql import load
from recon.db.standby import Standing, bytes_of, standing_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime, timedelta

    from recon.db.pool import Pool

__all__ = ["REPLICA", "Replica", "open_replica", "replica_numbers"]

log = structlog.get_logger(__name__)

_up = Gauge(
    "recon_replica_up",
    "Whether the read replica is read. 0: it does not answer, is no standby of the primary or too"
    " far behind, and the primary is read in its stead. NaN: none is set.",
)
_behind = Gauge(
    "recon_replica_behind_seconds",
    "How far the read replica is behind, by the last look. NaN: that is not known, or none is set.",
)
_up.set(math.nan)
_behind.set(math.nan)

_LOOK_EVERY_S: Final = 1.0
_LOOK_WITHIN_S: Final = 2.0
_MEASURE_WITHIN_S: Final = 1.0
"""Less than the numbers of a part may take in all: it is told as down, not left out."""
_REST_S: Final = 10.0
"""How long a replica that does not answer is left alone."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How it stood, and when it was looked at, by this process's clock."""

    standing: Standing
    taken_s: float


class Replica:
    """The replica, as one process sees it.

    Args:
        primary: where everything is.
        pool: of the replica.
        at_most: how far behind it may be to be read.
    """

    def __init__(self, primary: Pool, pool: Pool, *, at_most: timedelta) -> None:
        self._primary = primary
        self._pool = pool
        self._at_most = at_most
        self._look: _Look | None = None
        self._looking = asyncio.Lock()
        self._rests_until_s = 0.0
        self._doubted: str | None = None

    async def written(self) -> str:
        """A place that has everything which was written until now; for `as_of`."""
        async with self._primary.acquire() as connection:
            row = await connection.fetchrow(load("recon.db", "written"))
        return str(row["place"])

    async def as_of(self, *, after: str | None = None) -> datetime | None:
        """As of when the replica may be read now; ``None``: the primary is to be read.

        Args:
            after: a place from `written` that it must have; what is none counts as nothing.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until_s:
            return None
        wanted = bytes_of(after)
        try:
            standing = await self._looked(loop.time() - _LOOK_EVERY_S)
            if standing.place < wanted:
                standing = await self._looked(loop.time())
        except DatabaseUnavailableError as error:
            self.doubt(error.message)
            return None
        if standing.behind > self._at_most:
            # Not left alone: it may have caught up by the next look.
            self._say(f"the replica is more than {self._at_most.total_seconds():g} s behind")
            return None
        self._say(None)
        return standing.as_of if standing.place >= wanted else None

    async def look(self, *, within_s: float | None = None) -> Standing:
        """How it stands now.

        Args:
            within_s: how long that may take; ``None``: as long as a page waits for it.

        Raises:
            NoStandbyError: it is no standby of this primary.
            DatabaseUnavailableError: it, or the primary, does not answer, or refuses us.
        """
        try:
            async with asyncio.timeout(_LOOK_WITHIN_S if within_s is None else within_s):
                standing = await standing_of(self._pool, primary=self._primary)
        except Exception as error:
            _up.set(0)
            _behind.set(math.nan)
            if database_fault(error) is not None or isinstance(error, TimeoutError):
                raise DatabaseUnavailableError("the replica does not answer") from error
            if isinstance(error, asyncpg.PostgresError):
                # A wrong password or name there is no reason to show nobody anything.
                raise DatabaseUnavailableError(f"the replica refuses us: {error}") from error
            raise
        _up.set(standing.behind <= self._at_most)
        _behind.set(standing.behind.total_seconds())
        return standing

    async def measure(self) -> None:
        """Look at it for whoever asks for the numbers, whether or not anybody reads."""
        with suppress(DatabaseUnavailableError):
            await self.look(within_s=_MEASURE_WITHIN_S)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let whoever asks for the primary in here read from the replica."""
        with reading_from(self._pool, instead_of=self._primary):
            yield

    def doubt(self, reason: str) -> None:
        """Leave it alone for a while; the same reason is said once until it is read again."""
        self._rests_until_s = asyncio.get_running_loop().time() + _REST_S
        self._say(reason)

    def _say(self, reason: str | None) -> None:
        """Why it is not read, once; ``None``: it is."""
        if reason == self._doubted:
            return
        if reason is None:
            log.info("replica_read_again")
        else:
            log.warning("replica_not_read", reason=reason)
        self._doubted = reason

    async def _looked(self, not_before_s: float) -> Standing:
        """A look that was taken since then; whoever comes meanwhile shares it."""
        async with self._looking:
            if self._look is None or self._look.taken_s < not_before_s:
                self._look = _Look(await self.look(), asyncio.get_running_loop().time())
            return self._look.standing


REPLICA: web.AppKey[Replica] = web.AppKey("replica", Replica)


@asynccontextmanager
async def open_replica(
    dsn: str, primary: Pool, *, max_size: int, at_most: timedelta
) -> AsyncIterator[Replica]:
    """A replica, which need not be there: nothing is asked of it before something is read.

    Args:
        dsn: of the standby, as the service's role.
        primary: the pool that it is read instead of.
        max_size: connections at most.
        at_most: how far behind it may be to be read.
    """
    async with open_pool(
        dsn, max_size=max_size, application="recon-replica", lazy=True, acquire_timeout_s=2.0
    ) as pool:
        yield Replica(primary, pool, at_most=at_most)


def replica_numbers(app: web.Application) -> DatabaseNumbers:
    """The numbers of an application's replica, looked at when somebody asks."""

    async def refresh(primary: Pool) -> None:
        # Without it nothing is known of the replica either: it is not down, it is left out.
        await primary.fetchrow(load("recon.db", "written"))
        await app[REPLICA].measure()

    return DatabaseNumbers("replica", refresh, (_up, _behind))
