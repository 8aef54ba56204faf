"""Whether a signed call is what its caller sent, now and for the first time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.sandbox.wire import Refused

if TYPE_CHECKING:
    from recon.sandbox.keys import ApiKey
    from recon.sandbox.options import SandboxOptions
    from recon.sandbox.timeline import Clock

__all__ = ["SignatureCheck", "SignedCall", "canonical", "signature"]

_TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)
_NONCE_LENGTH = 128


@dataclass(frozen=True, slots=True)
class SignedCall:
    """The parts of a call that its signature covers, as they arrived.

    Attributes:
        timestamp: unix seconds, as text.
        nonce: fresh for every attempt.
        method: upper case.
        path_and_query: what stands on the request line, byte for byte.
        user_id: the ``X-User-Id``.
        idempotency_key: the ``Idempotency-Key``.
        body: the bytes.
    """

    timestamp: str
    nonce: str
    method: str
    path_and_query: str
    user_id: str
    idempotency_key: str
    body: bytes


def canonical(call: SignedCall) -> bytes:
    """The bytes that are signed: eight lines, no line feed at the end."""
    return "\n".join(
        (
            "v1",
            call.timestamp,
            call.nonce,
            call.method,
            call.path_and_query,
            call.user_id,
            call.idempotency_key,
            hashlib.sha256(call.body).hexdigest(),
        )
        # Bytes of a header that are no UTF-8 arrive as surrogates and are signed as they came.
    ).encode("utf-8", "surrogateescape")


def signature(secret: str, call: SignedCall) -> str:
    """The ``X-Signature`` that a caller with this secret sends."""
    return "v1=" + hmac.new(secret.encode(), canonical(call), "sha256").hexdigest()


class SignatureCheck:
    """Checks signatures and remembers nonces.

    Args:
        options: the window of timestamps and how long a nonce is remembered.
        clock: the server's time.
    """

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        self._order: deque[tuple[float, tuple[str, str]]] = deque()

    def check(self, key: ApiKey, call: SignedCall, sent: str) -> None:
        """Take a call once.

        Args:
            key: the caller's.
            call: what arrived.
            sent: the ``X-Signature`` that came with it; empty when none did.

        Raises:
            Refused: ``invalid_signature``, ``stale_timestamp`` or ``nonce_reused``.
        """
        if not (sent and call.timestamp and call.nonce):
            raise Refused(
                "invalid_signature", "X-Timestamp, X-Nonce and X-Signature must all be sent"
            )
        if not _TIMESTAMP.fullmatch(call.timestamp):
            raise Refused("stale_timestamp", "X-Timestamp must be whole unix seconds")
        age_s = self._clock.now().timestamp() - int(call.timestamp)
        if abs(age_s) > self._options.signed_window_s:
            raise Refused("stale_timestamp", f"X-Timestamp is {age_s:.0f} s off the server's time")
        arrived = sent.encode("utf-8", "surrogateescape")
        if not any(
            hmac.compare_digest(signature(secret, call).encode(), arrived)
            for secret in key.signing_secrets
        ):
            raise Refused("invalid_signature", "X-Signature does not fit the call")
        # Only an authentic nonce is remembered: nobody else can use one up.
        self._take(key, call.nonce)

    def _take(self, key: ApiKey, nonce: str) -> None:
        if len(nonce) > _NONCE_LENGTH:
            raise Refused("bad_request", f"X-Nonce has more than {_NONCE_LENGTH} characters")
        at = self._clock.monotonic()
        while self._order and self._order[0][0] <= at:
            self._seen.discard(self._order.popleft()[1])
        pair = (key.key_id, nonce)
        if pair in self._seen:
            raise Refused("nonce_reused", "X-Nonce was used before: send a fresh one each attempt")
        self._seen.add(pair)
        self._order.append((at + self._options.nonce_ttl_s, pair))
