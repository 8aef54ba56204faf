"""How long we are prepared to wait, and for what."""

from __future__ import annotations

import threading
import time

from recon.db.embedded.errors import EmbeddedPostgresError

__all__ = ["Deadline"]

_PAUSE_S = 0.02


class Deadline:
    """A moment after which waiting becomes an error; it may be called off from another thread.

    Args:
        timeout_s: seconds from now.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._ends_at = time.monotonic() + timeout_s
        self._called_off = threading.Event()

    @property
    def left_s(self) -> float:
        """Seconds that are left, never below zero."""
        return max(0.0, self._ends_at - time.monotonic())

    def call_off(self) -> None:
        """Make whoever waits give up now."""
        self._called_off.set()

    def pause(self, waiting_for: str) -> None:
        """Wait a moment before looking again.

        Args:
            waiting_for: names the thing in the error, for example ``"the server to stop"``.

        Raises:
            EmbeddedPostgresError: the time is up, or the wait was called off.
        """
        if self._called_off.wait(min(_PAUSE_S, self.left_s)):
            raise EmbeddedPostgresError(f"called off while waiting for {waiting_for}")
        if not self.left_s:
            raise EmbeddedPostgresError(
                f"waited {self.timeout_s:.0f} s for {waiting_for}", code="postgres_timeout"
            )
