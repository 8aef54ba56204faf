"""Errors as pages, for people: what happened, what to do next, and the id to name when asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from recon.clock import new_id
from recon.db.holding import held_at_most
from recon.errors import ReconError, TooManyRequests, TooSlow, Unavailable
from recon.http.problems import known_error, route_of, status_of
from recon.reconciliation.errors import (
    NotComparedError,
    OutdatedError,
    StaleAdjustmentError,
)
from recon.web.auth.forgery import STAYS, FormOfEarlierSession
from recon.web.auth.guard import page_of, session_or_none, sign_in_for
from recon.web.compression import compression_middleware
from recon.web.forms import typed_in
from recon.web.rendering import PAGES, render
from recon.web.replica import remember_write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["page_middlewares", "page_problem_middleware"]

log = structlog.get_logger(__name__)

_FOR_PROGRAMS: Final = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_TITLES: Final = {
    400: "That cannot be done as it was asked for",
    401: "You are not signed in",
    403: "You may not do this",
    404: "There is nothing here",
    405: "That does not work here",
    408: "That took too long to come",
    409: "That is no longer possible",
    413: "That is too much at once",
    415: "That is nothing that is read here",
    422: "That cannot be done",
    429: "Too many tries",
    503: "Out of reach for the moment",
}
_NEXT: Final = {
    400: "Nothing was changed. Go back and choose again.",
    401: "Nothing was changed. Sign in and try again.",
    403: "Nothing was changed.",
    404: "It may have another address by now. Search for its id, or start from the overview.",
    408: "Nothing was changed. Try again.",
    409: "Nothing was changed. Somebody else may have been faster: look at how it stands now.",
    413: "Nothing was changed. Send less.",
    415: "Nothing was changed.",
    422: "Nothing was changed. Go back and choose again.",
    429: "Wait a little, then try again.",
    503: "Nothing is lost. Try again in a few seconds.",
}
_OUTDATED: Final[dict[type[OutdatedError], str]] = {
    StaleAdjustmentError: (
        "Nothing was booked. Look at the difference as it is now: re-check it, or propose a fix of"
        " it anew."
    ),
    NotComparedError: (
        "Nothing was booked, and the proposal waits. Re-check it: should the difference be the"
        " same, it can be approved then."
    ),
}
_INTERNAL: Final = 500
_LEADS_TO: Final = "X-Leads-To"
_WITHIN_S: Final = 15.0
"""People wait longer than programs, and search for longer."""


@web.middleware
async def page_problem_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer people with a page; programs get what the JSON middleware around this one makes."""
    if not _is_for_people(request) or PAGES not in request.config_dict:
        return await handler(request)
    try:
        with held_at_most(_WITHIN_S):
            return await handler(request)
    except ReconError as error:
        return await _known(request, error)
    except web.HTTPException as error:
        return await _answer(request, error)
    except Exception as error:
        if (known := known_error(error)) is not None:
            return await _known(request, known, cause=error)
        log.exception("page_crashed", method=request.method, route=route_of(request))
        return await _problem(request, _INTERNAL, None, {})


page_middlewares: Final = [compression_middleware, page_problem_middleware]
"""What the application puts inside its request ids and JSON problems, in this order."""


async def _answer(request: web.Request, error: web.HTTPException) -> web.Response:
    """What a view has raised as its answer: a page where it is an error."""
    if isinstance(error, web.HTTPSeeOther) and STAYS in request.headers:
        # Our script sent the form, and cannot see where an answer leads that it follows.
        done = web.Response(
            status=web.HTTPNoContent.status_code, headers={_LEADS_TO: error.headers["Location"]}
        )
        # Such as by when this browser has written: the page that it goes to next shows that.
        done.cookies.load(error.cookies)
        return done
    if error.status < web.HTTPBadRequest.status_code:
        raise error
    if "HX-Redirect" in error.headers:
        # Raised, it would become a problem for programs, without this header.
        return web.Response(
            status=error.status, headers={"HX-Redirect": error.headers["HX-Redirect"]}
        )
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return await _problem(request, error.status, None, headers)


async def _known(
    request: web.Request, error: ReconError, *, cause: Exception | None = None
) -> web.Response:
    status = status_of(error)
    if status >= _INTERNAL:
        log.warning(
            "page_failed",
            code=error.code,
            error=error.message,
            cause=None if cause is None else repr(cause),
        )
    headers = {}
    if isinstance(error, TooManyRequests | Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, FormOfEarlierSession):
        headers |= error.headers
    answer = await _problem(
        request,
        status,
        error.message,
        headers,
        # Nor does anybody wait once more for what did not come.
        keeps=error.code != "cross_site_request" and not isinstance(error, TooSlow),
        outdated=error if isinstance(error, OutdatedError) else None,
    )
    if isinstance(error, StaleAdjustmentError):
        # Refused, and written down that it is stale: the page that it leads to shows that.
        await remember_write(request, answer)
    return answer


async def _problem(
    request: web.Request,
    status: int,
    message: str | None,
    headers: dict[str, str],
    *,
    keeps: bool = True,
    outdated: OutdatedError | None = None,
) -> web.Response:
    """The page; it shows what was typed, unless another site may have typed it.

    What cannot be booked as things stand is told in figures, with the steps that are left.
    """
    page = page_of(request, request.headers.get("Referer", ""))
    came_from = None if page in {"/", request.path_qs} else page
    return render(
        request,
        "problem.html",
        status=status,
        headers=headers,
        status_code=status,
        title=_TITLES.get(status, "Something broke on our side"),
        message=message,
        back=came_from if session_or_none(request) is not None else None,
        sign_in=sign_in_for(came_from or "/"),
        typed=await typed_in(request) if keeps else [],
        next_step=_NEXT.get(
            status, "It is logged. Try again, and name the id below when you ask for help."
        )
        if outdated is None
        else _OUTDATED[type(outdated)],
        outdated=None if outdated is None else outdated.adjustment,
        form=new_id(),
    )


def _is_for_people(request: web.Request) -> bool:
    kinds = request.headers.get("Accept", "")
    html, json = kinds.find("text/html"), kinds.find("json")
    if html < 0 or -1 < json < html:
        return False
    return not request.path.startswith(_FOR_PROGRAMS)
