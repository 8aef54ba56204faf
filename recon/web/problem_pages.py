"""Errors as pages, for people: what happened, what to do next, and the id to name when asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web
from yarl import URL

from recon.db.holding import held_at_most
from recon.errors import ReconError, TooManyRequests, Unavailable
from recon.http.problems import known_error, status_of
from recon.web.auth.guard import local_path, session_or_none
from recon.web.rendering import PAGES, render

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
    409: "That is no longer possible",
    429: "Too many tries",
    503: "Out of reach for the moment",
}
_NEXT: Final = {
    400: "Nothing was changed. Go back and choose again.",
    401: "Sign in and try again.",
    403: "Nothing was changed.",
    404: "It may have another address by now. Search for its id, or start from the overview.",
    409: "Nothing was changed. Somebody else may have been faster: look at how it stands now.",
    429: "Wait a little, then try again.",
    503: "Nothing is lost. Try again in a few seconds.",
}
_INTERNAL: Final = 500
_STAYS: Final = "X-Stay"
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
        return _known(request, error)
    except web.HTTPException as error:
        return _answer(request, error)
    except Exception as error:
        if (known := known_error(error)) is not None:
            return _known(request, known, cause=error)
        log.exception("page_crashed", method=request.method, route=_route(request))
        return _problem(request, _INTERNAL, None, {})


page_middlewares: Final = [page_problem_middleware]
"""What the application puts inside its request ids and JSON problems, in this order."""


def _answer(request: web.Request, error: web.HTTPException) -> web.Response:
    """What a view has raised as its answer: a page where it is an error."""
    if isinstance(error, web.HTTPSeeOther) and _STAYS in request.headers:
        # Our script sent the form, and cannot see where an answer leads that it follows.
        return web.Response(
            status=web.HTTPNoContent.status_code, headers={_LEADS_TO: error.headers["Location"]}
        )
    if error.status < web.HTTPBadRequest.status_code or "HX-Redirect" in error.headers:
        raise error
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return _problem(request, error.status, None, headers)


def _known(
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
    return _problem(request, status, error.message, headers)


def _problem(
    request: web.Request, status: int, message: str | None, headers: dict[str, str]
) -> web.Response:
    return render(
        request,
        "problem.html",
        status=status,
        headers=headers,
        status_code=status,
        title=_TITLES.get(status, "Something broke on our side"),
        message=message,
        back=_came_from(request),
        next_step=_NEXT.get(
            status, "It is logged. Try again, and name the id below when you ask for help."
        ),
    )


def _came_from(request: web.Request) -> str | None:
    """The page of ours on which somebody chose what was refused; ``None``: nobody knows."""
    try:
        page = URL(request.headers.get("Referer", ""))
        if session_or_none(request) is None or page.authority != request.host:
            return None
        path = local_path(page.raw_path_qs)
    except ValueError:
        return None
    return None if path in {"/", request.path_qs} else path


def _is_for_people(request: web.Request) -> bool:
    kinds = request.headers.get("Accept", "")
    html, json = kinds.find("text/html"), kinds.find("json")
    if html < 0 or -1 < json < html:
        return False
    return not request.path.startswith(_FOR_PROGRAMS)


def _route(request: web.Request) -> str:
    """The route's pattern: a path itself may hold a sign-in link."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical
