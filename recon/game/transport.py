"""Carrying one attempt to the game and its whole answer back, over aiohttp.

`Transport` is the seam: the client's rules run unchanged over a simulated network. A transport must
tell what certainly was not sent (`RequestNotSentError`) from what may have been
(`AnswerLostError`), for that is what decides whether a bet may be tried again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Protocol, Self

import aiohttp
import msgspec
from yarl import URL

from recon.game.errors import (
    AnswerLostError,
    GameProtocolError,
    GameSettingsInvalid,
    RequestNotSentError,
    UntrustedServerError,
)
from recon.game.verdicts import Answer

if TYPE_CHECKING:
    from recon.game.signing import SigningMiddleware

__all__ = ["AiohttpTransport", "Outgoing", "Transport", "checked_base_url"]

MAX_ANSWER_BYTES: Final = 1 << 20
"""A page of rounds is some tens of kilobytes; a megabyte is no answer of this API."""
_KEEPALIVE_S: Final = 20.0
"""Below the usual 60 s of servers, so that we, not they, drop an idle connection: a POST on a
connection that the server has just closed would be an unknown outcome."""


class Outgoing(msgspec.Struct, frozen=True):
    """One attempt.

    Args:
        method: ``GET`` or ``POST``; a POST is signed.
        target: the quoted path and query, from ``/api/v1`` on.
        headers: ``X-Request-Id`` and, where the call has them, ``X-User-Id``,
            ``Idempotency-Key`` and validators. Key and signature are the transport's.
        body: the exact bytes of a POST, None for a GET.
        secret: which of the signing secrets, 0 is the newest.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    secret: int = 0

    def __repr__(self) -> str:
        return f"Outgoing({self.method} {self.target})"


class Transport(Protocol):
    """What carries attempts."""

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send once, without redirects or retries, and return the whole answer.

        Raises:
            RequestNotSentError: certainly nothing was sent.
            AnswerLostError: it may have been sent; no whole answer came back in time.
            GameProtocolError: the answer is too large or encoded in a way that was not asked for.
        """
        ...


def checked_base_url(text: str) -> str:
    """The base URL without a trailing slash.

    Raises:
        GameSettingsInvalid: not ``https://`` (or ``http://`` to loopback), or with credentials,
            query or fragment.
    """
    try:
        url = URL(text)
    except ValueError:
        raise GameSettingsInvalid("the game's URL cannot be read") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise GameSettingsInvalid("the game's URL must begin with https:// and name a host")
    if url.user is not None or url.password is not None:
        raise GameSettingsInvalid("the game's URL must not carry credentials")
    if url.raw_query_string or url.raw_fragment:
        raise GameSettingsInvalid("the game's URL must have neither query nor fragment")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise GameSettingsInvalid(
            f"the game's URL must begin with https://, {url.host} is not this machine"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class AiohttpTransport:
    """One pool of connections to one game, for one API key. Use it as an async context.

    Args:
        base_url: as `checked_base_url` returns it.
        api_key: sent with every call, never shown.
        signer: signs the POSTs.
        previous: signs them with the secret before, while it is being rotated.
        timeout_s: for one attempt, from waiting for a connection to the last byte.
        connections: at most so many at once.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str,
        signer: SigningMiddleware,
        previous: SigningMiddleware | None = None,
        timeout_s: float,
        connections: int,
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._signers = [(signer,)] if previous is None else [(signer,), (previous,)]
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 2)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"AiohttpTransport({self._base_url!r}, api_key=***)"

    async def __aenter__(self) -> Self:
        if self._session is not None:
            raise RuntimeError("this client of the game is open already")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_KEEPALIVE_S),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"recon/{version('recon')}",
                "X-API-Key": self._api_key,
            },
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send over the pool; errors as `Transport.send` says."""
        if self._session is None:
            raise RuntimeError("use the game's client inside `async with`")
        try:
            async with self._session.request(
                outgoing.method,
                URL(self._base_url + outgoing.target, encoded=True),
                data=outgoing.body,
                headers=outgoing.headers,
                allow_redirects=False,
                middlewares=() if outgoing.body is None else self._signers[outgoing.secret],
            ) as response:
                return Answer(response.status, response.headers, await _read(response))
        # No cause is kept: aiohttp's errors carry the request's headers, our key among them.
        except aiohttp.ClientConnectorCertificateError as error:
            raise UntrustedServerError(str(error)[:200]) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RequestNotSentError(f"{type(error).__name__}: {str(error)[:200]}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerLostError(type(error).__name__) from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise GameProtocolError(f"the answer is encoded as {encoding[:32]!r}, not asked for")
    length = response.content_length
    if length is not None and length <= MAX_ANSWER_BYTES:
        return await response.read()
    body = bytearray()
    if length is None:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                break
        else:
            return bytes(body)
    response.close()
    raise GameProtocolError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
