"""When so much disagrees that it is one fault of the game or of our set-up; pure.

Thousands of discrepancies with one cause that nobody knows would bury the few that are real, and
take days to go through. What our own evidence explains is another matter, however much it is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["SAMPLE", "Counted", "is_mass", "may_be_one_fault", "still_stands"]

_TIERS: Final = ((20, 90), (50, 50), (500, 10))
"""So many wallets that differ are suspicious, where they are such a share, in per cent, of those
that the game told of. A tenth of many is one of its shards; of few it is a bad day."""
_SHARE: Final = 2
"""One in so many of a sample, and more."""
SAMPLE: Final = 20
"""Wallets that are looked into."""


class Counted(NamedTuple):
    """Wallets that the game told of, and how many differed at the first look.

    Those that have a discrepancy already are in neither: nothing new would come of them, and on a
    quiet night they are most of what a run of what changed looks at.
    """

    looked: int
    differed: int


def is_mass(counted: Counted) -> bool:
    """Whether so much differs that it may be one fault."""
    looked, differed = counted
    return any(differed >= fewest and differed * 100 >= share * looked for fewest, share in _TIERS)


def may_be_one_fault(page: Counted, so_far: Counted, *, excused: int) -> bool:
    """Whether a range is to be looked into, by its newest page or by all of it.

    Args:
        page: the newest; a fault that begins in the middle of a range is little of the whole.
        so_far: all of the range since it was looked into last, the page among it.
        excused: how many had differed until then, and were no single fault: it is worth another
            look once there are as many again.
    """
    return so_far.differed >= excused and (is_mass(page) or is_mass(so_far))


def still_stands(answered: int, unexplained: int) -> bool:
    """Whether a sample says that it is.

    Args:
        answered: wallets of the sample that the game has told of.
        unexplained: those that differ, with nothing of ours to explain it.
    """
    return answered > 0 and unexplained * _SHARE >= answered
