"""What an address names: ids in its path, and the place where a page of a list begins."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from recon.errors import Invalid, NotFound

if TYPE_CHECKING:
    from aiohttp import web

    from recon.http import Cursor

__all__ = ["before_of", "id_in"]


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


def before_of(cursor: Cursor) -> UUID | None:
    """The last row of the page before; ``None`` on the first.

    Raises:
        Invalid: ``invalid_cursor``.
    """
    try:
        return None if cursor.after is None else UUID(cursor.after)
    except ValueError:
        raise Invalid("the cursor is none of ours", code="invalid_cursor") from None
