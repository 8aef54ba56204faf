"""What the browser keeps: a session, a sign-in that is at the provider, when it last wrote.

And, for a month, by what it is known again as one in which somebody has signed in.

Over https, and on this machine, a cookie is ``__Host-…``: Secure, HttpOnly, SameSite=Lax, for this
host alone. Chromium and Firefox keep Secure cookies of ``http://localhost`` and ``127.0.0.1``;
Safari does not, so there, and only there, a plain cookie goes with it.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING

from recon.errors import Forbidden
from recon.http.proxies import caller_of

if TYPE_CHECKING:
    from datetime import timedelta

    from aiohttp import web

__all__ = ["Cookie", "clear_cookie", "require_private_line", "set_cookie", "token_of"]


class Cookie(StrEnum):
    """What is kept, by its name on a plain line."""

    SESSION = "recon"
    AT_THE_PROVIDER = "recon-oidc"
    WRITTEN = "recon-written"
    KNOWN = "recon-known"

    @property
    def for_host(self) -> str:
        """Its name where it is for this host alone."""
        return f"__Host-{self}"


def token_of(request: web.Request, cookie: Cookie = Cookie.SESSION) -> str | None:
    """The token that a request carries."""
    token = request.cookies.get(cookie.for_host)
    if token is None and _is_plain_loopback(request):
        token = request.cookies.get(cookie)
    return token


def set_cookie(
    request: web.Request,
    response: web.Response,
    token: str,
    cookie: Cookie = Cookie.SESSION,
    *,
    lasts: timedelta | None = None,
) -> None:
    """Keep a token in the browser.

    Args:
        request: what is answered.
        response: the answer.
        token: what is kept.
        cookie: as what.
        lasts: for how long; ``None``: until the browser is closed, and the server ends it sooner.
    """
    max_age = None if lasts is None else int(lasts.total_seconds())
    response.set_cookie(
        cookie.for_host, token, secure=True, httponly=True, samesite="Lax", max_age=max_age
    )
    if _is_plain_loopback(request):
        response.set_cookie(cookie, token, httponly=True, samesite="Lax", max_age=max_age)


def clear_cookie(
    request: web.Request, response: web.Response, cookie: Cookie = Cookie.SESSION
) -> None:
    """Have the browser forget the token."""
    response.del_cookie(cookie.for_host, secure=True, httponly=True, samesite="Lax")
    if _is_plain_loopback(request):
        response.del_cookie(cookie, httponly=True, samesite="Lax")


def require_private_line(request: web.Request) -> None:
    """Refuse to take a password where others can read it.

    Raises:
        Forbidden: ``https_required``: plain http, and not to this machine.
    """
    if not _is_https(request) and not _is_loopback(request):
        raise Forbidden(
            "Sign in over https, or from the machine itself at http://localhost. "
            "A proxy that speaks https has to be in RECON_TRUSTED_PROXIES.",
            code="https_required",
        )


def _is_https(request: web.Request) -> bool:
    return caller_of(request).is_https


def _is_plain_loopback(request: web.Request) -> bool:
    return _is_loopback(request) and not _is_https(request)


def _is_loopback(request: web.Request) -> bool:
    host = request.url.host or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
