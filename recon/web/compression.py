"""Pages go out packed: HTML and JSON for people, where the browser takes gzip.

What a page repeats of the request next to a secret could be guessed from its packed length
(BREACH, CVE-2013-3587). The one secret in a page is the token of its forms, and it is masked anew
for each answer (`recon.web.auth.tokens.masked`), so that two lengths say nothing of it. Answers of
the API to programs are left as they are: they hold what callers chose, and keys once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["compression_middleware", "takes_gzip"]

_PACKED: Final = frozenset({"text/html"})
_DOCUMENT: Final = "/openapi.json"
"""What the page of the API draws: the same for everybody, and without a secret."""

_WORTH_IT: Final = 1_024
"""Bytes; below, the header and the work cost more than what is saved."""


@web.middleware
async def compression_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Pack what is text for people, if there is enough of it."""
    response = await handler(request)
    if (
        isinstance(response, web.Response)
        and (response.content_type in _PACKED or request.path == _DOCUMENT)
        and isinstance(response.body, bytes | bytearray)
        and len(response.body) >= _WORTH_IT
    ):
        response.headers["Vary"] = "Accept-Encoding"
        if takes_gzip(request):
            response.enable_compression(web.ContentCoding.gzip)
    return response


def takes_gzip(request: web.Request) -> bool:
    """Whether the browser has said so (RFC 9110, 12.5.3); ``gzip;q=0`` says the opposite."""
    for part in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip().lower() in {"gzip", "x-gzip"}:
            return weight.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
