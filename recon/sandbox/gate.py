"""The way into the game API: every call passes here, in this order.

Key, rate, scope, player; for a signed call then idempotency key, timestamp, signature, nonce and
the store of answers. Planted faults of the answers strike after a call has proved authentic.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.errors import ReconError
from recon.sandbox.answer_faults import with_fault
from recon.sandbox.call import Call
from recon.sandbox.parts import SANDBOX
from recon.sandbox.responding import (
    allowance_headers,
    failed,
    lifecycle_headers,
    refusal,
    request_id_of,
    respond,
)
from recon.sandbox.signed_calls import carry_out_signed
from recon.sandbox.wire import Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.sandbox.call import Policy
    from recon.sandbox.keys import ApiKey
    from recon.sandbox.parts import Sandbox

__all__ = ["API_PREFIX", "guarded", "problems"]

API_PREFIX: Final = "/api/v1/"

_LOG: Final = logging.getLogger("recon.sandbox")
_USER_LENGTH: Final = 128


def guarded(
    policy: Policy, act: Callable[[Call], Answer]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that lets a call through to ``act``, which changes the state in one step."""

    async def carry_out(call: Call) -> Answer:
        admitted = _within(policy, call)
        if policy.signed:
            return await carry_out_signed(admitted, act)
        admitted = _caught_up(admitted)
        if not policy.faulty:
            return act(admitted)
        asks = admitted.sandbox.asks
        asks[admitted.user_id] += 1
        identity = f"{admitted.user_id}/asks/{asks[admitted.user_id]}"
        return await with_fault(admitted, lambda: act(admitted), identity)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await _answer(request, carry_out)

    return handler


@web.middleware
async def problems(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Give aiohttp's own refusals the API's body: an unknown route, a wrong method, a huge body.

    The page's table has no 405: a method that a path does not know is ``not_found``, and ``Allow``
    says which it knows.
    """
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        refused = Refused(
            "not_found",
            f"{request.method} is not a method of this path",
            headers={"Allow": ", ".join(sorted(error.allowed_methods))},
        )
    except web.HTTPNotFound:
        refused = Refused("not_found", "there is no such path")
    except web.HTTPRequestEntityTooLarge:
        refused = Refused("bad_request", "the body is too large")
    except Refused as error:
        refused = error
    except ReconError as error:
        request_id = request_id_of(request)
        return respond(failed(error, request_id), {"X-Request-Id": request_id})

    async def refuse(_: Call) -> Answer:
        raise refused

    if request.path.startswith(API_PREFIX):  # only a caller with a key learns what there is
        return await _answer(request, refuse)
    request_id = request_id_of(request)
    return respond(refusal(refused, request_id), {"X-Request-Id": request_id})


async def _answer(
    request: web.Request, carry_out: Callable[[Call], Awaitable[Answer]]
) -> web.StreamResponse:
    sandbox = request.config_dict[SANDBOX]
    request_id = request_id_of(request)
    headers = {"X-Request-Id": request_id, **lifecycle_headers(sandbox.lifecycle)}
    try:
        key = _key(request, sandbox)
        allowance = sandbox.limits.take(key)
        headers.update(allowance_headers(allowance))
        if not allowance.allowed:
            raise Refused(  # noqa: TRY301 - refusals of every step are answered in one place
                "rate_limited", "too many calls of this key", retry_after_s=allowance.reset_s
            )
        answer = await carry_out(Call(sandbox, request, key))
    except Refused as refused:
        answer = refusal(refused, request_id)
    except web.HTTPRequestEntityTooLarge:
        answer = refusal(Refused("bad_request", "the body is too large"), request_id)
    except Exception:  # noqa: BLE001 - the page's own answer to a failure, which is logged
        _LOG.exception("the sandbox failed on %s %s", request.method, request.path)
        answer = refusal(Refused("internal_error", "the sandbox failed"), request_id)
    if sandbox.options.latency_s:
        await asyncio.sleep(sandbox.options.latency_s)
    return respond(answer, headers)


def _key(request: web.Request, sandbox: Sandbox) -> ApiKey:
    key = sandbox.keys.live(request.headers.get("X-API-Key", ""))
    if key is None:
        raise Refused("invalid_api_key", "X-API-Key is missing, unknown or revoked")
    return key


def _within(policy: Policy, call: Call) -> Call:
    """The call with its player, when the key may make it."""
    if policy.scope not in call.key.scopes:
        raise Refused("insufficient_scope", f"the key lacks {policy.scope}")
    if not policy.user:
        return call
    return Call(call.sandbox, call.request, call.key, _user(call))


def _caught_up(call: Call) -> Call:
    reached = call.sandbox.timeline.catch_up()
    return Call(call.sandbox, call.request, call.key, call.user_id, reached=reached)


def _user(call: Call) -> str:
    user_id = call.request.headers.get("X-User-Id", "")
    if not user_id or len(user_id) > _USER_LENGTH:
        raise Refused("bad_request", f"X-User-Id must have 1 to {_USER_LENGTH} characters")
    if call.key.users is not None and user_id not in call.key.users:
        raise Refused("user_not_allowed", "the key may not act for this player")
    player = call.sandbox.backend.players.get(user_id)
    if player is None:
        raise Refused("user_not_found", "there is no such player")
    if not player.allowed:
        raise Refused("user_not_allowed", "the player may not play")
    return user_id
