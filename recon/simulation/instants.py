"""Where a simulation's time and ids come from: the virtual loop and the seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["START", "Instants"]

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The instant at which every simulation begins."""

_VERSION_AND_VARIANT: Final = (0x7 << 76) | (0b10 << 62)
_RANDOM_A_BITS: Final = 12
_RANDOM_B_BITS: Final = 62


class Instants:
    """A `recon.clock.Source`, and a clock for the sandbox.

    Args:
        passed_s: virtual seconds since the beginning.
        dice: the random part of ids.
    """

    def __init__(self, passed_s: Callable[[], float], dice: random.Random) -> None:
        self._passed_s = passed_s
        self._dice = dice

    def monotonic(self) -> float:
        """Virtual seconds since the beginning."""
        return self._passed_s()

    def now(self) -> datetime:
        """The current instant, in UTC."""
        return START + timedelta(seconds=self._passed_s())

    def new_id(self) -> UUID:
        """A UUIDv7 of this millisecond (RFC 9562, 5.7)."""
        milliseconds = int(self.now().timestamp() * 1000)
        high = (milliseconds << 80) | (self._dice.getrandbits(_RANDOM_A_BITS) << 64)
        return UUID(int=high | _VERSION_AND_VARIANT | self._dice.getrandbits(_RANDOM_B_BITS))
