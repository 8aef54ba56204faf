"""A process that ends finishes the calls that it has; what is cut in spite of that is said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from recon.http.problems import route_of
from recon.http.request_ids import request_id_of
from recon.http.seen_through import calls_seen_through
from recon.http.server import calls_under_way

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["finish_answers"]

log = structlog.get_logger(__name__)

_LOOK_EVERY_S: Final = 0.05
_READ_AFTER_S: Final = 0.2
"""Who came in a moment ago has sent a call that is read first."""
_MOST_NAMED: Final = 20


async def finish_answers(runner: web.BaseRunner, within_s: float) -> int:
    """Wait until every call that was sent is answered; how many were not in time.

    These are logged, by request id and route; the runner's clean-up then cuts them. Connections
    that are kept open may send one more call each meanwhile, if the application answers it with
    ``Connection: close``.

    Args:
        runner: nobody new comes in any more.
        within_s: seconds that a call may go on.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    await asyncio.sleep(_READ_AFTER_S)
    while calls := _under_way(runner):
        if loop.time() >= until:
            named = [_name(one) for one in calls if one is not None]
            log.warning("calls_cut", calls=len(calls), after_s=within_s, cut=named[:_MOST_NAMED])
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    return len(calls)


def _under_way(runner: web.BaseRunner) -> list[web.Request | None]:
    calls = calls_under_way(runner)
    # Nobody is there any more for some that must be done all the same.
    return [*calls, *(one for one in calls_seen_through() if one not in calls)]


def _name(request: web.Request) -> dict[str, str]:
    return {
        "request_id": request_id_of(request),
        "method": request.method,
        "route": route_of(request),
    }
