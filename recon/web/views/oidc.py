"""To the OIDC provider, and back."""

from __future__ import annotations

from aiohttp import web
from yarl import URL

from recon.db import POOL
from recon.errors import NotFound
from recon.web.auth.arriving import address_of, lead_on
from recon.web.auth.cookies import (
    Cookie,
    clear_cookie,
    require_private_line,
    set_cookie,
    token_of,
)
from recon.web.auth.doors import DOORS, provider_of
from recon.web.auth.guard import local_path
from recon.web.auth.oidc import Callback, begin, finish, leaves_by
from recon.web.auth.refusals import REFUSALS

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
    if _is_no_click(request):
        raise web.HTTPSeeOther(URL("/sign-in").with_query(next=wanted))
    begun = await begin(
        request.config_dict[POOL],
        provider,
        request.config_dict[DOORS].begun,
        wanted=wanted,
        address=address_of(request),
    )
    response = web.Response(
        status=web.HTTPSeeOther.status_code,
        headers={"Location": begun.url},
    )
    set_cookie(request, response, begun.token, Cookie.AT_THE_PROVIDER)
    return response


@routes.get("/sign-in/oidc/leave", allow_head=False)
async def leave(request: web.Request) -> web.StreamResponse:
    """Send whoever has signed out here to where they sign out at the provider, too.

    A link for the same reason, and not to be followed by accident.
    """
    if _is_no_click(request):
        raise web.HTTPSeeOther("/sign-in")
    place = await leaves_by(provider_of(request))
    if place is None:
        raise NotFound("the sign-in provider has no place to sign out", code="no_sign_out_there")
    raise web.HTTPSeeOther(place)


@routes.get("/sign-in/oidc/callback", allow_head=False)
async def back(request: web.Request) -> web.StreamResponse:
    """Sign in whoever the provider says it is."""
    require_private_line(request)
    arrived = await finish(
        request.config_dict[POOL],
        provider_of(request),
        request.config_dict[REFUSALS],
        Callback.of(request.query, token_of(request, Cookie.AT_THE_PROVIDER)),
        address=address_of(request),
    )
    response = await lead_on(request, arrived.token, local_path(arrived.wanted))
    clear_cookie(request, response, Cookie.AT_THE_PROVIDER)
    return response


def _is_no_click(request: web.Request) -> bool:
    """Whether nobody has clicked on a page of ours: another site leads here, or nobody does yet."""
    return (
        "prefetch" in request.headers.get("Sec-Purpose", "")
        or request.headers.get("Sec-Fetch-Site") == "cross-site"
    )
