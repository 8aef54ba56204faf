"""Every page but the sign-in says with ``page`` what it asks of whoever wants it."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final

from aiohttp import web
from yarl import URL

from recon.db import POOL
from recon.errors import Forbidden, Unauthentic
from recon.web.auth.cookies import token_of
from recon.web.auth.forgery import refuse_cross_site, refuse_without_token
from recon.web.auth.sessions import Session, read_visit
from recon.web.replica import read_or_write
from recon.web.roles import Right
from recon.web.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = [
    "local_path",
    "page",
    "page_of",
    "session_of",
    "session_or_none",
    "shell_or_none",
    "sign_in_for",
]

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
            if request.method not in _SAFE:
                refuse_cross_site(request)
            token = token_of(request)
            visit = (
                None
                if token is None
                else await read_visit(request.config_dict[POOL], token, touch=touch)
            )
            if visit is None:
                if request.method not in _SAFE:
                    raise Unauthentic(
                        "You were signed out before this was sent.", code="signed_out"
                    )
                raise _to_sign_in(request)
            session = request[_SESSION] = visit.session
            if visit.shell is not None:
                request[_SHELL] = visit.shell
            if request.method not in _SAFE:
                await refuse_without_token(request, session)
            if not session.may(right):
                raise Forbidden(
                    f"Your role, {session.role}, does not include this. "
                    "Ask an administrator if you need it.",
                    code="insufficient_role",
                )
            return await read_or_write(request, handler)

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


def page_of(request: web.Request, address: str) -> str:
    """The page of ours that a browser says it is on, as a path; ``/`` where it is none."""
    try:
        url = URL(address)
        return local_path(url.raw_path_qs) if url.authority == request.host else "/"
    except ValueError:
        return "/"


def sign_in_for(wanted: str) -> str:
    """Where to sign in, to get to a path of ours."""
    return str(URL("/sign-in").with_query({} if wanted == "/" else {"next": wanted}))


def _to_sign_in(request: web.Request) -> web.HTTPException:
    if "HX-Request" in request.headers:
        # A fragment of a page cannot show the form: the whole page must go there, and come back.
        whole = page_of(request, request.headers.get("HX-Current-URL", ""))
        return web.HTTPUnauthorized(headers={"HX-Redirect": sign_in_for(whole)})
    return web.HTTPSeeOther(sign_in_for(local_path(request.path_qs)))
