"""Is it alive, is it ready; how many were answered, and how fast."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Final

import asyncpg
from aiohttp import web
from aiohttp.hdrs import METH_ALL
from prometheus_client import Counter, Gauge, Histogram

from recon.clock import now
from recon.db import POOL, load
from recon.db.numbers import DatabaseNumbers
from recon.db.pool import UNREACHABLE
from recon.db.schema import SchemaStatus
from recon.http.bodies import json_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from recon.db import Pool

__all__ = ["CLOCK_NUMBERS", "READINESS", "Readiness", "metrics_middleware", "routes"]

routes = web.RouteTableDef()

_TIMEOUT_S = 2.0
_CLOCK_APART = timedelta(minutes=5)
"""A third of what sealing allows for."""

_clock_ahead = Gauge(
    "recon_clock_ahead_seconds",
    "How far this machine's clock is ahead of the database's; below zero: behind it.",
)

_requests = Counter(
    "recon_http_requests", "Answers by method, route and status.", ["method", "route", "status"]
)
_latency = Histogram(
    "recon_http_request_seconds",
    "Time to answer, by route.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


_METHODS = {method: method for method in METH_ALL}
"""Any other is a caller's own word, which no series is made of."""


class Readiness:
    """Whether this process should get requests.

    Args:
        head: the revision of the schema that this code works on.

    Attributes:
        draining: it ends, and where it served nobody will: it is unready.
        is_replaced: it ends, and others serve in its stead: that address is as ready as before.
    """

    def __init__(self, head: str) -> None:
        self.head = head
        self.draining = False
        self.is_replaced = False

    @property
    def is_ending(self) -> bool:
        """Whether each answer is the last on its connection."""
        return self.draining or self.is_replaced


READINESS: web.AppKey[Readiness] = web.AppKey("readiness", Readiness)


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.Response:
    """The loop answers; nothing else is looked at."""
    del request
    return json_response({"status": "ok"})


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Database, schema, clock, not draining. A game API that is down does not change it."""
    readiness = request.config_dict[READINESS]
    checks = {"draining": "yes" if readiness.draining else "no", **await _database(request)}
    ready = not readiness.draining and _is_well(checks)
    body = {"status": "ready" if ready else "unready", **checks}
    return json_response(body, status=200 if ready else 503)


@web.middleware
async def metrics_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Count and time every answer by its route's pattern; the last ones end their connection.

    While the process ends, callers are told so: a call that they would send on a connection kept
    open might arrive as it is closed, and get no answer.
    """
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    began = perf_counter()
    try:
        response = await handler(request)
    except web.HTTPException as raised:
        # A page that sends its reader elsewhere.
        _count(request, route, raised)
        raise
    finally:
        _latency_of(route).observe(perf_counter() - began)
    _count(request, route, response)
    return response


def _count(request: web.Request, route: str, response: web.StreamResponse) -> None:
    _requests_of(_METHODS.get(request.method, "other"), route, response.status).inc()
    if request.app[READINESS].is_ending:
        response.force_close()


# Looking a child up by its labels costs more than counting. Routes, methods and statuses are few.
@cache
def _latency_of(route: str) -> Histogram:
    return _latency.labels(route)


@cache
def _requests_of(method: str, route: str, status: int) -> Counter:
    return _requests.labels(method, route, status)


async def _database(request: web.Request) -> dict[str, str]:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            async with request.config_dict[POOL].acquire() as connection:
                row = await connection.fetchrow(load("recon.http", "revision"))
    except asyncpg.UndefinedTableError:
        return {"database": "ok", "schema": "missing"}
    except UNREACHABLE:
        return {"database": "unreachable", "schema": "unknown"}
    head = request.config_dict[READINESS].head
    if row is None:
        return {"database": "ok", "schema": f"at None, not {head}"}
    status = SchemaStatus(row["version_num"], head, row["oldest_code"])
    schema = "ok" if status.is_served else f"at {status.current}, not {head}"
    return {"database": "ok", "schema": schema, **_clock(row["at"])}


def _clock(at: datetime) -> dict[str, str]:
    """Minutes apart, our times on rows would look as if they had been put in afterwards."""
    ahead = now() - at
    if abs(ahead) <= _CLOCK_APART:
        return {"clock": "ok"}
    return {"clock": f"{ahead.total_seconds():+.0f} s from the database's"}


def _is_well(checks: dict[str, str]) -> bool:
    return all(checks.get(check, "ok") == "ok" for check in ("database", "schema", "clock"))


async def _measure_clock(pool: Pool) -> None:
    async with pool.acquire() as connection:
        asked_at = now()
        at = await connection.fetchval(load("recon.http", "clock"))
        # It was read somewhere between asking and hearing.
        ours = asked_at + (now() - asked_at) / 2
    _clock_ahead.set((ours - at).total_seconds())


CLOCK_NUMBERS: Final = DatabaseNumbers("clock", _measure_clock, (_clock_ahead,))
