"""Answering from the read replica: the pages, and the exports of both faces.

What comes from there says as of when it is. Whatever keeps it from being read, the primary is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING

import asyncpg
from aiohttp import web

from recon.clock import format_time
from recon.db.pool import database_fault
from recon.db.replica import REPLICA
from recon.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["as_of", "from_replica", "note_as_of", "read_elsewhere"]

_AS_OF: web.RequestKey[datetime] = web.RequestKey("as_of", datetime)


def as_of(request: web.Request) -> datetime | None:
    """As of when an answer is, where it comes from the replica."""
    return request.get(_AS_OF)


async def note_as_of(request: web.Request, response: web.StreamResponse) -> None:
    """Say in a header as of when an answer is, exports too; a signal of the application."""
    at = as_of(request)
    if at is not None:
        response.headers["Recon-As-Of"] = format_time(at.astimezone(UTC))


def from_replica(handler: Handler) -> Handler:
    """Let a call of the API that only reads much be answered from the replica.

    A program has no cookie by which to tell what it wrote: it asks for what is written by now with
    ``Cache-Control: no-cache``, and has the primary's.
    """

    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        said = request.headers.get("Cache-Control", "")
        if "no-cache" in {one.strip().lower() for one in said.split(",")}:
            return await handler(request)
        return await read_elsewhere(request, handler)

    return answer


async def read_elsewhere(
    request: web.Request, handler: Handler, *, after: str | None = None
) -> web.StreamResponse:
    """Answer from the replica, where there is one and it will do; else from the primary.

    Args:
        request: what is answered.
        handler: who does; it may be called twice, and only reads.
        after: a place of `recon.db.replica` that the replica must have.
    """
    replica = request.config_dict.get(REPLICA)
    at = None if replica is None else await replica.as_of(after=after)
    if replica is None or at is None:
        return await handler(request)
    request[_AS_OF] = at
    try:
        with replica.reading():
            return await handler(request)
    except NotFound:
        # Somebody may have sent a link to what is younger than that.
        pass
    except Exception as error:
        if database_fault(error) is None or request.writer.output_size:
            raise  # our own, or too late for another answer
        if not isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            replica.doubt(repr(error))
    del request[_AS_OF]
    return await handler(request)
