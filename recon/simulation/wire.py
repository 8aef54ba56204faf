"""HTTP without sockets: the bytes of a request into aiohttp's real server, and its answer out."""

from __future__ import annotations

import asyncio
from http.client import HTTPResponse
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from recon.game import Answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping

    from aiohttp import web

__all__ = ["answer_of", "exchange", "request_bytes"]


class _Link(asyncio.Transport):
    """The server's end of a connection that carries one request."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.is_closing():
            self.written += data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        for data in list_of_data:
            self.write(data)

    def is_closing(self) -> bool:
        return self.closed.done()

    def close(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        """Break the connection: what was written is lost."""
        self.written.clear()
        self.close()

    def pause_reading(self) -> None:
        """All of the request is there already."""

    def resume_reading(self) -> None:
        """Likewise."""


async def exchange(server: web.Server, request: bytes) -> bytes | None:
    """Have a request served; None where the server breaks the connection instead of answering."""
    link, protocol = _Link(), server()
    protocol.connection_made(link)
    protocol.data_received(request)
    await link.closed
    protocol.connection_lost(None)
    return bytes(link.written) or None


def request_bytes(
    method: str, target: str, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """A request as it goes over the wire, one to a connection."""
    lines = [f"{method} {target} HTTP/1.1", "Host: game.simulation", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class _Bytes:
    """As much of a socket as `HTTPResponse` asks for."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _: str) -> BytesIO:
        return BytesIO(self._raw)


def answer_of(raw: bytes, method: str) -> Answer:
    """The answer that a server sent."""
    response = HTTPResponse(cast("socket.socket", _Bytes(raw)), method=method)
    response.begin()
    # aiohttp's server stamps its answers with the machine's time.
    del response.headers["Date"]
    headers = cast("Mapping[str, str]", response.headers)  # as one, whatever the case of a name
    return Answer(response.status, headers, response.read())
