"""Bodies too large for memory: taken off the wire onto disk, within bounds.

The file has no name, so that nothing of it is left whatever becomes of the process.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError

from recon.errors import Invalid, TooLarge, TooSlow, Unavailable, UnsupportedContent

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
_PATIENCE_S: Final = 30.0
_LEAST_RATE: Final = 64 * 2**10
"""Bytes a second: half a megabit, so that two gigabytes hold a place for nine hours at most."""
_PIECE: Final = 2**20
_RETRY_AFTER_S: Final = 30


class Uploads:
    """How many files one process takes at once, and how large they may be.

    Args:
        at_most: bytes of a file; one more is too large.
        patience_s: how long is waited, in all, for what comes slower than it should.
        least_rate: bytes a second that should come; whoever drips holds a place others need.
    """

    def __init__(
        self, at_most: int, *, patience_s: float = _PATIENCE_S, least_rate: float = _LEAST_RATE
    ) -> None:
        self.at_most = at_most
        self._patience_s = patience_s
        self._least_rate = least_rate
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
            TooSlow: ``upload_incomplete``: it comes too slowly, or not at all.
            Invalid: ``upload_incomplete``: it broke off.
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
        coming = _Coming(request, self._patience_s, self._least_rate)
        while not ended:
            piece = await coming.next()
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


class _Coming:
    """The pieces of a body, waited for as long as they come fast enough in the long run.

    Only what its sender makes us wait is counted, not what we do with it meanwhile.
    """

    def __init__(self, request: web.Request, patience_s: float, least_rate: float) -> None:
        self._request = request
        self._most_s = self._left_s = patience_s
        self._least_rate = least_rate

    async def next(self) -> bytes:
        """The next piece; empty at the end."""
        began_s = monotonic()
        try:
            async with asyncio.timeout(self._left_s):
                piece = await self._request.content.readany()
        except TimeoutError:
            raise TooSlow(
                f"the file comes slower than {self._least_rate:g} bytes a second, or not at all",
                code="upload_incomplete",
            ) from None
        except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError, OSError):
            raise Invalid("the file broke off", code="upload_incomplete") from None
        # What came fast allows for no longer silence afterwards.
        left_s = self._left_s - (monotonic() - began_s) + len(piece) / self._least_rate
        self._left_s = min(left_s, self._most_s)
        return piece


def _keep(piece: bytes, file: BinaryIO, digest: hashlib._Hash) -> None:
    file.write(piece)
    digest.update(piece)
