"""Where somebody comes from who wants in; whoever is in: the cookies, and the page they wanted."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web

from recon.db import POOL
from recon.http.proxies import caller_of
from recon.web.auth.attempts import Where
from recon.web.auth.cookies import Cookie, set_cookie, token_of
from recon.web.auth.sessions import browser_token_of, end_session
from recon.web.replica import remember_write

__all__ = ["address_of", "lead_on", "where_of"]

_KNOWN_FOR: Final = timedelta(days=30)
"""As long as sessions are remembered after their end."""


async def lead_on(request: web.Request, token: str, wanted: str) -> web.Response:
    """Keep the session in this browser, instead of the one that was there, and go where it was to.

    Args:
        request: by which somebody has signed in.
        token: of the new session.
        wanted: a path on this host.
    """
    former = token_of(request)
    if former is not None:
        await end_session(request.config_dict[POOL], former)
    response = web.Response(
        status=web.HTTPSeeOther.status_code,
        headers={"Location": wanted},
    )
    set_cookie(request, response, token)
    set_cookie(request, response, browser_token_of(token), Cookie.KNOWN, lasts=_KNOWN_FOR)
    await remember_write(request, response)
    return response


def where_of(request: web.Request) -> Where:
    """With whose tries a password is counted."""
    return Where(address_of(request), token_of(request, Cookie.KNOWN))


def address_of(request: web.Request) -> str:
    """From where, for the audit."""
    return caller_of(request).address
