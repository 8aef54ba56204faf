"""Idempotency keys: one effect per key, the same answer for each further attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.sandbox.wire import Refused

if TYPE_CHECKING:
    from recon.sandbox.options import SandboxOptions
    from recon.sandbox.timeline import Clock
    from recon.sandbox.wire import Answer

__all__ = ["Attempt", "IdempotencyStore"]

_NOT_STORED: Final = frozenset({401, 403, 429})


@dataclass(slots=True)
class Attempt:
    """What is known of a key.

    Attributes:
        fingerprint: of the request that came with it first.
        expires: when it is forgotten, in monotonic seconds.
        count: how many attempts came.
        answer: of the attempt that ran; None while it still runs or when none got an answer.
        running: an attempt is at work.
    """

    fingerprint: bytes
    expires: float
    count: int = 0
    answer: Answer | None = None
    running: bool = False


class IdempotencyStore:
    """Remembers keys for the whole operator, not for one API key.

    An API key can be replaced between two attempts at one bet; the second must not bet again.

    Args:
        options: how long a key is kept.
        clock: the server's time.
    """

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._ttl_s = options.idempotency_ttl_s
        self._clock = clock
        self._attempts: dict[str, Attempt] = {}

    def begin(self, key: str, fingerprint: bytes) -> Attempt:
        """Start an attempt; one with an ``answer`` is a replay and must not run.

        Args:
            key: the ``Idempotency-Key``.
            fingerprint: of method, path, player and body. One key serves one call: the same body
                sent to another path is another request.

        Raises:
            Refused: ``idempotency_key_reused``; ``idempotency_in_progress``.
        """
        self._forget()
        attempt = self._attempts.get(key)
        if attempt is None:
            attempt = Attempt(fingerprint, self._clock.monotonic() + self._ttl_s)
            self._attempts[key] = attempt
        elif attempt.fingerprint != fingerprint:
            raise Refused(
                "idempotency_key_reused", "the Idempotency-Key was sent before with another request"
            )
        elif attempt.running:
            raise Refused(
                "idempotency_in_progress", "an attempt with this Idempotency-Key still runs"
            )
        attempt.count += 1
        attempt.running = attempt.answer is None
        return attempt

    def finish(self, attempt: Attempt, answer: Answer | None) -> None:
        """End an attempt; only a definitive answer is kept for the next one."""
        attempt.running = False
        if answer is not None and answer.status not in _NOT_STORED and answer.status < 500:  # noqa: PLR2004 - HTTP's own border
            attempt.answer = answer

    def _forget(self) -> None:
        at = self._clock.monotonic()
        while self._attempts:
            oldest = next(iter(self._attempts))
            if self._attempts[oldest].expires > at:
                return
            del self._attempts[oldest]
