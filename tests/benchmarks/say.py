"""Progress of a benchmark, on stderr."""

from __future__ import annotations

import sys

__all__ = ["say"]


def say(text: str) -> None:
    """Tell whoever ran it."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress
