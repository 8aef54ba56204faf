"""Numbers of the pools, for Prometheus: who waits for a connection, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, get_args
from weakref import WeakSet

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PoolMeter", "Reason"]

Reason: TypeAlias = Literal["timeout", "too_many", "not_let_in", "unreachable", "other"]
"""Why nobody got a connection: none became free in time or Postgres does not answer; it has no
more; it does not know the role or its password; nothing is there, or it is starting or ending."""

_wait: Final = Histogram(
    "recon_db_pool_wait_seconds",
    "How long a connection of the pool was waited for, by pool.",
    ["pool"],
    buckets=(0.0005, 0.0025, 0.01, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_failed: Final = Counter(
    "recon_db_pool_failures", "Times that somebody got no connection, by why.", ["pool", "reason"]
)
_connections: Final = Gauge(
    "recon_db_pool_connections",
    "Connections of the pool, by state: in use or idle.",
    [
        "pool",
        "state",
    ],
)
_size: Final = Gauge(
    "recon_db_pool_max_connections", "Connections that the pool may have at most.", ["pool"]
)


class _Sized(Protocol):
    def get_size(self) -> int: ...

    def get_idle_size(self) -> int: ...

    def get_max_size(self) -> int: ...

    def is_closing(self) -> bool: ...


class PoolMeter:
    """What all pools of one name in this process come to; one for each name."""

    _of: Final[dict[str, PoolMeter]] = {}

    def __init__(self, name: str) -> None:
        self._pools: WeakSet[_Sized] = WeakSet()
        self.waited = _wait.labels(name).observe
        # Each is there from the start, so that the first failure is seen.
        self._failed = {reason: _failed.labels(name, reason) for reason in get_args(Reason)}
        states: dict[str, Callable[[_Sized], int]] = {"idle": _idle, "used": _used}
        for state, count in states.items():
            _connections.labels(name, state).set_function(self._sum(count))
        _size.labels(name).set_function(self._sum(_most))

    @classmethod
    def of(cls, name: str, pool: _Sized) -> PoolMeter:
        """The meter of a name, which counts this pool from now on for as long as it lives."""
        meter = cls._of.get(name)
        if meter is None:
            meter = cls._of[name] = cls(name)
        meter._pools.add(pool)
        return meter

    def failed(self, reason: Reason) -> None:
        """Somebody got no connection."""
        self._failed[reason].inc()

    def _sum(self, count: Callable[[_Sized], int]) -> Callable[[], float]:
        return lambda: float(sum(map(count, self._working())))

    def _working(self) -> list[_Sized]:
        return [pool for pool in [*self._pools] if not pool.is_closing()]


def _idle(pool: _Sized) -> int:
    return pool.get_idle_size()


def _used(pool: _Sized) -> int:
    return pool.get_size() - pool.get_idle_size()


def _most(pool: _Sized) -> int:
    return pool.get_max_size()
