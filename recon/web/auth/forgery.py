"""Refuse POSTs that another site made a browser send.

The browser's own word comes first (``Sec-Fetch-Site``, else ``Origin``), and one of them must be
there; inside a session a form also carries the session's token.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from yarl import URL

from recon.errors import Forbidden

if TYPE_CHECKING:
    from aiohttp import web

    from recon.web.auth.sessions import Session

__all__ = ["refuse_cross_site", "refuse_without_token"]

_FIELD: Final = "csrf"
_HEADER: Final = "X-CSRF-Token"


def refuse_cross_site(request: web.Request) -> None:
    """Let only our own pages send forms.

    Raises:
        Forbidden: ``cross_site_request``.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        # The scheme may differ behind a proxy that ends TLS; the host with its port may not.
        origin = request.headers.get("Origin", "")
        ours = _authority(origin) == request.host
    if not ours:
        raise Forbidden(
            "This form was sent from another site. Open the page here and try again.",
            code="cross_site_request",
        )


async def refuse_without_token(request: web.Request, session: Session) -> None:
    """Let only forms of this session in.

    Raises:
        Forbidden: ``csrf_token_mismatch``.
    """
    given = request.headers.get(_HEADER) or (await request.post()).get(_FIELD)
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(), session.csrf_token.encode()
    ):
        raise Forbidden(
            "This form is of an earlier session. Go back, reload the page and try again.",
            code="csrf_token_mismatch",
        )


def _authority(origin: str) -> str | None:
    try:
        url = URL(origin)
    except ValueError:
        return None
    if not url.absolute or url.host is None:
        return None
    return origin.partition("://")[2]
