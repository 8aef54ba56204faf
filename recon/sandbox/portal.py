"""What the developer portal would offer: API keys made, listed, rotated and revoked."""

from __future__ import annotations

import msgspec
from aiohttp import web

from recon.sandbox.control_wire import Name, read_body, shown
from recon.sandbox.parts import SANDBOX

__all__ = ["routes"]


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /sandbox/keys``; ``users`` absent: every player."""

    scopes: list[str]
    users: list[Name] | None = None


def routes() -> list[web.RouteDef]:
    """Every route of the portal; a key is named by its id, or by itself."""
    return [
        web.get("/sandbox/keys", list_keys),
        web.post("/sandbox/keys", create_key),
        web.delete("/sandbox/keys", revoke_key),
        web.delete("/sandbox/keys/{key_id}", revoke_key),
        web.post("/sandbox/keys/{key_id}/rotate", rotate_key),
        web.post("/sandbox/keys/{key_id}/retire", retire_secret),
    ]


async def list_keys(request: web.Request) -> web.Response:
    """Every key, without its secrets."""
    keys = request.app[SANDBOX].keys.all()
    return shown({"keys": [key.as_json(reveal=False) for key in keys]})


async def create_key(request: web.Request) -> web.Response:
    """Make a key; the only time that it and its signing secret are shown."""
    wanted = await read_body(request, NewKey)
    key = request.app[SANDBOX].keys.create(wanted.scopes, wanted.users)
    return shown(key.as_json(reveal=True), 201)


async def rotate_key(request: web.Request) -> web.Response:
    """Give a key a new signing secret; the one before stays valid beside it."""
    key = request.app[SANDBOX].keys.rotate(_name(request))
    return shown(key.as_json(reveal=True), 201)


async def retire_secret(request: web.Request) -> web.Response:
    """End a rotation: the older signing secret is no longer taken."""
    key = request.app[SANDBOX].keys.retire(_name(request))
    return shown(key.as_json(reveal=False))


async def revoke_key(request: web.Request) -> web.Response:
    """Take a key out of use at once, its open streams included."""
    sandbox = request.app[SANDBOX]
    key = sandbox.keys.revoke(_name(request))
    sandbox.hub.end(key)
    return shown(key.as_json(reveal=False))


def _name(request: web.Request) -> str:
    """The key in the path, or in ``?key_id=`` where the path names none."""
    return request.match_info.get("key_id") or request.query.get("key_id", "")
