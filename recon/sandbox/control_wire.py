"""What the control surface reads and writes."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from aiohttp import web

from recon.errors import Invalid
from recon.sandbox.wire import encode

__all__ = ["Name", "read_body", "shown"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Body = TypeVar("Body", bound=msgspec.Struct)


async def read_body(request: web.Request, shape: type[Body]) -> Body:
    """The body in this shape.

    Raises:
        Invalid: ``validation_failed``.
    """
    try:
        return msgspec.json.decode(await request.read(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(str(error), code="validation_failed") from None


def shown(value: object, status: int = 200) -> web.Response:
    """A value as JSON that nobody caches."""
    return web.Response(
        status=status,
        body=encode(value),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )
