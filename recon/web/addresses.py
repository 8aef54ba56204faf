"""What an address names."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from recon.errors import NotFound

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["id_in"]


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
