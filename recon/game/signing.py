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
from typing import TYPE_CHECKING

from recon.clock import now
from recon.game.metrics import count_signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

__all__ = ["SigningMiddleware", "canonical_string", "signature"]


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

    The request must carry ``X-User-Id`` and ``Idempotency-Key`` already.

    Args:
        secret: the signing secret; never shown by ``repr``.
        place: of the secret, 0 for the newest; for the metric.
        clock: the wall clock behind ``X-Timestamp``.
        rng: where nonces come from; the system's entropy by default.
    """

    def __init__(
        self,
        secret: str,
        *,
        place: int = 0,
        clock: Callable[[], datetime] = now,
        rng: random.Random | None = None,
    ) -> None:
        self._secret = secret
        self._place = place
        self._clock = clock
        self._rng = rng or random.SystemRandom()

    def __repr__(self) -> str:
        return "SigningMiddleware(secret=***)"

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sign ``request`` and pass it on.

        Raises:
            KeyError: a header that the signature covers is missing: a bug of the caller.
        """
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
        request.headers["X-Signature"] = signature(self._secret, canonical)
        response = await handler(request)
        if response.status != HTTPStatus.UNAUTHORIZED:
            count_signature(self._place)
        return response
