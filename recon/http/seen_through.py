"""Calls that are seen through: what a caller has asked for ends, though the caller goes away.

Else its effect might stand half-way, and nobody would store what a repeat is to be answered.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp import web

__all__ = ["calls_seen_through", "finish_calls", "see_through"]

_log = structlog.get_logger(__name__)

_under_way: Final[dict[asyncio.Task[Any], web.Request]] = {}


async def see_through(
    request: web.Request, work: Coroutine[Any, Any, web.StreamResponse]
) -> web.StreamResponse:
    """Let the work of a request end even when its caller goes away in the middle."""
    task = asyncio.create_task(work)
    _under_way[task] = request
    task.add_done_callback(_under_way.pop)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_log_failure)
        raise


def calls_seen_through() -> list[web.Request]:
    """Those under way, whether or not their callers are still there."""
    return [*_under_way.values()]


async def finish_calls(timeout_s: float = 20.0) -> None:
    """Wait for the calls whose callers have gone away; for a shutdown, before the pool closes.

    What is cut off at the end is as if its process had died, and is logged.
    """
    if _under_way:
        _, pending = await asyncio.wait(_under_way, timeout=timeout_s)
        if pending:
            _log.warning("calls_cut_without_their_callers", calls=len(pending))
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def _log_failure(task: asyncio.Task[web.StreamResponse]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        _log.warning("call_failed_without_its_caller", error=repr(error))
    elif task.result().status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("call_failed_without_its_caller", status=task.result().status)
