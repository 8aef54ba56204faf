"""Pages and their exports from the read replica; whoever wrote something sees it at once.

A form that was sent leaves behind, in a cookie, the place in the write-ahead log by which it was
written. The pages of that browser come from the primary until the replica has got there. A place
says nothing, and one that is made up only costs its maker the replica.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.db.replica import REPLICA
from recon.http.reading import read_elsewhere
from recon.web.auth.cookies import Cookie, set_cookie, token_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["read_or_write", "remember_write"]

_SAFE: Final = frozenset({"GET", "HEAD"})


async def read_or_write(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a page from the replica, where there is one and it will do; a form on the primary."""
    if request.method in _SAFE:
        return await read_elsewhere(request, handler, after=token_of(request, Cookie.WRITTEN))
    try:
        response = await handler(request)
    except web.HTTPException as raised:
        # A form that leads its reader to a page.
        await remember_write(request, raised)
        raise
    await remember_write(request, response)
    return response


async def remember_write(request: web.Request, response: web.StreamResponse) -> None:
    """Let this browser read from the replica only once it has what was written by now."""
    replica = request.config_dict.get(REPLICA)
    if replica is not None and isinstance(response, web.Response) and not response.prepared:
        set_cookie(request, response, await replica.written(), Cookie.WRITTEN)
