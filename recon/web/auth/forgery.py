"""Refuse POSTs that another site made a browser send.

The browser's own word comes first (``Sec-Fetch-Site``, else ``Origin``), and one of them must be
there; inside a session a form also carries the session's token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from yarl import URL

from recon.errors import Forbidden
from recon.http.bodies import form_of

if TYPE_CHECKING:
    from aiohttp import web

    from recon.web.auth.sessions import Session

__all__ = ["STAYS", "FormOfEarlierSession", "refuse_cross_site", "refuse_without_token"]

STAYS: Final = "X-Stay"
"""Our script says so: it sends the form, and the page stays where it is. No other site's can, for
a browser would ask us first whether it may send such a header."""

_FIELD: Final = "csrf"
_HEADER: Final = "X-CSRF-Token"


class FormOfEarlierSession(Forbidden):
    """A form carries the token of another session, or none.

    Args:
        message: what people are told.
        headers: for our script, which may send the form once more: the token of this session.
    """

    code = "csrf_token_mismatch"

    def __init__(self, message: str, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


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
    """Let only forms of this session in; after `refuse_cross_site`.

    Raises:
        FormOfEarlierSession: ``csrf_token_mismatch``.
    """
    given = request.headers.get(_HEADER) or (await form_of(request)).get(_FIELD)
    if isinstance(given, str) and session.knows(given):
        return
    if STAYS in request.headers:
        raise FormOfEarlierSession(
            f"You have signed in again since this page was opened, as {session.name}.",
            {_HEADER: session.csrf_token},
        )
    raise FormOfEarlierSession(
        "This form is of an earlier session. Go back, reload the page and try again.", {}
    )


def _authority(origin: str) -> str | None:
    try:
        url = URL(origin)
    except ValueError:
        return None
    if not url.absolute or url.host is None:
        return None
    return origin.partition("://")[2]
