"""Errors as ``application/problem+json`` (RFC 9457); one table maps a family to its status."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import asyncpg
import asyncpg.exceptions._base as client_side
import msgspec
import structlog
from aiohttp import web

from recon.db.pool import database_fault
from recon.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ReconError,
    TooLarge,
    TooManyRequests,
    TooSlow,
    Unauthentic,
    Unavailable,
    Unprocessable,
    UnsupportedContent,
)
from recon.http.request_ids import request_id_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = [
    "Problem",
    "error_response",
    "known_error",
    "problem_middleware",
    "problem_response",
    "route_of",
    "status_of",
    "tell_always",
]

log = structlog.get_logger(__name__)

_STATUS: dict[type[ReconError], int] = {
    Invalid: 400,
    Unauthentic: 401,
    Forbidden: 403,
    NotFound: 404,
    TooSlow: 408,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedContent: 415,
    Unprocessable: 422,
    TooManyRequests: 429,
    Unavailable: 503,
}


_LONGEST_MESSAGE: Final = 1_000
_ALWAYS: web.RequestKey[dict[str, str]] = web.RequestKey("always", dict)


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, for machines (``code``) and for people (``detail``)."""

    # What a room's errors tell besides is in a type of that room (`ReconError.extensions`).

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    request_id: str


def status_of(error: ReconError) -> int:
    """The status of an error's family."""
    for family in type(error).__mro__:
        if family in _STATUS:
            return _STATUS[family]
    return 500


def known_error(error: Exception) -> ReconError | None:
    """What an error of the database's driver is to the caller, for JSON and pages alike.

    What Postgres cannot take as a value came from the caller: text with a NUL, a number or a time
    out of all bounds. ``None`` where nobody foresaw it.
    """
    if isinstance(error, asyncpg.DataError | client_side.DataError):
        # Its message may hold the value, which may be anybody's secret.
        log.warning("value_refused", error=type(error).__name__)
        return Invalid("a value in this request cannot be stored or compared")
    return database_fault(error)


def problem_response(
    request: web.Request,
    status: int,
    code: str,
    message: str,
    *,
    headers: dict[str, str] | None = None,
    extensions: Mapping[str, object] | None = None,
) -> web.Response:
    """A problem document with this request's id; what it repeats of the caller's is cut short."""
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}…"
    problem = Problem(
        type=f"https://recon.invalid/problems/{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=message,
        code=code,
        message=message,
        request_id=request_id_of(request),
    )
    return web.Response(
        body=msgspec.json.encode({**msgspec.to_builtins(problem), **(extensions or {})}),
        status=status,
        content_type="application/problem+json",
        headers={**request.get(_ALWAYS, {}), **(headers or {})},
    )


def tell_always(request: web.Request, headers: dict[str, str]) -> None:
    """Write these headers on every problem that this request may still end in."""
    request[_ALWAYS] = headers


def error_response(request: web.Request, error: ReconError) -> web.Response:
    """The problem that an error of ours is."""
    headers = {}
    if isinstance(error, TooManyRequests | Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthentic):
        headers["WWW-Authenticate"] = 'Bearer realm="recon"'
    return problem_response(
        request,
        status_of(error),
        error.code,
        error.message,
        headers=headers,
        extensions=error.extensions,
    )


def route_of(request: web.Request) -> str:
    """The route's pattern, for logs: a path itself may hold a sign-in link, or a player."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


@web.middleware
async def problem_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every error into a problem; what nobody foresaw is logged and says only its id."""
    try:
        return await handler(request)
    except ReconError as error:
        return _known(request, error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return _http_problem(request, error)
    except Exception as error:
        if isinstance(error, ConnectionResetError) and request.transport is None:
            # Gone in the middle of what it was sending: no fault of ours, and nobody to be told.
            return problem_response(request, 400, "caller_gone", "the body broke off")
        if (known := known_error(error)) is not None:
            return _known(request, known, cause=error)
        log.exception("request_crashed", method=request.method, route=route_of(request))
        return problem_response(
            request, 500, "internal_error", "an error on our side; it is logged under this id"
        )


def _known(
    request: web.Request, error: ReconError, *, cause: Exception | None = None
) -> web.Response:
    if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning(
            "request_failed",
            code=error.code,
            error=error.message,
            cause=None if cause is None else repr(cause),
        )
    return error_response(request, error)


def _http_problem(request: web.Request, error: web.HTTPException) -> web.Response:
    codes = {
        404: ("not_found", "there is nothing at this address"),
        405: ("method_not_allowed", f"{request.method} is not allowed here"),
        413: ("too_large", "the body is too large"),
    }
    code, message = codes.get(error.status, ("invalid_request", error.reason))
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return problem_response(request, error.status, code, message, headers=headers)
