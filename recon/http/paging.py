"""Lists come in pages with an opaque cursor, ``next_cursor`` and a ``Link`` (RFC 8288)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from recon.errors import Invalid
from recon.http.bodies import json_response
from recon.http.plain_text import is_plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

__all__ = ["Cursor", "page_of", "page_response"]

_T = TypeVar("_T")

_MAX_LIMIT = 500
_LIMIT = re.compile(r"[0-9]{1,3}")


class Cursor:
    """Where a page starts (after the item that it names) and how many items it has."""

    def __init__(self, after: str | None, limit: int) -> None:
        self.after = after
        self.limit = limit

    @property
    def one_more(self) -> int:
        """How many to read, so that it is seen whether others follow."""
        return self.limit + 1

    @classmethod
    def of(cls, request: web.Request, *, default_limit: int = 50) -> Cursor:
        """Read ``cursor`` and ``limit`` from the query.

        Raises:
            Invalid: ``invalid_cursor`` or ``invalid_limit``.
        """
        text = request.query.get("limit", str(default_limit))
        if _LIMIT.fullmatch(text) is None or not 1 <= int(text) <= _MAX_LIMIT:
            raise Invalid(f"limit is a number from 1 to {_MAX_LIMIT}", code="invalid_limit")
        given = request.query.get("cursor")
        if given is None:
            return cls(None, int(text))
        try:
            after = base64.urlsafe_b64decode(given.encode("ascii")).decode()
        except (binascii.Error, UnicodeError, ValueError):
            raise Invalid("the cursor is none of ours", code="invalid_cursor") from None
        if not is_plain_text(after):
            raise Invalid("the cursor is none of ours", code="invalid_cursor")
        return cls(after, int(text))

    @property
    def after_id(self) -> UUID | None:
        """The id that the page starts after, where its list is in the order of ids.

        Raises:
            Invalid: ``invalid_cursor``, it names something else.
        """
        try:
            return None if self.after is None else UUID(self.after)
        except ValueError:
            raise Invalid("the cursor is none of ours", code="invalid_cursor") from None

    @staticmethod
    def seal(last: str) -> str:
        """The opaque cursor after an item."""
        return base64.urlsafe_b64encode(last.encode()).decode("ascii")


def page_of(
    request: web.Request,
    cursor: Cursor,
    found: Sequence[_T],
    view: Callable[[_T], object],
    name: Callable[[_T], object],
) -> web.Response:
    """A page of a list that was read up to `Cursor.one_more`.

    Args:
        request: what asks.
        cursor: where the page starts.
        found: its items, and one more if others follow.
        view: an item as it is answered.
        name: what the next page starts after.
    """
    shown = found[: cursor.limit]
    last = str(name(shown[-1])) if len(found) > len(shown) else None
    return page_response(request, [view(one) for one in shown], cursor=cursor, last=last)


def page_response(
    request: web.Request, items: Sequence[object], *, cursor: Cursor, last: str | None
) -> web.Response:
    """A page: ``{"items": […], "next_cursor": …}``; ``last`` names its last item if more follow."""
    following = None if last is None else cursor.seal(last)
    headers = {}
    if following is not None:
        url = request.rel_url.update_query(cursor=following)
        headers["Link"] = f'<{url}>; rel="next"'
    return json_response({"items": items, "next_cursor": following}, headers=headers)
