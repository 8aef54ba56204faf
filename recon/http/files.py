"""Answer with a file as it is made: memory stays flat, and no half file looks whole."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["send_file"]

log = structlog.get_logger(__name__)

_CLIENT_CLOSED_REQUEST: Final = 499
"""What nginx logs for a client that has gone; nobody hears it."""


async def send_file(
    request: web.Request, chunks: AsyncGenerator[bytes, None], *, name: str, content_type: str
) -> web.StreamResponse:
    """Send what comes, as it comes.

    What fails before the first chunk is an ordinary problem. After it the status is out, and only
    a broken connection can tell the reader that the file is not whole.

    Args:
        request: what it answers.
        chunks: the file.
        name: what it is kept as; plain ASCII.
        content_type: its media type.
    """
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    async with aclosing(chunks):
        if request.method == hdrs.METH_HEAD:
            # A streamed body would be sent all the same, and be read as the next answer.
            return web.Response(headers=headers)
        first = await _first(request, chunks)
        if first is None:
            log.info("file_reader_left", name=name)
            return web.Response(status=_CLIENT_CLOSED_REQUEST)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            await response.write(first)
            async for chunk in chunks:
                await response.write(chunk)
            await response.write_eof()
        except Exception as error:
            transport = request.transport
            if isinstance(error, ConnectionError) and (transport is None or transport.is_closing()):
                log.info("file_reader_left", name=name)
            else:
                log.exception("file_broken_off", name=name)
            if transport is not None:
                transport.abort()
        return response


async def _first(request: web.Request, chunks: AsyncGenerator[bytes, None]) -> bytes | None:
    """The first chunk that says something; ``None`` once nobody is there to read it."""
    async for chunk in chunks:
        if chunk:
            return chunk
        if request.transport is None or request.transport.is_closing():
            return None
    return b""
