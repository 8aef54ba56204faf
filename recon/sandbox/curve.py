"""How a round flies: its crash point from the seed, its multiplier from the time.

Multipliers are whole hundredths inside (250 is 2.50), so that no payout ever depends on how a
machine rounds a binary fraction.
"""

from __future__ import annotations

import hmac
from bisect import bisect_right
from decimal import Decimal
from typing import Final

__all__ = ["HOUSE_EDGE_PERCENT", "ONE", "Curve", "as_multiplier", "crash_hundredths"]

ONE: Final = 100
"""The multiplier 1.00."""

HOUSE_EDGE_PERCENT: Final = 3
"""How many of a hundred rounds crash at once, on average."""

_DRAW_BITS: Final = 52


def crash_hundredths(seed: int, number: int, cap: int) -> int:
    """Where a round crashes, in hundredths, from 100 to ``cap``.

    The chance to reach a multiplier m is (1 - edge) / m, so no strategy beats another.

    Args:
        seed: the sandbox's seed.
        number: the round's number, from 1.
        cap: no crash lies above it, in hundredths.
    """
    digest = hmac.digest(str(seed).encode(), f"round:{number}".encode(), "sha256")
    drawn = int.from_bytes(digest, "big") >> (len(digest) * 8 - _DRAW_BITS)
    whole = 1 << _DRAW_BITS
    return min(cap, max(ONE, (100 - HOUSE_EDGE_PERCENT) * whole // (whole - drawn)))


def as_multiplier(hundredths: int) -> Decimal:
    """Hundredths as a decimal with two places: 250 is 2.50."""
    return Decimal(hundredths).scaleb(-2)


class Curve:
    """The exponential climb from 1.00 to the cap.

    Args:
        cap: the multiplier, in hundredths, that is reached after ``max_active_ms``.
        max_active_ms: how long the climb to the cap takes.
    """

    def __init__(self, cap: int, max_active_ms: int) -> None:
        self.cap = cap
        scale = max_active_ms / Decimal(cap).scaleb(-2).ln()
        # Entry i: after how many whole milliseconds the multiplier is (100 + i) hundredths.
        self._reached_ms = [
            int(
                (as_multiplier(hundredths).ln() * scale).to_integral_value(rounding="ROUND_CEILING")
            )
            for hundredths in range(ONE, cap + 1)
        ]

    def at(self, elapsed_ms: int) -> int:
        """The multiplier after so many milliseconds, in hundredths, at most the cap."""
        return ONE + bisect_right(self._reached_ms, max(elapsed_ms, 0)) - 1

    def reached_ms(self, hundredths: int) -> int:
        """After how many milliseconds a multiplier from 100 to the cap is reached."""
        return self._reached_ms[hundredths - ONE]
