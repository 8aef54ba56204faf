"""Look less often for what takes long to look for."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.alerts.model import AlertType

__all__ = ["Sparing"]

_TIMES: Final = 20.0


class Sparing:
    """Lets each kind take a twentieth of the time at most, in this process.

    Among a hundred thousand open discrepancies that were all told, to find that none is to be told
    takes the better part of a second; every ten seconds that would be a tenth of a core.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began_s: dict[AlertType, float] = {}
        self._next_s: dict[AlertType, float] = {}

    def begin(self, kind: AlertType) -> bool:
        """Whether it is time to look for a kind; if so, the looking begins now."""
        now_s = self._clock()
        if now_s < self._next_s.get(kind, now_s):
            return False
        self._began_s[kind] = now_s
        return True

    def end(self, kind: AlertType) -> None:
        """The looking that was begun has ended, however it did."""
        began_s = self._began_s[kind]
        self._next_s[kind] = began_s + (self._clock() - began_s) * _TIMES
