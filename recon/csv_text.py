"""CSV that a spreadsheet opens as it was meant: RFC 4180, and no text that it would run."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["csv_lines", "plain_text"]

# What makes a spreadsheet take a cell for a formula, or lose its place.
# Source: OWASP, "CSV Injection".
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", *"\uff1d\uff0b\uff0d\uff20")
"""The last four are the first four in full width, which some locales' spreadsheets take alike."""


def plain_text(text: str) -> str:
    """A text cell; one that a spreadsheet would run starts with ``'``."""
    return f"'{text}" if text.startswith(_RISKY) else text


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as lines in UTF-8."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
