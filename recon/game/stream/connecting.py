"""Open a connection to the stream over aiohttp, and close it in bounded time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import aiohttp
from yarl import URL

from recon import clock
from recon.game.notices import read_wait_s

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

__all__ = ["MISCONFIGURED", "Patience", "SessionEndedError", "Socket", "StreamAddress", "connected"]

Socket: TypeAlias = "aiohttp.ClientWebSocketResponse[bool]"

_PATH: Final = "/api/v1/stream"
_LARGEST_BYTES: Final = 64 * 1024
_REDIRECTED: Final = 300
_REFUSED: Final = 400
MISCONFIGURED: Final = frozenset({"auth", "untrusted", "absent"})
"""Reasons for which people must act: trying again soon is noise at the game and in its log."""

_REASONS: Final = {401: "auth", 403: "auth", 404: "absent"}


class Connect(Protocol):
    """Opens a connection, as `connected` does."""

    def __call__(
        self,
        address: StreamAddress,
        patience: Patience,
        note: Callable[[Mapping[str, str]], None],
        /,
    ) -> AbstractAsyncContextManager[Socket]:
        """As `connected`."""
        ...


class SessionEndedError(Exception):
    """A connection ended, or could not be made.

    Args:
        reason: one of few words: ``auth``, ``unacknowledged``, ``slow``, ``closed``, ``lost``,
            ``silent``, ``unreachable``, ``absent``, ``untrusted`` or ``fault`` (ours).
        detail: for people; nothing secret, nothing that the server could choose freely.
        wait_s: how long the server asked us to wait, None where it did not.
    """

    def __init__(self, reason: str, detail: str, *, wait_s: float | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Which stream, and as whom.

    Args:
        base_url: as `recon.game.transport.checked_base_url` returns it.
        api_key: sent with the handshake and in the first message, never shown.
        connect: instead of `connected`: a simulation has no sockets.
    """

    base_url: str
    api_key: str
    connect: Connect | None = None

    def __repr__(self) -> str:
        return f"StreamAddress({self.base_url!r}, api_key=***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the server may take.

    Args:
        opening_s: from the handshake until everything is subscribed to.
        silence_s: between two messages; a heartbeat comes every 5 s.
        sending_s: to take a message of ours.
        closing_s: to say goodbye.
    """

    opening_s: float = 10.0
    silence_s: float = 15.0
    sending_s: float = 5.0
    closing_s: float = 0.7


@asynccontextmanager
async def connected(
    address: StreamAddress, patience: Patience, note: Callable[[Mapping[str, str]], None]
) -> AsyncIterator[Socket]:
    """An open connection, closed at the end.

    Args:
        address: which stream, and as whom.
        patience: how long the server may take.
        note: told of the headers of the handshake's answer.

    Raises:
        SessionEndedError: there is none.
    """
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        # The first message authenticates; the header is what every call has.
        headers={"User-Agent": f"recon/{version('recon')}", "X-API-Key": address.api_key},
        middlewares=(_staying(note),),
    ) as http:
        socket = await _open(http, address, patience)
        try:
            yield socket
        finally:
            # Whoever reads nothing cannot be waited for; the connection goes with the session.
            with suppress(TimeoutError):
                async with asyncio.timeout(patience.closing_s):
                    await socket.close()


async def _open(http: aiohttp.ClientSession, address: StreamAddress, patience: Patience) -> Socket:
    try:
        return await http.ws_connect(
            URL(address.base_url + _PATH, encoded=True),
            max_msg_size=_LARGEST_BYTES,
            decode_text=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=patience.closing_s),
        )
    # No cause is kept: aiohttp's errors carry the request.
    except aiohttp.WSServerHandshakeError as error:
        reason = _REASONS.get(error.status, "unreachable")
        wait_s = read_wait_s(error.headers or {}, clock.now())
        detail = f"the handshake was answered with {error.status}"
        raise SessionEndedError(reason, detail, wait_s=wait_s) from None
    except aiohttp.ClientConnectorCertificateError:
        detail = "the game's certificate was not accepted"
        raise SessionEndedError("untrusted", detail) from None
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise SessionEndedError("unreachable", type(error).__name__) from None


def _staying(note: Callable[[Mapping[str, str]], None]) -> aiohttp.ClientMiddlewareType:
    """Follow no redirect: `ws_connect` would, and our key would be told to whoever is there."""

    async def stay(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        response = await handler(request)
        note(response.headers)
        if _REDIRECTED <= response.status < _REFUSED:
            response.close()
            raise aiohttp.WSServerHandshakeError(
                response.request_info,
                (),
                status=response.status,
                message="redirected",
                headers=response.headers,
            )
        return response

    return stay
