"""The internal API, drawn from its OpenAPI document.

No sign-in: it shows the API's shape, which opens nothing without a key.
"""

from __future__ import annotations

from aiohttp import web

from recon.web.rendering import render

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/docs")
async def show(request: web.Request) -> web.Response:
    """Swagger UI over ``/openapi.json``."""
    return render(request, "docs.html")
