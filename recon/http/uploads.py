"""Bodies too large for memory: taken off the wire onto disk, within bounds.

The file has no name, so that nothing of it is left whatever becomes of the process.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError

from recon.errors import Invalid, TooLarge, Unavailable, UnsupportedContent

if TYPE_CHECKING:
    import hashlib
    from collections.abc import AsyncIterator, Awaitable

__all__ = ["MEDIA_TYPES", "UPLOADS", "Uploads", "closing", "upload_of"]

MEDIA_TYPES: Final = (
    *("text/csv", "text/plain", "application/gzip", "application/x-gzip"),
    "application/octet-stream",
)
"""What a file may be sent as; the last is what a client says that does not say."""

_AT_ONCE: Final = 4
_SILENCE_S: Final = 30.0
_PIECE: Final = 2**20
_RETRY_AFTER_S: Final = 30


class Uploads:
    """How many files one process takes at once, and how large they may be.

    Args:
        at_most: bytes of a file; one more is too large.
    """

    def __init__(self, at_most: int) -> None:
        self.at_most = at_most
        self._under_way = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the few places, from a file's first byte until it is dealt with.

        Raises:
            Unavailable: ``uploads_busy``.
        """
        if self._under_way >= _AT_ONCE:
            raise Unavailable(
                f"{_AT_ONCE} files are being taken; send this one again later",
                retry_after_s=_RETRY_AFTER_S,
                code="uploads_busy",
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def receive(self, request: web.Request, digest: hashlib._Hash) -> BinaryIO:
        """The body as a file, to be closed by whoever has it; `upload_of` finds it again.

        Args:
            request: what sends it.
            digest: told of every byte.

        Raises:
            UnsupportedContent: it is said to be something else than a file.
            TooLarge: it has more bytes than we take.
            Invalid: ``upload_incomplete``: it broke off, or nothing came for half a minute.
        """
        if request.content_type not in MEDIA_TYPES:
            raise UnsupportedContent(
                f"send the file itself as the body, as {MEDIA_TYPES[0]} or {MEDIA_TYPES[2]},"
                f" not as {request.content_type[:64]}"
            )
        self._require(request.content_length or 0)
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - its user closes it
        try:
            await self._write(request, file, digest)
        except BaseException:
            file.close()
            raise
        request[_UPLOAD] = file
        return file

    def _require(self, size: int) -> None:
        if size > self.at_most:
            raise TooLarge(f"a file has {self.at_most} bytes at most")

    async def _write(self, request: web.Request, file: BinaryIO, digest: hashlib._Hash) -> None:
        size, held, ended = 0, bytearray(), False
        while not ended:
            piece = await _next(request)
            held += piece
            ended = not piece
            self._require(size + len(held))
            if len(held) < _PIECE and not ended:
                continue
            size += len(held)
            # Neither the disk nor the hash holds up whoever else is served.
            await asyncio.to_thread(_keep, bytes(held), file, digest)
            held.clear()
        file.seek(0)


UPLOADS: web.AppKey[Uploads] = web.AppKey("uploads", Uploads)
_UPLOAD: web.RequestKey[BinaryIO] = web.RequestKey("upload", BinaryIO)


def upload_of(request: web.Request) -> BinaryIO:
    """The file that a request sends; only inside an `operation` that takes one."""
    return request[_UPLOAD]


async def closing(file: BinaryIO, work: Awaitable[web.StreamResponse]) -> web.StreamResponse:
    """Close the file once the work is done, however it ends."""
    with file:
        return await work


async def _next(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_SILENCE_S):
            return await request.content.readany()
    except TimeoutError:
        said = f"nothing of the file came for {_SILENCE_S:g} s"
    except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError, OSError):
        said = "the file broke off"
    raise Invalid(said, code="upload_incomplete")


def _keep(piece: bytes, file: BinaryIO, digest: hashlib._Hash) -> None:
    file.write(piece)
    digest.update(piece)
