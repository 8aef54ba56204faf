"""Keys of the game and of PSPs, and rows that Postgres repeats, out of what is shown or kept. Pure.

An error of Postgres tells in its DETAIL the row that it refuses, which may be a webhook's body.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["masked"]

_KEY: Final = re.compile(r"\b([csr]k_(?:sandbox|live|test)_)[\w-]+", re.ASCII)


# To the end of the error in a traceback; a row may have lines of its own.
_DETAIL: Final = re.compile(
    r"\nDETAIL:  .*?(?=\n\nThe above exception was|\n\nDuring handling of|\Z)", re.DOTALL
)


def masked(text: str) -> str:
    """The text with each key's kind alone, ``ck_live_***``, and without Postgres' details."""
    if "\nDETAIL:  " in text:
        text = _DETAIL.sub("", text)
    return _KEY.sub(r"\1***", text) if "k_" in text else text
