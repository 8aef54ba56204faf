"""POSTs with an ``Idempotency-Key``: one effect and one stored answer (IETF draft 07).

Kept are 2xx and definitive 4xx; 401, 403, 429 and 5xx leave the key free for another attempt. The
handler's own effect must be idempotent by `caller_key`, because a process may die between the
effect and the storing of its answer; unless its verb carries the request's `Receipt`, and writes
the answer in the commit of the effect. A caller that goes away changes nothing: its request is seen
through, and what a repeat is answered stored.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import web

from recon.clock import new_id
from recon.db import POOL
from recon.errors import Conflict, Invalid, ReconError, Unprocessable
from recon.http.bodies import in_time
from recon.http.problems import error_response
from recon.http.seen_through import see_through
from recon.http.stored_requests import REQUESTS, Answer, Claim, Requests
from recon.http.uploads import UPLOADS, closing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

    from recon.http.keys import Principal

__all__ = ["AnsweredBeforeError", "Receipt", "answer_once", "caller_key", "receipt_of"]

T = TypeVar("T")

_MAX_KEY: Final = 255
_PASSING: Final = frozenset({401, 403, 408, 429})
_KEPT_HEADERS: Final = ("Location", "Link")


class AnsweredBeforeError(Exception):
    """The request that a verb was to begin is known: it is answered as it was, or still runs."""


class Receipt:
    """A request's Idempotency-Key, for a verb that begins and answers it in commits of its own.

    Args:
        request: the request.
        claim: its key, and the token of this attempt.
        begun: its row is written.
    """

    def __init__(self, request: web.Request, claim: Claim, *, begun: bool) -> None:
        self.claim = claim
        self.begun = begun
        self.response: web.Response | None = None
        """What was stored for the caller, once it was."""
        self._request = request
        self._prepared: web.Response | None = None
        self._render: Callable[[object], web.Response] | None = None

    @property
    def name(self) -> str:
        """As `caller_key`."""
        return f"{self.claim.principal_id}/{self.claim.key}"

    def answers(self, render: Callable[[T], web.Response]) -> Receipt:
        """Itself, answering what the verb comes to with this."""
        self._render = render  # type: ignore[assignment]  # whoever gives it knows the verb
        return self

    def prepare(self, come_to: Callable[[], object]) -> Answer:
        """The row to be written with what the verb comes to: a result, or an error of ours."""
        if self._render is None:
            raise TypeError("nobody has said how the verb's result is answered")
        try:
            response = self._render(come_to())
        except ReconError as error:
            response = error_response(self._request, error)
        self._prepared = response
        return _answer(self.claim, response)

    def stored(self) -> None:
        """What was prepared last is written, and durable."""
        self.response = self._prepared


_RECEIPT: web.RequestKey[Receipt] = web.RequestKey("receipt", Receipt)


def caller_key(request: web.Request) -> str:
    """``<caller>/<Idempotency-Key>``: the caller's name for this intent, unique for ever.

    It is the same whichever of its keys the caller uses, and a caller's name holds no ``/``.
    """
    return request[_RECEIPT].name


def receipt_of(request: web.Request) -> Receipt:
    """The receipt of a POST; only inside an `operation`."""
    return request[_RECEIPT]


async def answer_once(
    request: web.Request,
    principal: Principal,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    *,
    begins: bool,
    uploads: bool = False,
) -> web.StreamResponse:
    """Run the handler once per caller and Idempotency-Key; a repeat gets the stored answer.

    Args:
        request: a POST.
        principal: its caller.
        handler: what answers it.
        begins: its verb begins the request, in the commit of its intent.
        uploads: its body is a file, too large for memory.

    Raises:
        Invalid: ``idempotency_key_missing`` or ``idempotency_key_invalid``.
        Unprocessable: ``idempotency_key_reused`` with another body.
        Conflict: ``idempotency_in_progress``.
    """
    key = _key_of(request)
    digest = hashlib.sha256(f"{request.method} {request.path_qs}\n".encode())
    if not uploads:
        digest.update(await in_time(request.read()))
        receipt = _receipt(request, principal, key, digest.digest())
        return await see_through(request, _answer_once(request, receipt, handler, begins=begins))
    taking = request.config_dict[UPLOADS]
    async with taking.place():
        file = await taking.receive(request, digest)
        receipt = _receipt(request, principal, key, digest.digest())
        work = _answer_once(request, receipt, handler, begins=begins)
        return await see_through(request, closing(file, work))


def _receipt(request: web.Request, principal: Principal, key: str, fingerprint: bytes) -> Receipt:
    claim = Claim(principal.principal_id, key, fingerprint, new_id())
    request[_RECEIPT] = Receipt(request, claim, begun=False)
    return request[_RECEIPT]


async def _answer_once(
    request: web.Request,
    receipt: Receipt,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    *,
    begins: bool,
) -> web.StreamResponse:
    requests, claim = _requests_of(request), receipt.claim
    if not begins:
        receipt.begun = await requests.begin(claim)
        if not receipt.begun:
            return _stored(await requests.stored(claim), claim.request_hash)
    try:
        response: web.StreamResponse = await handler(request)
    except AnsweredBeforeError:
        return _stored(await requests.stored(claim), claim.request_hash)
    except ReconError as error:
        response = error_response(request, error)
    except BaseException:
        if receipt.begun:
            await requests.free(claim)
        raise
    if receipt.response is None:
        return await _keep(requests, receipt, response)
    if receipt.response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # It is kept for nobody, and what the handler has made of it may say more.
        return response
    return receipt.response


async def _keep(
    requests: Requests, receipt: Receipt, response: web.StreamResponse
) -> web.StreamResponse:
    """Store an answer that no verb has stored with its effect."""
    claim = receipt.claim
    if not isinstance(response, web.Response):
        raise TypeError("an idempotent answer has its whole body")
    answer = _answer(claim, response)
    if answer.status is None:
        if receipt.begun:
            await requests.free(claim)
        elif response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            requests.free_if_begun(claim)
        return response
    # Refused before its intent was written: nothing has looked yet whether the key is known.
    if not receipt.begun and not await requests.begin(claim):
        return _stored(await requests.stored(claim), claim.request_hash)
    try:
        await requests.finish(answer)
    except Exception:
        # The effect stands, and the next attempt finds it.
        await requests.free(claim)
        raise
    return response


def _requests_of(request: web.Request) -> Requests:
    known = request.config_dict.get(REQUESTS)
    return Requests(request.config_dict[POOL]) if known is None else known


def _answer(claim: Claim, response: web.Response) -> Answer:
    passes = (
        response.status >= web.HTTPInternalServerError.status_code or response.status in _PASSING
    )
    return Answer.of(claim, None if passes else response, _KEPT_HEADERS)


def _key_of(request: web.Request) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise Invalid(
            f"send an Idempotency-Key of 1 to {_MAX_KEY} characters, one per intent",
            code="idempotency_key_missing",
        )
    if len(key) > _MAX_KEY or not key.isascii() or not key.isprintable():
        raise Invalid(
            f"an Idempotency-Key has 1 to {_MAX_KEY} printable ASCII characters",
            code="idempotency_key_invalid",
        )
    return key


def _stored(row: asyncpg.Record | None, fingerprint: bytes) -> web.Response:
    if row is None or (row["status"] is None and row["request_hash"] == fingerprint):
        raise Conflict(
            "the first attempt with this key still runs; ask again in a moment",
            code="idempotency_in_progress",
        )
    if row["request_hash"] != fingerprint:
        raise Unprocessable(
            "this Idempotency-Key was used for another request", code="idempotency_key_reused"
        )
    return web.Response(
        body=row["body"],
        status=row["status"],
        content_type=row["content_type"],
        headers={**row["headers"], "Idempotency-Replayed": "true"},
    )
