"""Sign-in and sign-out."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web

from recon.db import POOL
from recon.http.bodies import form_of
from recon.web.auth.arriving import address_of, lead_on, where_of
from recon.web.auth.cookies import clear_cookie, require_private_line, token_of
from recon.web.auth.doors import DOORS, require_passwords
from recon.web.auth.forgery import refuse_cross_site
from recon.web.auth.guard import local_path, page
from recon.web.auth.links import name_on_link, sign_in_by_link
from recon.web.auth.oidc import may_leave
from recon.web.auth.refusals import REFUSALS
from recon.web.auth.sessions import end_session
from recon.web.auth.sign_in import Refused, sign_in
from recon.web.formatting import span
from recon.web.rendering import render

__all__ = ["routes"]

routes = web.RouteTableDef()

_MAX_FIELD: Final = 4096


@routes.get("/sign-in")
async def form(request: web.Request) -> web.Response:
    """The form."""
    return _form(request, name="", wanted=request.query.get("next", "/"), refused=None)


@routes.post("/sign-in")
async def submit(request: web.Request) -> web.StreamResponse:
    """Check name and password, and lead on to the page that was wanted."""
    require_private_line(request)
    refuse_cross_site(request)
    require_passwords(request)
    form = await form_of(request)
    fields = {key: str(value)[:_MAX_FIELD] for key, value in form.items()}
    name, wanted = fields.get("name", "").strip(), fields.get("next", "/")
    outcome = await sign_in(
        request.config_dict[POOL],
        request.config_dict[REFUSALS],
        name=name,
        password=fields.get("password", ""),
        where=where_of(request),
    )
    if isinstance(outcome, Refused):
        return _form(request, name=name, wanted=wanted, refused=outcome)
    return await lead_on(request, outcome.token, local_path(wanted))


@routes.get("/sign-in/once/{token}")
async def look_at_link(request: web.Request) -> web.Response:
    """Whom a one-time link signs in, and the form that does it.

    Programs that look at what stands in mails follow links, too, and would use it up.
    """
    require_private_line(request)
    token = request.match_info["token"]
    name = await name_on_link(request.config_dict[POOL], token)
    return render(request, "sign_in_once.html", name=name, action=f"/sign-in/once/{token}")


@routes.post("/sign-in/once/{token}")
async def by_link(request: web.Request) -> web.StreamResponse:
    """Use a one-time link up."""
    require_private_line(request)
    refuse_cross_site(request)
    token = await sign_in_by_link(
        request.config_dict[POOL],
        request.config_dict[REFUSALS],
        request.match_info["token"],
        address=address_of(request),
    )
    return await lead_on(request, token, "/")


@routes.post("/sign-out")
@page()
async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session; the provider's is the person's own to end, by a link on the next page."""
    await end_session(request.config_dict[POOL], token_of(request) or "")
    provider = request.config_dict[DOORS].provider
    asks = provider is not None and await may_leave(provider)
    response = web.Response(
        status=web.HTTPSeeOther.status_code,
        headers={"Location": "/sign-in?left=1" if asks else "/sign-in"},
    )
    clear_cookie(request, response)
    return response


def _form(request: web.Request, *, name: str, wanted: str, refused: Refused | None) -> web.Response:
    doors = request.config_dict[DOORS]
    status, headers, wait = 200, {}, None
    if refused is not None:
        status = web.HTTPUnauthorized.status_code
        if refused.retry_after_s is not None:
            status = web.HTTPTooManyRequests.status_code
            headers["Retry-After"] = str(refused.retry_after_s)
            wait = span(timedelta(seconds=refused.retry_after_s))
    return render(
        request,
        "sign_in.html",
        status=status,
        headers=headers,
        name=name,
        wanted=local_path(wanted),
        refused=refused is not None,
        passwords=doors.passwords,
        provider=None if doors.provider is None else doors.provider.client.label,
        wait=wait,
        left="left" in request.query,
    )
