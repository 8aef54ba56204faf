"""JSON in and out, validated by the type that describes it; forms in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError

from recon.errors import Invalid, TooSlow, UnsupportedContent
from recon.http.plain_text import refuse_odd_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from multidict import MultiDictProxy

__all__ = ["decode", "encode", "form_of", "in_time", "json_response"]

T = TypeVar("T")

_WITHIN_S: Final = 10.0
_UTF_8: Final = "utf-8"
_NUL: Final = b"\\u0000"


async def in_time(reading: Awaitable[T]) -> T:
    """What is read of a body, which has ten seconds to come: nobody holds a place by dripping.

    Args:
        reading: such as ``request.read()``, which aiohttp bounds in bytes.

    Raises:
        TooSlow: ``body_incomplete``: it did not come in time.
        Invalid: ``body_incomplete``: it broke off.
    """
    try:
        async with asyncio.timeout(_WITHIN_S):
            return await reading
    except TimeoutError:
        raise TooSlow(
            f"the body did not come within {_WITHIN_S:g} s", code="body_incomplete"
        ) from None
    except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError, OSError):
        raise Invalid("the body broke off", code="body_incomplete") from None


async def form_of(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """The fields of a form without files, as pages send it; read once, however often asked for.

    In parts it is not taken: the library reads those line by line, a megabyte of them in seconds
    during which nobody else is served. Nor in a charset of the caller's choice, of which some take
    time that grows with the square.

    Raises:
        UnsupportedContent: ``unsupported_form``.
        TooSlow: ``body_incomplete``: it did not come in time.
        Invalid: ``body_incomplete``: it broke off.
    """
    charset = (request.charset or _UTF_8).lower()
    if request.content_type.startswith("multipart/") or charset != _UTF_8:
        raise UnsupportedContent(
            "send the form as application/x-www-form-urlencoded, in UTF-8", code="unsupported_form"
        )
    return await in_time(request.post())


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
