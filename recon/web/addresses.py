"""What an address names."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from recon.errors import NotFound

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["id_in", "oldest_first", "sort_in"]


def id_in(request: web.Request, name: str) -> UUID:
    """The id in the path at ``{name}``; ``discrepancy_id`` is that of a discrepancy.

    Raises:
        NotFound: it is no id, so that nothing has it.
    """
    text = request.match_info[name]
    try:
        return UUID(text)
    except ValueError:
        what = name.removesuffix("_id").replace("_", " ")
        raise NotFound(f"there is no {what} {text[:64]}") from None


def sort_in(request: web.Request, *names: str) -> str:
    """The order that the URL asks for: one of these, with ``-`` before it for the largest first.

    What is none of them is ``age``, the newest first; ``-age`` is the oldest.
    """
    asked = request.query.get("sort", "age")
    return asked if asked.removeprefix("-") in {"age", *names} else "age"


def oldest_first(request: web.Request) -> bool:
    """Whether the URL, by ``sort=-age``, asks for a list from its oldest row on."""
    return request.query.get("sort") == "-age"
