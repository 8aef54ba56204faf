"""Geometry of the charts: whole numbers in, boxes of an SVG out; pure.

Colours and strokes are classes in the style sheet; amounts stay whole numbers to the last step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HEIGHT", "Column", "columns", "permille"]

HEIGHT: Final = 120
"""The height of a column chart in its own units; the style sheet stretches it."""

_STEP: Final = 20
_WIDTH: Final = 14
_THIN: Final = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One stacked column: the lower part, the upper one on it, and the step to the next."""

    x: int
    width: int
    step: int
    lower_y: int
    lower_height: int
    upper_y: int
    upper_height: int


def columns(stacks: Sequence[tuple[int, int]]) -> list[Column]:
    """Columns from left to right, scaled to the tallest.

    Args:
        stacks: (lower, upper) of each, not below zero.

    Returns:
        As many columns; what is not zero is at least two units high, so that it can be seen.
    """
    tallest = max((lower + upper for lower, upper in stacks), default=0)
    found = []
    for place, (lower, upper) in enumerate(stacks):
        lower_height, upper_height = _scaled(lower, tallest), _scaled(upper, tallest)
        lower_y = HEIGHT - lower_height
        found.append(
            Column(
                x=place * _STEP + (_STEP - _WIDTH) // 2,
                width=_WIDTH,
                step=_STEP,
                lower_y=lower_y,
                lower_height=lower_height,
                upper_y=lower_y - upper_height,
                upper_height=upper_height,
            )
        )
    return found


def permille(part: int, whole: int) -> int:
    """A share in thousandths, at least 8 where there is one, for the width of a bar."""
    return max(8, part * 1000 // whole) if part and whole else 0


def _scaled(value: int, tallest: int) -> int:
    # Two thin parts must still fit on top of each other.
    return max(_THIN, value * (HEIGHT - _THIN) // tallest) if value else 0
