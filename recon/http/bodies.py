"""JSON in and out: validated by the type that describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiohttp import web

from recon.errors import Invalid
from recon.http.plain_text import refuse_odd_text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decode", "encode", "json_response"]

T = TypeVar("T")

_NUL: Final = b"\\u0000"


def decode(body: bytes, kind: type[T]) -> T:
    """Read a JSON body as ``kind``.

    Raises:
        Invalid: ``malformed_json`` when it is no JSON, ``validation_failed`` with the field's path
            when it is not of that shape, ``invalid_characters`` where a text holds a NUL.
    """
    try:
        value = msgspec.json.decode(body, type=kind)
        if _NUL in body:
            # Written as an escape, or a backslash that happens to stand before `u0000`.
            refuse_odd_text(*_texts(msgspec.json.decode(body)))
    except msgspec.ValidationError as error:
        raise Invalid(str(error), code="validation_failed") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the body is not JSON: {error}", code="malformed_json") from None
    return value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _texts(item)


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
