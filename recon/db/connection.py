"""A connection of the pool, straight to Postgres or through a pooler that lends by transaction.

Such a pooler (PgBouncer) gives every transaction the session of whoever had it before. So nothing
here outlives a transaction: neither settings and locks, which the rooms keep so, nor statements
prepared by name, nor a setting of asyncpg's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Connection", "stands_between"]

_CONFIRMS_WITHIN_S: Final = 1.0


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped
    """A connection that is given back as it is where it can be, and given up when it is dead.

    Nothing here changes a session but listening: locks and settings end with their transaction, and
    no cursor outlives its user. Resetting it all the same would be a round trip after each use.

    A statement that is cancelled, or takes too long, ends when Postgres says so, for which asyncpg
    waits another `command_timeout`; and it may be Postgres, or the way to it, that is gone.
    """

    _listens = False
    _waits = False
    is_lent = False
    """Whether the session is somebody else's after each transaction."""

    on_silence: Callable[[], None] | None = None

    async def add_listener(self, channel: str, callback: Any) -> None:  # noqa: ANN401 - asyncpg's own
        """Listen, and be reset when given back."""
        self._listens = True
        await super().add_listener(channel, callback)

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> Any:  # noqa: ANN401 - asyncpg's own
        """As asyncpg's; READ COMMITTED where nothing else is asked for, whatever the default is.

        Who waits for a lock has to see what was committed meanwhile, and a snapshot of the whole
        transaction, as a database or a role may have it for its default, is older than that.
        """
        if isolation is None and not self.is_in_transaction():
            isolation = "read_committed"
        return super().transaction(isolation=isolation, readonly=readonly, deferrable=deferrable)

    def get_reset_query(self) -> str:
        """What undoes a use."""
        if self._listens:
            self._listens = self._waits = False
            return str(super().get_reset_query())
        waits, self._waits = self._waits, False
        return "SELECT" if waits else ""

    async def _do_execute(self, *query: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's own
        try:
            return await super()._do_execute(*query, **options)
        except (asyncpg.DataError, asyncpg.InterfaceError):
            # An argument that is not what the statement wants, of which Postgres is not told. It
            # waits with its locks, and a pooler with its session, for what was to follow.
            self._waits = True
            raise

    async def _get_statement(
        self,
        *query: Any,  # noqa: ANN401 - asyncpg's own
        named: str | bool = False,
        **options: Any,  # noqa: ANN401 - asyncpg's own
    ) -> Any:  # noqa: ANN401 - asyncpg's own
        # A cursor asks for a name even where no statement is kept. It would stay in the session,
        # for the next process that counts its names from one to stumble over.
        named = named and not self.is_lent
        return await super()._get_statement(*query, named=named, **options)

    async def _introspect_types(self, *query: Any) -> Any:  # noqa: ANN401 - asyncpg's own
        if not self.is_lent:
            return await super()._introspect_types(*query)
        # It turns `jit` off for the session and on again: the same session, in one transaction.
        async with self.transaction():
            return await super()._introspect_types(*query)

    def _cancel_current_command(
        self, waiter: asyncio.Future[None], cancel_waiter: asyncio.Future[None]
    ) -> None:
        super()._cancel_current_command(waiter, cancel_waiter)
        self._loop.call_later(_CONFIRMS_WITHIN_S, self._unless, cancel_waiter)

    def _unless(self, confirmed: asyncio.Future[None]) -> None:
        if not confirmed.done():
            self.give_up()

    def give_up(self) -> None:
        """Drop the connection without a word to Postgres, which does not answer any more."""
        if not self.is_closed():
            self.terminate()
            if self.on_silence is not None:
                self.on_silence()


async def stands_between(connection: asyncpg.Connection[Any], *, timeout_s: float) -> bool:
    """Whether a pooler stands between us and Postgres.

    It greets each client with a number of its own, where Postgres greets with that of the process
    that answers. Noticed rather than set, because what a wrong setting costs shows only under load.
    """
    backend = await connection.prepare("SELECT pg_backend_pid()", name=False, timeout=timeout_s)
    answering: int = await backend.fetchval(timeout=timeout_s)
    greeted_by: int = connection.get_server_pid()
    return answering != greeted_by
