"""Every page but the sign-in says with ``page`` what it asks of whoever wants it."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final

from aiohttp import web
from yarl import URL

from recon.db import POOL
from recon.errors import Forbidden
from recon.web.auth.cookies import token_of
from recon.web.auth.forgery import refuse_cross_site, refuse_without_token
from recon.web.auth.sessions import Session, read_session
from recon.web.roles import Right
from recon.web.shell import Shell, read_shell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["local_path", "page", "session_of", "session_or_none", "shell_or_none"]

_SESSION: web.RequestKey[Session] = web.RequestKey("session", Session)
_SHELL: web.RequestKey[Shell] = web.RequestKey("shell", Shell)
_SAFE: Final = frozenset({"GET", "HEAD"})
_MAX_NEXT: Final = 2048


def session_of(request: web.Request) -> Session:
    """Who asks; only in a handler marked with `page`."""
    return request[_SESSION]


def session_or_none(request: web.Request) -> Session | None:
    """Who asks, if that is known."""
    return request.get(_SESSION)


def shell_or_none(request: web.Request) -> Shell | None:
    """What the navigation counts, where there is one."""
    return request.get(_SHELL)


def page(right: Right = Right.READ, *, touch: bool = True) -> Callable[[Handler], Handler]:
    """Let a handler be reached only by staff with a right, and never by another site's form.

    Args:
        right: what their role must have.
        touch: whether this counts as use by a person, which keeps the session alive; a part of a
            page that refreshes itself is none, and has no navigation around it.
    """

    def guarded(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            token = token_of(request)
            session = (
                None
                if token is None
                else await read_session(request.config_dict[POOL], token, touch=touch)
            )
            if session is None:
                raise _to_sign_in(request)
            request[_SESSION] = session
            if request.method not in _SAFE:
                refuse_cross_site(request)
                await refuse_without_token(request, session)
            if not session.may(right):
                raise Forbidden(
                    f"Your role, {session.role}, does not include this. "
                    "Ask an administrator if you need it.",
                    code="insufficient_role",
                )
            if touch:
                async with request.config_dict[POOL].acquire() as connection:
                    request[_SHELL] = await read_shell(connection, session.actor)
            return await handler(request)

        return answer

    return guarded


def local_path(text: str) -> str:
    """The text if it is a path on this host, else ``/``: no redirect leads anywhere else.

    Browsers read a backslash as a slash and drop tabs and line ends, so none may be there.
    """
    if (
        not text.startswith("/")
        or text.startswith(("//", "/sign-in"))
        or len(text) > _MAX_NEXT
        or "\\" in text
        or not text.isprintable()
    ):
        return "/"
    return text


def _to_sign_in(request: web.Request) -> web.HTTPException:
    url = URL("/sign-in")
    wanted = local_path(request.path_qs) if request.method in _SAFE else "/"
    if wanted != "/":
        url = url.with_query(next=wanted)
    if "HX-Request" in request.headers:
        # A fragment of a page cannot show the form; the whole page must go there.
        return web.HTTPUnauthorized(headers={"HX-Redirect": str(url)})
    return web.HTTPSeeOther(url)
