"""Signing the calls that move money, over what really goes on the wire.

`SigningMiddleware` runs inside aiohttp's client, after the URL has been quoted and the body made
into bytes, so that the signature covers the request line and the body as they are sent. The
canonical string is the contract's: ``v1``, timestamp, nonce, method, path and query, user,
idempotency key and the body's SHA-256, one a line.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog

from recon.clock import now
from recon.game.errors import GameProtocolError
from recon.game.metrics import count_signature
from recon.game.wire import read_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

__all__ = ["SigningMiddleware", "canonical_string", "signature"]

_log = structlog.get_logger(__name__)

_MAX_REFUSAL_BYTES: Final = 4096


def canonical_string(
    *,
    timestamp: str,
    nonce: str,
    method: str,
    path_and_query: str,
    user_id: str,
    idempotency_key: str,
    body: bytes,
) -> bytes:
    """The bytes to be signed.

    Args:
        timestamp: whole seconds since 1970 as decimal text, as in ``X-Timestamp``.
        nonce: as in ``X-Nonce``; once per attempt.
        method: upper case.
        path_and_query: what stands on the request line, byte for byte.
        user_id: as in ``X-User-Id``.
        idempotency_key: as in ``Idempotency-Key``.
        body: the bytes that are sent.
    """
    digest = hashlib.sha256(body).hexdigest()
    lines = ("v1", timestamp, nonce, method, path_and_query, user_id, idempotency_key, digest)
    return "\n".join(lines).encode()


def signature(secret: str, canonical: bytes) -> str:
    """The value of ``X-Signature``: ``v1=`` and the lower hex HMAC-SHA256."""
    return "v1=" + hmac.new(secret.encode(), canonical, hashlib.sha256).hexdigest()


class SigningMiddleware:
    """An aiohttp client middleware that signs each attempt with a fresh timestamp and nonce.

    The request must carry ``X-User-Id`` and ``Idempotency-Key`` already. While a secret is being
    rotated there are two: a signature that the game refuses (before any effect) is made again with
    the other one, which is used from then on.

    Args:
        secret: the signing secret; never shown by ``repr``.
        previous: the one before, while the game may still know that one alone.
        clock: the wall clock behind ``X-Timestamp``.
        rng: where nonces come from; the system's entropy by default.
    """

    def __init__(
        self,
        secret: str,
        *,
        previous: str | None = None,
        clock: Callable[[], datetime] = now,
        rng: random.Random | None = None,
    ) -> None:
        self._secrets = (secret,) if previous is None else (secret, previous)
        self._place = 0
        self._clock = clock
        self._rng = rng or random.SystemRandom()

    def __repr__(self) -> str:
        return "SigningMiddleware(secret=***)"

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sign ``request`` and pass it on.

        Raises:
            KeyError: a header that the signature covers is missing: a bug of the caller.
        """
        place = self._place
        response = await self._send(request, handler, place)
        if len(self._secrets) > 1 and await _is_of_a_wrong_secret(response):
            place = 1 - place
            response = await self._send(request, handler, place)
            if self._place != place and not await _is_of_a_wrong_secret(response):
                self._place = place
                _log.warning("game_signing_secret_in_use", place="previous" if place else "newest")
        if response.status != HTTPStatus.UNAUTHORIZED:
            count_signature(place)
        return response

    async def _send(
        self, request: ClientRequest, handler: ClientHandlerType, place: int
    ) -> ClientResponse:
        body = b"" if not request.body else await request.body.as_bytes()
        timestamp = str(int(self._clock().timestamp()))
        nonce = f"{self._rng.getrandbits(128):032x}"
        canonical = canonical_string(
            timestamp=timestamp,
            nonce=nonce,
            method=request.method,
            path_and_query=request.url.raw_path_qs,
            user_id=request.headers["X-User-Id"],
            idempotency_key=request.headers["Idempotency-Key"],
            body=body,
        )
        request.headers["X-Timestamp"] = timestamp
        request.headers["X-Nonce"] = nonce
        request.headers["X-Signature"] = signature(self._secrets[place], canonical)
        return await handler(request)


async def _is_of_a_wrong_secret(response: ClientResponse) -> bool:
    """Whether the game, and not something before it, has refused the signature."""
    length = response.content_length
    if response.status != HTTPStatus.UNAUTHORIZED or length is None or length > _MAX_REFUSAL_BYTES:
        return False
    try:
        return read_error(await response.read()).code == "invalid_signature"
    except GameProtocolError:
        return False
