"""A delivery's bytes as people can read them, whatever a stranger put in them; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

__all__ = ["Payload", "show_payload"]

_MOST: Final = 65_536


@dataclass(frozen=True, slots=True)
class Payload:
    """What to show.

    Args:
        text: indented where it is JSON, as it came where it is none; characters that cannot be
            seen or that turn the reading order stand as escapes.
        size: bytes of the body.
        is_cut: whether more follows.
    """

    text: str
    size: int
    is_cut: bool


def show_payload(body: bytes) -> Payload:
    """Indent JSON without reading it: numbers keep their digits, a key that stands twice does too.

    Args:
        body: any bytes.
    """
    try:
        text = msgspec.json.format(body, indent=2).decode(errors="backslashreplace")
    except (msgspec.DecodeError, RecursionError):
        text = body.decode(errors="backslashreplace")
    shown = text[:_MOST]
    if not shown.replace("\n", "").isprintable():
        shown = "".join(map(_visible, shown))
    return Payload(shown, len(body), len(text) > _MOST)


def _visible(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    return character.encode("unicode_escape").decode()
