"""How the application is served; the benchmarks serve it the same way."""

from __future__ import annotations

import asyncio
import gc
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from recon.http.problems import problem_response
from recon.http.request_ids import request_id_of
from recon.http.security_headers import ALWAYS, FOR_PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web_request import BaseRequest

    _Handler = Callable[[BaseRequest], Awaitable[web.StreamResponse]]

__all__ = ["calls_under_way", "collect_seldom", "make_runner"]

log = structlog.get_logger(__name__)

_YOUNG_OBJECTS = 20_000
_KEPT_S = 75
_LONGEST_LINE: Final = 8190
"""Bytes of a request line (path and query), and of a header, as most servers have it."""
_MOST_HEADERS: Final = 100


def make_runner(app: web.Application, *, shutdown_timeout_s: float = 60.0) -> web.AppRunner:
    """A runner that leaves bodies as they arrived: a webhook is verified over the wire's bytes.

    Args:
        app: the application.
        shutdown_timeout_s: how long calls under way may take to end.
    """
    return _Runner(
        app,
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=shutdown_timeout_s,
        # Longer than a load balancer's minute, so that it is not we who close under a request.
        keepalive_timeout=_KEPT_S,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
        max_headers=_MOST_HEADERS,
    )


def collect_seldom() -> None:
    """Spare what is loaded by now from garbage collection; for a process that only serves.

    Modules, classes and templates are a few hundred thousand objects that never die. Looking at
    them again and again stopped the process for 50 ms each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)


def calls_under_way(runner: web.BaseRunner) -> list[web.Request | None]:
    """The calls that were sent on a runner's connections and are not answered wholly.

    ``None``: one that no handler is at yet, or any more.
    """
    connections = () if runner.server is None else runner.server.connections
    return [one.call for one in connections if isinstance(one, _Connection) and one.is_answering]


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            _answered(made.request_handler),
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
            **self._kwargs,
        )


def _answered(handle: _Handler) -> _Handler:
    """Answer what nobody can meet; aiohttp would, in words and before any middleware."""

    async def answer(request: BaseRequest) -> web.StreamResponse:
        try:
            return await handle(request)
        except web.HTTPExpectationFailed:
            if not isinstance(request, web.Request):
                raise
            said = "the only expectation that is met here is 100-continue"
            return _outside(request, HTTPStatus.EXPECTATION_FAILED, "expectation_failed", said)

    return answer


def _outside(request: web.Request, status: int, code: str, said: str) -> web.Response:
    """A problem from outside of the middlewares; what follows on the connection is not read."""
    headers = {**FOR_PROGRAMS, **ALWAYS, "X-Request-Id": request_id_of(request)}
    response = problem_response(request, status, code, said, headers=headers)
    response.force_close()
    return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    """A connection that answers what is no HTTP as everything else is answered.

    aiohttp would log and send back the line that it cannot read, which may be a key.
    """

    __slots__ = ()

    @property
    def is_answering(self) -> bool:
        """Whether a call has come that is not answered wholly."""
        return self._request_in_progress or bool(self._messages)

    @property
    def call(self) -> web.Request | None:
        """The call that a handler is at."""
        request = self._current_request
        return request if isinstance(request, web.Request) else None

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem with the status alone; the caller's bytes are repeated to nobody."""
        del message
        if not isinstance(request, web.Request):
            raise TypeError("the application makes web.Request")
        request_id = request_id_of(request)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            code, said = "internal_error", "an error on our side; it is logged under this id"
            log.error("request_crashed", request_id=request_id, exc_info=exc)
        else:
            code, said = "invalid_request", "this is no HTTP that is read here"
            log.info("request_unreadable", request_id=request_id, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer is out")
        return _outside(request, status, code, said)

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - aiohttp's own
        """What aiohttp meets outside of any request; without the caller's bytes."""
        del args
        log.error("connection_crashed", exc_info=kw.get("exc_info"))
