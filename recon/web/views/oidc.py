"""To the OIDC provider, and back."""

from __future__ import annotations

from aiohttp import web
from yarl import URL

from recon.db import POOL
from recon.web.auth.arriving import address_of, lead_on
from recon.web.auth.cookies import (
    Cookie,
    clear_cookie,
    require_private_line,
    set_cookie,
    token_of,
)
from recon.web.auth.doors import provider_of
from recon.web.auth.guard import local_path
from recon.web.auth.oidc import Callback, begin, finish

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/sign-in/oidc", allow_head=False)
async def to_the_provider(request: web.Request) -> web.StreamResponse:
    """Send the browser to the provider.

    A link and no form: the content policy lets no form of ours lead to another host. A link that
    stands on another site, or that a browser only looks ahead at, leads to the sign-in page.
    """
    require_private_line(request)
    provider, wanted = provider_of(request), local_path(request.query.get("next", "/"))
    looked_at = "prefetch" in request.headers.get("Sec-Purpose", "")
    if looked_at or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise web.HTTPSeeOther(URL("/sign-in").with_query(next=wanted))
    begun = await begin(request.config_dict[POOL], provider, wanted=wanted)
    response = web.Response(
        status=web.HTTPSeeOther.status_code,
        headers={"Location": begun.url, "Cache-Control": "no-store"},
    )
    set_cookie(request, response, begun.token, Cookie.AT_THE_PROVIDER)
    return response


@routes.get("/sign-in/oidc/callback", allow_head=False)
async def back(request: web.Request) -> web.StreamResponse:
    """Sign in whoever the provider says it is."""
    require_private_line(request)
    arrived = await finish(
        request.config_dict[POOL],
        provider_of(request),
        Callback.of(request.query),
        token=token_of(request, Cookie.AT_THE_PROVIDER),
        address=address_of(request),
    )
    response = await lead_on(request, arrived.token, local_path(arrived.wanted))
    clear_cookie(request, response, Cookie.AT_THE_PROVIDER)
    return response
