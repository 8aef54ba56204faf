"""Every request has an id: the caller's where it is fit to be logged, else ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web
from structlog.contextvars import bind_contextvars, reset_contextvars

from recon.clock import new_id
from recon.http.tracing import begin_trace, end_trace, read_trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["request_id_middleware", "request_id_of"]

_FIT = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}", re.ASCII)

_REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)


def request_id_of(request: web.Request) -> str:
    """The id under which this request is logged and answered."""
    known = request.get(_REQUEST_ID)
    return _name(request) if known is None else known


def _name(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    name = given if given and _FIT.fullmatch(given) else f"req_{new_id().hex}"
    request[_REQUEST_ID] = name
    return name


@web.middleware
async def request_id_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Bind the id to every log line of the request and write it on the answer."""
    request_id = _name(request)
    trace = read_trace(request.headers)
    bound = {"request_id": request_id}
    if trace is not None:
        bound["trace_id"] = trace.trace_id
    begun = begin_trace(trace)
    # Not `bound_contextvars`: it goes through every variable of the context, for each request.
    tokens = bind_contextvars(**bound)
    try:
        response = await handler(request)
    finally:
        reset_contextvars(**tokens)
        end_trace(begun)
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
        if trace is not None:
            response.headers["traceparent"] = request.headers["traceparent"]
    return response
