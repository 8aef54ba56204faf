"""Companies that repeat to us, and to whoever reads our logs, every secret that we sent them."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["hostile_companies", "hostile_mail"]


async def _discovery(request: web.Request) -> web.Response:
    base = f"{request.url.origin()}/oidc"
    return web.json_response(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/keys",
            "code_challenge_methods_supported": ["S256"],
        }
    )


async def _echo(request: web.Request) -> web.Response:
    said = {
        "headers": str(dict(request.headers)),
        "url": str(request.rel_url),
        "body": (await request.read()).decode(errors="replace"),
    }
    whole = " ".join(said.values())
    return web.json_response(
        {"code": "internal_error", "message": whole, "error": "invalid_grant"}
        | {"error_description": whole, "detail": whole, **said},
        status=400 if "/oidc/" in request.path else 500,
        headers={"X-Request-Id": "req_hostile", "X-Reason": whole[:2000].replace("\n", " ")},
    )


@asynccontextmanager
async def hostile_companies(traced: Callable[[bytes], None]) -> AsyncIterator[str]:
    """The game, a PSP's API, a sign-in provider and an alert's receiver; where they are.

    Args:
        traced: told of what a collector of traces is sent.
    """

    async def collect(request: web.Request) -> web.Response:
        traced(await request.read())
        return web.Response()

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/otlp/v1/traces", collect)
    app.router.add_get("/oidc/.well-known/openid-configuration", _discovery)
    app.router.add_route("*", "/{path:.*}", _echo)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/")).rstrip("/")


@asynccontextmanager
async def hostile_mail() -> AsyncIterator[int]:
    """A mail server that refuses every sign-in with the words that it was given; its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            words = line.split()
            if words[0].upper() == b"EHLO":
                writer.write(b"250-mail\r\n250 AUTH PLAIN\r\n")
            elif words[0].upper() == b"QUIT":
                break
            else:
                plain = base64.b64decode(words[-1] + b"==").replace(b"\0", b" ")
                writer.write(b"535 " + line.strip() + b" that is " + plain + b" is wrong\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
