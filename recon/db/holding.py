"""How long a call may hold a connection: one that died without a word is silent for ever.

asyncpg gives a statement a minute, which is for what the jobs do; a caller has gone by then, and so
has the player behind it. Whoever answers callers says how long each use of a connection may take;
what takes longer is cancelled, and the connection dropped unless Postgres confirms that.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from asyncpg.pool import PoolAcquireContext

from recon.db.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["Held", "held_at_most", "is_limited"]

_at_most_s: ContextVar[float | None] = ContextVar("recon_db_held_at_most_s", default=None)


@contextmanager
def held_at_most(seconds: float | None) -> Iterator[None]:
    """Bound each use of a connection in here, and in tasks that begin in here; None: unbounded."""
    token = _at_most_s.set(seconds)
    try:
        yield
    finally:
        _at_most_s.reset(token)


def is_limited() -> bool:
    """Whether a connection may be held here for so long only."""
    return _at_most_s.get() is not None


class Held(PoolAcquireContext):  # type: ignore[misc]  # asyncpg is untyped
    """A connection that is held for as long as `held_at_most` says.

    Raises:
        DatabaseUnavailableError: the time is up.
    """

    __slots__ = ("_time",)

    _time: asyncio.Timeout

    async def __aenter__(self) -> Any:  # noqa: ANN401 - asyncpg's own
        """The connection."""
        connection = await super().__aenter__()
        self._time = asyncio.timeout(_at_most_s.get())
        await self._time.__aenter__()
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        try:
            await self._time.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise DatabaseUnavailableError("the database takes too long; come again") from late
        finally:
            await super().__aexit__(kind, error, trace)
