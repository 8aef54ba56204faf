"""When so much disagrees that it is one fault of the game or of our set-up; pure.

Thousands of discrepancies with one cause that nobody knows would bury the few that are real, and
take days to go through. What our own evidence explains is another matter, however much it is.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SAMPLE", "is_mass", "still_stands"]

_FEWEST: Final = 100
_SHARE: Final = 2
"""One in so many, and more."""
SAMPLE: Final = 20
"""Wallets that are looked into."""


def is_mass(looked: int, differed: int) -> bool:
    """Whether what a range has seen so far may be one fault.

    Args:
        looked: wallets that the game has told of.
        differed: how many of those differed at the first look.
    """
    return looked >= _FEWEST and differed * _SHARE >= looked


def still_stands(answered: int, unexplained: int) -> bool:
    """Whether a sample says that it is.

    Args:
        answered: wallets of the sample that the game has told of.
        unexplained: those that differ, with nothing of ours to explain it.
    """
    return answered > 0 and unexplained * _SHARE >= answered
