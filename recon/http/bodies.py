"""JSON in and out: validated by the type that describes it."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from recon.errors import Invalid

__all__ = ["decode", "encode", "json_response"]

T = TypeVar("T")


def decode(body: bytes, kind: type[T]) -> T:
    """Read a JSON body as ``kind``.

    Raises:
        Invalid: ``malformed_json`` when it is no JSON, ``validation_failed`` with the field's path
            when it is not of that shape.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid(str(error), code="validation_failed") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the body is not JSON: {error}", code="malformed_json") from None


def encode(value: object) -> bytes:
    """A struct, dataclass or plain value as JSON; times in UTC with ``Z``."""
    return msgspec.json.encode(value)


def json_response(
    value: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """An answer of ``application/json``."""
    return web.Response(
        body=encode(value), status=status, content_type="application/json", headers=headers
    )
