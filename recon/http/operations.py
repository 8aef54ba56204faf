"""``operation``: what a handler of the internal API does, for its guard and for OpenAPI alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from aiohttp import web
from structlog.contextvars import bind_contextvars, reset_contextvars

from recon.db import POOL
from recon.db.holding import held_at_most
from recon.db.sharing import WITHIN_S
from recon.errors import Unauthentic
from recon.http.authenticate import KEYS, Keys
from recon.http.idempotency import answer_once
from recon.http.keys import Principal, Scope
from recon.http.problems import tell_always
from recon.http.proxies import caller_of
from recon.http.rate_limits import BETS, DEFAULT, FAILURES, LIMITER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Operation", "operation", "operation_of", "principal_of"]


_PRINCIPAL: web.RequestKey[Principal] = web.RequestKey("principal", Principal)
_ATTRIBUTE = "__recon_operation__"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one call takes, needs and answers.

    Args:
        scope: what the caller's key must have.
        answers: status to the type of its body.
        body: the type of the request's body, where there is one; ``bytes`` is a file.
        query: name to a description, of each query parameter.
    """

    scope: Scope
    answers: dict[int, Any]
    body: Any = None
    query: dict[str, str] | None = None


def principal_of(request: web.Request) -> Principal:
    """Who calls; only inside an `operation`."""
    return request[_PRINCIPAL]


def operation_of(handler: object) -> Operation | None:
    """What `operation` said of a handler."""
    found: Operation | None = getattr(handler, _ATTRIBUTE, None)
    return found


def operation(
    *,
    scope: Scope,
    answers: dict[int, Any],
    body: Any = None,  # noqa: ANN401 - any type that msgspec can describe
    query: dict[str, str] | None = None,
    begins: bool = False,
) -> Callable[
    [Callable[[web.Request], Awaitable[web.StreamResponse]]],
    Callable[[web.Request], Awaitable[web.StreamResponse]],
]:
    """Guard a handler by scope and rate, make its POST idempotent, and describe it.

    Args:
        scope: what the caller's key must have.
        answers: status to the type of its body.
        body: the type of the request's body, where there is one; ``bytes`` is a file, which goes
            to disk and which `recon.http.uploads.upload_of` finds.
        query: name to a description, of each query parameter.
        begins: the handler's verb carries the `Receipt` of a POST from its very beginning.
    """

    def decorate(
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        @wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            principal = await _authenticated(request)
            policy = BETS if Scope.WRITE_BET in principal.scopes else DEFAULT
            allowance = request.config_dict[LIMITER].count(principal.principal_id, policy)
            # Whatever is answered from here on tells the quota, errors included.
            tell_always(request, allowance.headers)
            allowance.require()
            principal.require(scope)
            request[_PRINCIPAL] = principal
            # Not `bound_contextvars`: it goes through every variable of the context.
            tokens = bind_contextvars(caller=principal.principal_id, key_id=principal.key_id)
            try:
                with held_at_most(WITHIN_S):
                    if request.method == "POST":
                        response = await answer_once(
                            request, principal, handler, begins=begins, uploads=body is bytes
                        )
                    else:
                        response = await handler(request)
            finally:
                reset_contextvars(**tokens)
            if not response.prepared:
                response.headers.update(allowance.headers)
            return response

        setattr(guarded, _ATTRIBUTE, Operation(scope, answers, body, query))
        return guarded

    return decorate


async def _authenticated(request: web.Request) -> Principal:
    try:
        return await _keys_of(request).authenticate(request.headers.get("Authorization"))
    except Unauthentic:
        request.config_dict[FAILURES].count(caller_of(request).counted_as).require()
        raise


def _keys_of(request: web.Request) -> Keys:
    known = request.config_dict.get(KEYS)
    return Keys(request.config_dict[POOL]) if known is None else known
