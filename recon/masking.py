"""Keys of the game and of PSPs, made unreadable wherever text is shown or kept. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["masked"]

_KEY: Final = re.compile(r"\b([csr]k_(?:sandbox|live|test)_)[\w-]+", re.ASCII)


def masked(text: str) -> str:
    """The text with each key's kind alone: ``ck_live_***``."""
    return _KEY.sub(r"\1***", text) if "k_" in text else text
