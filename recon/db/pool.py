"""The connection pool.

No session state is relied on, so that a transaction-level pooler may stand between: it must let
one start-up parameter through and set it itself, ``search_path``, as in deploy/pgbouncer.ini.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakSet

import asyncpg
import msgspec
import structlog
from aiohttp import web

from recon.db.connection import Connection, stands_between
from recon.db.errors import DatabaseUnavailableError
from recon.db.holding import Held, is_limited
from recon.db.measure import PoolMeter
from recon.db.reading import instead_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from recon.db.measure import Reason

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

__all__ = [
    "MIN_SERVER_VERSION",
    "POOL",
    "SEARCH_PATH",
    "UNREACHABLE",
    "DatabaseUnavailableError",
    "Pool",
    "database_fault",
    "is_lent",
    "open_pool",
]

log = structlog.get_logger(__name__)

MIN_SERVER_VERSION = 15
SEARCH_PATH: Final = "public, pg_temp"
"""Asked for by name, so that a default of the database's or the role's leads to no other tables."""
UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # A connection that Postgres has ended, used before asyncpg noticed (its issues 784 and 1069).
    asyncpg.InternalClientError,
)
"""What asking the database may end in, for who goes on without an answer, whatever the reason."""

_CONNECTS_WITHIN_S: Final = 10.0
_KEPT_STATEMENTS: Final = 100

POOL: web.AppKey[Pool] = web.AppKey("pool", asyncpg.Pool)

_open: Final[WeakSet[_BoundedPool]] = WeakSet()


_PASSING = (
    asyncpg.InterfaceError,  # the pool or the connection is closing
    # A connection that Postgres has ended, used before asyncpg noticed (its issues 784 and 1069).
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, cancelled by a timeout
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, in the middle of a failover
    asyncpg.TransactionRollbackError,  # lost a race more often than we try again
)


def database_fault(error: BaseException) -> DatabaseUnavailableError | None:
    """The passing fault of the database that an error is, or ``None`` where it is none.

    A plain OSError or TimeoutError counts only where asyncpg raised it: the same types come from
    files and from other services.
    """
    if isinstance(error, _PASSING) or (
        isinstance(error, OSError | TimeoutError) and _passed_asyncpg(error.__traceback__)
    ):
        return DatabaseUnavailableError("the database is out of reach; nothing is lost, try again")
    return None


def _reason_of(error: Exception) -> Reason:
    """Why there is no connection, in few words: a message could name anything."""
    match error:
        case TimeoutError():
            return "timeout"
        case asyncpg.InsufficientResourcesError():
            return "too_many"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return "not_let_in"
        case OSError() | asyncpg.PostgresConnectionError() | asyncpg.OperatorInterventionError():
            return "unreachable"
        case _:
            return "other"


def _passed_asyncpg(traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "asyncpg":
            return True
        traceback = traceback.tb_next
    return False


class _BoundedPool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg is untyped
    """A pool in which nobody waits for a connection for ever: `asyncpg.Pool` has no such option."""

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        acquire_timeout_s: float,
        **options: Any,  # noqa: ANN401 - asyncpg's own
    ) -> None:
        super().__init__(
            dsn,
            # What `asyncpg.create_pool` has for defaults and the class has not.
            max_queries=50_000,
            max_inactive_connection_lifetime=300.0,
            loop=None,
            connection_class=Connection,
            connect=self._open_connection,
            record_class=asyncpg.Record,
            init=self._prepare,
            **options,
        )
        self._acquire_timeout_s = acquire_timeout_s
        self._expiring: set[asyncio.Future[None]] = set()
        self._leads_to = dsn
        self.is_lent = False
        self._meter = PoolMeter.of(name, self)
        _open.add(self)

    def acquire(self, *, timeout: float | None = None) -> Any:  # noqa: ANN401 - asyncpg's own
        """A connection; the pool's own methods get theirs here too.

        Raises:
            TimeoutError: none became free in time, or Postgres does not answer.
        """
        if (other := instead_of(self)) is not None:
            return other.acquire(timeout=timeout)
        timeout_s = self._acquire_timeout_s if timeout is None else timeout
        return Held(self, timeout_s) if is_limited() else super().acquire(timeout=timeout_s)

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ANN401, ASYNC109 - asyncpg's own
        began_s = perf_counter()
        try:
            connection = await super()._acquire(timeout)
        except Exception as error:
            self._meter.failed(_reason_of(error))
            raise
        self._meter.waited(perf_counter() - began_s)
        return connection

    async def _open_connection(self, *address: Any, **options: Any) -> Connection:  # noqa: ANN401 - asyncpg's own
        kept = 0 if self.is_lent else _KEPT_STATEMENTS
        connection: Connection = await asyncpg.connect(
            *address, statement_cache_size=kept, **options
        )
        connection.is_lent = self.is_lent
        if not self.is_lent:
            try:
                self.is_lent = await stands_between(connection, timeout_s=_CONNECTS_WITHIN_S)
            except BaseException:
                connection.terminate()
                raise
            if self.is_lent:
                # Whether statements are kept is said as a connection is made.
                await connection.close(timeout=_CONNECTS_WITHIN_S)
                return await self._open_connection(*address, **options)
        return connection

    async def _prepare(self, connection: Connection) -> None:
        connection.on_silence = self._doubt_all
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=lambda text: msgspec.json.decode(text.encode()),
            format="text",
        )

    def _doubt_all(self) -> None:
        """Connect anew before the next use: what one connection has lost, the others may have too.

        They would be tried one after the other, and each of them cost somebody the whole wait. So
        it is for the other pools of this process on the same database.
        """
        log.warning("connections_doubted", idle=self.get_idle_size())
        for pool in [pool for pool in _open if pool._leads_to == self._leads_to]:  # noqa: SLF001 - its own kind
            expiring = asyncio.ensure_future(pool.expire_connections())
            self._expiring.add(expiring)
            expiring.add_done_callback(self._expiring.discard)


def is_lent(pool: Pool) -> bool:
    """Whether a pooler stands between, so that each transaction may have another session."""
    return isinstance(pool, _BoundedPool) and pool.is_lent


@asynccontextmanager
async def open_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    application: str = "recon",
    acquire_timeout_s: float = 5.0,
    lazy: bool = False,
) -> AsyncIterator[Pool]:
    """A pool on ``dsn``, closed at the end.

    Args:
        dsn: of the database.
        min_size: connections kept open.
        max_size: connections at most.
        application: the name that Postgres shows for them.
        acquire_timeout_s: how long anybody waits for a connection.
        lazy: connect when somebody asks, and not before: it may be out of reach now.

    Raises:
        DatabaseUnavailableError: no server answers, or it is older than PostgreSQL 15.
    """
    try:
        pool = await _BoundedPool(
            dsn,
            name=application,
            acquire_timeout_s=acquire_timeout_s,
            min_size=0 if lazy else min_size,
            max_size=max_size,
            timeout=_CONNECTS_WITHIN_S,
            command_timeout=60,
            server_settings={"application_name": application, "search_path": SEARCH_PATH},
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        hint = (
            "; the pooler has to let search_path through and set it itself, as deploy/pgbouncer.ini"
            if isinstance(error, asyncpg.ProtocolViolationError) and "search_path" in str(error)
            else ""
        )
        raise DatabaseUnavailableError(f"Postgres cannot be reached: {error}{hint}") from error
    try:
        if not lazy:
            await _refuse_old_server(pool)
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=10)
        except TimeoutError:
            pool.terminate()


async def _refuse_old_server(pool: Pool) -> None:
    async with pool.acquire() as connection:
        version = connection.get_server_version()
    if version.major < MIN_SERVER_VERSION:
        raise DatabaseUnavailableError(
            f"PostgreSQL {version.major} is too old; recon needs {MIN_SERVER_VERSION} or newer",
            code="database_too_old",
        )
