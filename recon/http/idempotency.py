"""POSTs with an ``Idempotency-Key``: one effect and one stored answer (IETF draft 07).

Kept are 2xx and definitive 4xx; 401, 403, 429 and 5xx leave the key free for another attempt. The
handler's own effect must be idempotent by `caller_key`, because a process may die between the
effect and the storing of its answer.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from recon.clock import new_id
from recon.db import POOL, load
from recon.errors import Conflict, Invalid, ReconError, Unprocessable
from recon.http.problems import error_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.http.keys import Principal

__all__ = ["answer_once", "caller_key"]

log = structlog.get_logger(__name__)

_DEAD_AFTER = timedelta(seconds=60)
_MAX_KEY = 255
_PASSING = frozenset({401, 403, 408, 429})
_KEPT_HEADERS = ("Location", "Link")

_CALLER_KEY: web.RequestKey[str] = web.RequestKey("caller_key", str)


def caller_key(request: web.Request) -> str:
    """``<caller>/<Idempotency-Key>``: the caller's name for this intent, unique for ever.

    It is the same whichever of its keys the caller uses, and a caller's name holds no ``/``.
    """
    return request[_CALLER_KEY]


async def answer_once(
    request: web.Request,
    principal: Principal,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Run the handler once per caller and Idempotency-Key; a repeat gets the stored answer.

    Raises:
        Invalid: ``idempotency_key_missing`` or ``idempotency_key_invalid``.
        Unprocessable: ``idempotency_key_reused`` with another body.
        Conflict: ``idempotency_in_progress``.
    """
    key = _key_of(request)
    fingerprint = hashlib.sha256(
        f"{request.method} {request.path_qs}\n".encode() + await request.read()
    ).digest()
    pool = request.config_dict[POOL]
    token = new_id()
    who = principal.principal_id
    async with pool.acquire() as connection:
        ours = await connection.fetchval(
            load("recon.http", "begin_request"), who, key, fingerprint, token, _DEAD_AFTER
        )
        if ours is None:
            row = await connection.fetchrow(load("recon.http", "stored_request"), who, key)
            return _stored(row, fingerprint)
    request[_CALLER_KEY] = f"{who}/{key}"
    try:
        response: web.StreamResponse = await handler(request)
    except ReconError as error:
        response = error_response(request, error)
    except BaseException:
        # What broke the handler is what the caller must hear of, even if this breaks as well: an
        # attempt that stays behind counts as dead after a while.
        with _logged("attempt_not_forgotten"):
            await _forget(pool, who, key, token)
        raise
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        raise TypeError("an idempotent answer has its whole body")
    if response.status >= web.HTTPInternalServerError.status_code or response.status in _PASSING:
        with _logged("attempt_not_forgotten"):
            await _forget(pool, who, key, token)
        return response
    kept = {h: response.headers[h] for h in _KEPT_HEADERS if h in response.headers}
    async with pool.acquire() as connection:
        await connection.execute(
            load("recon.http", "finish_request"),
            *(who, key, token, response.status, response.content_type, kept, response.body),
        )
    return response


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


async def _forget(pool: Pool, who: str, key: str, token: UUID) -> None:
    async with pool.acquire() as connection:
        await connection.execute(load("recon.http", "forget_request"), who, key, token)


@contextmanager
def _logged(event: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception(event)


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
