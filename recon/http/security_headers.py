"""The headers that tell browsers what an answer may do, on every answer of every face.

They are put on as an answer is made ready, whoever has made it: a page, the API, a streamed file,
a 404 of the router. What cannot be read as HTTP has no request, and gets them from
`recon.http.server`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.http.proxies import caller_of
from recon.http.request_ids import request_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from aiohttp import web

__all__ = ["ALWAYS", "FOR_PAGES", "FOR_PROGRAMS", "HTTPS_ONLY", "secure"]

ALWAYS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for those that do not know frame-ancestors
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "recon",  # else aiohttp tells its version, and Python's
}
FOR_PAGES: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With `no-referrer` a browser would say `Origin: null` of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FOR_PROGRAMS: Final[Mapping[str, str]] = {
    # Whatever somebody makes a browser show of it runs nothing and loads nothing.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HTTPS_ONLY: Final = "max-age=63072000"
"""Two years. Only of this host: what else is under its domain is not ours to speak for."""


def secure(app: web.Application) -> None:
    """Have every answer of the application carry them; one may say better what it says itself."""
    app.on_response_prepare.append(_put_on)


async def _put_on(request: web.Request, response: web.StreamResponse) -> None:
    headers: MutableMapping[str, str] = response.headers
    headers.update(ALWAYS)
    kind = FOR_PAGES if response.content_type == "text/html" else FOR_PROGRAMS
    for name, value in kind.items():
        headers.setdefault(name, value)
    # A file that is streamed is on its way before the middlewares see an answer.
    headers.setdefault("X-Request-Id", request_id_of(request))
    if caller_of(request).is_https:
        headers["Strict-Transport-Security"] = HTTPS_ONLY
