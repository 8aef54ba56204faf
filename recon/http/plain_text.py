"""Addresses hold text: what Postgres cannot store and UTF-8 cannot say is refused at the door."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PLAIN_AS_SENT: Final = re.compile(r"[!-$&-~]*", re.ASCII)
"""An address without escapes is what it looks like, and most are."""

__all__ = ["is_plain_text", "plain_text_middleware", "refuse_odd_text"]


def is_plain_text(text: str) -> bool:
    """Whether text has no NUL and no lone surrogate (which is how stray bytes are decoded)."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse_odd_text(*texts: str) -> None:
    """Refuse text that is not plain.

    Raises:
        Invalid: ``invalid_characters``.
    """
    if not all(is_plain_text(text) for text in texts):
        raise Invalid(
            "a NUL or a lone surrogate is no character of a text", code="invalid_characters"
        )


@web.middleware
async def plain_text_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse a path or a query that is not plain text; the innermost, so that problems are ours.

    Raises:
        Invalid: ``invalid_characters``.
    """
    if not _PLAIN_AS_SENT.fullmatch(request.raw_path):
        refuse_odd_text(
            request.path,
            *request.match_info.values(),
            *(part for pair in request.query.items() for part in pair),
        )
    return await handler(request)
