"""Take a call's bytes off the wire, within bounds, before anything is believed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError

from recon.errors import TooLarge
from recon.webhooks.errors import BodyIncompleteError, NotJsonError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_BODY", "read_call"]

MAX_BODY: Final = 256 * 1024
"""Bytes of a body; one more is too large."""

_WITHIN_S: Final = 10.0

_UNSAID: Final = frozenset({"", "application/octet-stream"})
"""What a client sends that does not say what it sends; the bytes will tell."""


async def read_call(request: web.Request) -> bytes:
    """The raw body of a call.

    Raises:
        NotJsonError: compressed, or said to be something else than JSON.
        TooLarge: more than `MAX_BODY`.
        BodyIncompleteError: it broke off, or took longer than ten seconds.
    """
    _check_headers(request.headers)
    if (request.content_length or 0) > MAX_BODY:
        raise TooLarge(f"a webhook has {MAX_BODY} bytes at most")
    body = bytearray()
    if request.content.is_eof() and request.content.exception() is None:
        # It is all here already, as a webhook's mostly is: nothing to wait for.
        body += request.content.read_nowait()
        if len(body) > MAX_BODY:
            raise TooLarge(f"a webhook has {MAX_BODY} bytes at most")
        return bytes(body)
    try:
        async with asyncio.timeout(_WITHIN_S):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > MAX_BODY:
                    raise TooLarge(f"a webhook has {MAX_BODY} bytes at most")
    except TimeoutError:
        raise BodyIncompleteError(f"the body did not come within {_WITHIN_S:g} s") from None
    except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError, OSError):
        raise BodyIncompleteError("the body broke off") from None
    return bytes(body)


def _check_headers(headers: Mapping[str, str]) -> None:
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise NotJsonError("send it uncompressed: the signature is over the plain bytes")
    said = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if said in _UNSAID or said == "application/json" or said.endswith("+json"):
        return
    raise NotJsonError("send application/json")
