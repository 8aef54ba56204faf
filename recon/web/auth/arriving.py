"""Whoever has shown who they are: the cookie, and the page that was wanted."""

from __future__ import annotations

from aiohttp import web

from recon.db import POOL
from recon.web.auth.cookies import set_cookie, token_of
from recon.web.auth.sessions import end_session

__all__ = ["address_of", "lead_on"]


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
        headers={"Location": wanted, "Cache-Control": "no-store"},
    )
    set_cookie(request, response, token)
    return response


def address_of(request: web.Request) -> str:
    """From where, for the audit."""
    return request.remote or "unknown"
