"""Is it alive, is it ready, what are its numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from time import perf_counter

import asyncpg
from aiohttp import web
from aiohttp.hdrs import METH_ALL
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from recon.clock import now
from recon.db import POOL, Pool, load
from recon.http.bodies import json_response

__all__ = ["BEFORE_METRICS", "READINESS", "Readiness", "metrics_middleware", "routes"]

routes = web.RouteTableDef()

_TIMEOUT_S = 2.0
_CLOCK_APART = timedelta(minutes=5)
"""A third of what sealing allows for."""

_clock_ahead = Gauge(
    "recon_clock_ahead_seconds",
    "How far this process's clock is ahead of the database's, by the last look at /readyz.",
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
    """

    def __init__(self, head: str) -> None:
        self.head = head
        self.draining = False


READINESS: web.AppKey[Readiness] = web.AppKey("readiness", Readiness)

BEFORE_METRICS: web.AppKey[Sequence[Callable[[Pool], Awaitable[None]]]] = web.AppKey(
    "before_metrics", Sequence
)
"""What sets gauges by the database whenever somebody asks for the numbers."""


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


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Prometheus' text format; never labelled by user."""
    await _refresh(request)
    text = await asyncio.to_thread(generate_latest, REGISTRY)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


@web.middleware
async def metrics_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Count and time every answer by its route's pattern; the last ones end their connection.

    While the process drains, callers are told so: a call that they would send on a connection kept
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
    if request.app[READINESS].draining:
        response.force_close()


# Looking a child up by its labels costs more than counting. Routes, methods and statuses are few.
@cache
def _latency_of(route: str) -> Histogram:
    return _latency.labels(route)


@cache
def _requests_of(method: str, route: str, status: int) -> Counter:
    return _requests.labels(method, route, status)


async def _refresh(request: web.Request) -> None:
    """Let the gauges say what the database says; without it they stay as they were."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            for refresh in request.config_dict.get(BEFORE_METRICS, ()):
                await refresh(request.config_dict[POOL])
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return


async def _database(request: web.Request) -> dict[str, str]:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            async with request.config_dict[POOL].acquire() as connection:
                row = await connection.fetchrow(load("recon.http", "revision"))
    except asyncpg.UndefinedTableError:
        return {"database": "ok", "schema": "missing"}
    except (
        *(OSError, TimeoutError),
        *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    ):
        return {"database": "unreachable", "schema": "unknown"}
    revision = None if row is None else row["version_num"]
    head = request.config_dict[READINESS].head
    schema = "ok" if revision == head else f"at {revision}, not {head}"
    return {"database": "ok", "schema": schema, **({} if row is None else _clock(row["at"]))}


def _clock(at: datetime) -> dict[str, str]:
    """Minutes apart, our times on rows would look as if they had been put in afterwards."""
    ahead = now() - at
    _clock_ahead.set(ahead.total_seconds())
    if abs(ahead) <= _CLOCK_APART:
        return {"clock": "ok"}
    return {"clock": f"{ahead.total_seconds():+.0f} s from the database's"}


def _is_well(checks: dict[str, str]) -> bool:
    return all(checks.get(check, "ok") == "ok" for check in ("database", "schema", "clock"))
