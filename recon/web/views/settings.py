"""Settings: one's own sessions; for administrators, who may sign in, and callers' keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from aiohttp import web

from recon.clock import new_id
from recon.db import POOL
from recon.errors import Invalid
from recon.http import Scope
from recon.http.bodies import form_of
from recon.http.keys import create_key, list_keys, revoke_key
from recon.http.proxies import origin_of
from recon.reconciliation.send_export import PUBLIC_URL
from recon.web.auth.cookies import token_of
from recon.web.auth.guard import page, session_of
from recon.web.auth.links import create_sign_in_link
from recon.web.auth.oidc import unlink_staff
from recon.web.auth.sessions import end_all_sessions, end_other_sessions, list_sessions
from recon.web.forms import field, step_of
from recon.web.rendering import render
from recon.web.roles import Right, Role
from recon.web.staff import add_staff, change_role, disable_staff, enable_staff, list_staff

__all__ = ["routes"]

routes = web.RouteTableDef()

_LINK_LASTS: Final = timedelta(hours=24)
_LIFETIMES: Final[dict[str, timedelta | None]] = {
    "90d": timedelta(days=90),
    "30d": timedelta(days=30),
    "365d": timedelta(days=365),
    "never": None,
}


@routes.get("/settings")
@page()
async def settings(request: web.Request) -> web.Response:
    """What whoever asks may set."""
    return await _show(request)


@routes.post("/settings/sessions/end")
@page()
async def sign_out_elsewhere(request: web.Request) -> web.StreamResponse:
    """End every session of one's own but this."""
    await end_other_sessions(
        request.config_dict[POOL], session_of(request).name, token_of(request) or ""
    )
    raise web.HTTPSeeOther("/settings")


@routes.post("/settings/staff")
@page(Right.MANAGE)
async def add(request: web.Request) -> web.Response:
    """Let somebody in, by a link that is shown this once; nobody else ever knows a password."""
    name, role = await field(request, "name"), await _role(request)
    pool, actor = request.config_dict[POOL], session_of(request).actor
    await add_staff(pool, name=name, role=role, password=None, actor=actor)
    return await _with_link(request, name)


@routes.post("/settings/staff/link")
@page(Right.MANAGE)
async def link(request: web.Request) -> web.Response:
    """A new link for somebody who may sign in."""
    return await _with_link(request, await field(request, "name"))


@routes.post("/settings/staff/role")
@page(Right.MANAGE)
async def set_role(request: web.Request) -> web.StreamResponse:
    """Let somebody do something else."""
    await change_role(
        request.config_dict[POOL],
        await field(request, "name"),
        await _role(request),
        actor=session_of(request).actor,
    )
    raise web.HTTPSeeOther("/settings#staff")


@routes.post("/settings/staff/disable")
@page(Right.MANAGE)
async def disable(request: web.Request) -> web.StreamResponse:
    """Keep somebody out from now on."""
    await disable_staff(
        request.config_dict[POOL], await field(request, "name"), actor=session_of(request).actor
    )
    raise web.HTTPSeeOther("/settings#staff")


@routes.post("/settings/staff/enable")
@page(Right.MANAGE)
async def enable(request: web.Request) -> web.StreamResponse:
    """Let somebody in again."""
    await enable_staff(
        request.config_dict[POOL], await field(request, "name"), actor=session_of(request).actor
    )
    raise web.HTTPSeeOther("/settings#staff")


@routes.post("/settings/staff/sign-out")
@page(Right.MANAGE)
async def sign_them_out(request: web.Request) -> web.StreamResponse:
    """End every session of somebody's; they may sign in again."""
    await end_all_sessions(
        request.config_dict[POOL], await field(request, "name"), actor=session_of(request).actor
    )
    raise web.HTTPSeeOther("/settings#staff")


@routes.post("/settings/staff/unlink")
@page(Right.MANAGE)
async def unlink(request: web.Request) -> web.StreamResponse:
    """Let the next account of the sign-in provider that comes under this name have it."""
    await unlink_staff(
        request.config_dict[POOL], await field(request, "name"), actor=session_of(request).actor
    )
    raise web.HTTPSeeOther("/settings#staff")


@routes.post("/settings/keys")
@page(Right.MANAGE)
async def make_key(request: web.Request) -> web.Response:
    """Make a key for a caller; it is shown this once, and its form makes no second one."""
    lifetime = await field(request, "lifetime")
    if lifetime not in _LIFETIMES:
        raise Invalid("Choose how long it lasts.", code="invalid_lifetime")
    created = await create_key(
        request.config_dict[POOL],
        name=await field(request, "name"),
        scopes=[str(one) for one in (await form_of(request)).getall("scope", [])],
        lifetime=_LIFETIMES[lifetime],
        actor=session_of(request).actor,
        intent=(await step_of(request)).step_id,
    )
    return await _show(request, created=created)


@routes.post("/settings/keys/revoke")
@page(Right.MANAGE)
async def take_key_back(request: web.Request) -> web.StreamResponse:
    """Refuse a key from now on."""
    await revoke_key(
        request.config_dict[POOL], await field(request, "key_id"), actor=session_of(request).actor
    )
    raise web.HTTPSeeOther("/settings#keys")


async def _with_link(request: web.Request, name: str) -> web.Response:
    token = await create_sign_in_link(
        request.config_dict[POOL], name, _LINK_LASTS, actor=session_of(request).actor
    )
    base = request.config_dict.get(PUBLIC_URL) or origin_of(request)
    return await _show(request, link_for=name, link=f"{base}/sign-in/once/{token}")


async def _show(request: web.Request, **made: Any) -> web.Response:  # noqa: ANN401 - the template's names
    pool, session = request.config_dict[POOL], session_of(request)
    manages = session.may(Right.MANAGE)
    async with pool.acquire() as connection:
        sessions = await list_sessions(connection, session.name, token_of(request) or "")
    return render(
        request,
        "settings.html",
        sessions=sessions,
        manages=manages,
        staff=await list_staff(pool) if manages else [],
        keys=await list_keys(pool) if manages else [],
        roles=list(Role),
        scopes=list(Scope),
        lifetimes=list(_LIFETIMES),
        form=new_id(),
        **{"created": None, "link": None, "link_for": None, **made},
    )


async def _role(request: web.Request) -> Role:
    try:
        return Role(await field(request, "role"))
    except ValueError:
        raise Invalid("Choose a role.", code="invalid_role") from None
