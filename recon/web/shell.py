"""What stands around every page: how much is open, and how much waits for whoever looks."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Shell"]


class Shell(NamedTuple):
    """What the navigation counts; a thousand stands for as many or more."""

    open_rows: int
    waiting: int
