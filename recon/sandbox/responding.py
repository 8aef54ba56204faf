"""From answers and refusals to responses, with the headers that every one of them carries."""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.clock import new_id
from recon.errors import Conflict, Invalid, NotFound, ReconError
from recon.sandbox.wire import Answer, Refused, refusal_body

if TYPE_CHECKING:
    from recon.sandbox.limits import Allowance
    from recon.sandbox.parts import Lifecycle

__all__ = [
    "allowance_headers",
    "failed",
    "lifecycle_headers",
    "refusal",
    "request_id_of",
    "respond",
]

_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_MADE: Final = web.RequestKey("_MADE", str)
_FAMILIES: Final = ((NotFound, 404), (Conflict, 409), (Invalid, 400))


def request_id_of(request: web.Request) -> str:
    """The caller's ``X-Request-Id`` where it is printable, else one of ours, made once."""
    sent = request.headers.get("X-Request-Id", "")
    if _REQUEST_ID.fullmatch(sent):
        return sent
    if _MADE not in request:
        request[_MADE] = f"req_{new_id().hex}"
    return request[_MADE]


def lifecycle_headers(lifecycle: Lifecycle) -> dict[str, str]:
    """``X-API-Version`` and, when set, ``Deprecation``, ``Sunset`` and ``Link``."""
    headers = {"X-API-Version": lifecycle.version}
    if lifecycle.deprecated_at is not None:
        headers["Deprecation"] = f"@{int(lifecycle.deprecated_at.timestamp())}"
        headers["Link"] = '</sandbox>; rel="deprecation"'
    if lifecycle.sunset_at is not None:
        headers["Sunset"] = format_datetime(lifecycle.sunset_at, usegmt=True)
    return headers


def allowance_headers(allowance: Allowance) -> dict[str, str]:
    """``X-RateLimit-*``, of the key's window."""
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(allowance.reset_s),
    }


def refusal(refused: Refused, request_id: str) -> Answer:
    """The answer that says no."""
    headers = {"Cache-Control": "no-store", **refused.headers}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(refused.retry_after_s)
    return Answer(refused.status, refusal_body(refused.code, refused.message, request_id), headers)


def failed(error: ReconError, request_id: str) -> Answer:
    """The control surface's errors: the project's families in the API's own shape."""
    status = next((status for family, status in _FAMILIES if isinstance(error, family)), 500)
    return Answer(status, refusal_body(error.code, error.message, request_id))


def respond(answer: Answer, headers: dict[str, str]) -> web.Response:
    """An answer with these headers beside its own."""
    merged = {**headers, **answer.headers}
    if answer.body:
        merged["Content-Type"] = "application/json"
    return web.Response(status=answer.status, body=answer.body, headers=merged)
