"""Every request has an id: the caller's where it is fit to be logged, else ours."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.hdrs import METH_ALL
from structlog.contextvars import bind_contextvars, reset_contextvars

from recon import tracing
from recon.clock import new_id
from recon.http.tracing import begin_trace, end_trace, read_trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.http.tracing import Trace

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


async def _answer(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    _: Trace | None,
) -> web.StreamResponse:
    return await handler(request)


async def _traced(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    trace: Trace | None,
) -> web.StreamResponse:
    """Answer within a span of the caller's trace, named by the route: a path may name a player."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    # Any other is a caller's own word.
    method = request.method if request.method in METH_ALL else "other"
    said = ("traceparent", "tracestate") if trace is not None else ()
    with tracing.span(
        f"{method} {route}",
        kind="server",
        attributes={
            "http.request.method": method,
            "http.route": route,
            "recon.request_id": request_id_of(request),
        },
        parent={name: request.headers[name] for name in said if name in request.headers},
    ) as work:
        raised: web.HTTPException | None = None
        response: web.StreamResponse
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            # A page that sends its reader elsewhere. It is raised on once the span has ended: what
            # leaves a span by an exception has failed, and this is an answer.
            response = raised = answer
        work.note({"http.response.status_code": response.status})
        # Source: OpenTelemetry's semantic conventions for HTTP spans, "Status": of a server's, what
        # callers did wrong (4xx) is no error.
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            work.fail(str(response.status))
    if raised is not None:
        raise raised
    return response


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
        response = await (_traced if tracing.is_on() else _answer)(request, handler, trace)
    finally:
        reset_contextvars(**tokens)
        end_trace(begun)
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
        if trace is not None:
            response.headers["traceparent"] = request.headers["traceparent"]
    return response
