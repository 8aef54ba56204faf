"""Callers' requests and what they were answered, by caller and Idempotency-Key.

Rows are begun and finished many at once: here, or in a commit of a verb that carries a `Receipt`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import structlog
from aiohttp import web

from recon.db import load
from recon.db.sharing import WITHIN_S, Shared, take_each

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["DEAD_AFTER", "REQUESTS", "Answer", "Claim", "Requests"]

_log = structlog.get_logger(__name__)

DEAD_AFTER: Final = timedelta(seconds=60)
"""An attempt that has not answered by then has died; nobody waits for it any longer."""
_FREED_WITHIN_S: Final = 1.0
_FREED_EVERY_S: Final = 1.0
_FREED_AT_ONCE: Final = 256
_MOST_TO_FREE: Final = 10_000


class Claim(NamedTuple):
    """A request as it begins, an ``api_claim``; ``token`` is of whoever runs it."""

    principal_id: str
    key: str
    request_hash: bytes
    token: UUID


class Answer(NamedTuple):
    """What a request is answered, an ``api_answer``; no status: the next attempt runs anew."""

    principal_id: str
    key: str
    token: UUID
    status: int | None
    content_type: str | None
    headers: str | None
    body: bytes | None

    @classmethod
    def of(cls, claim: Claim, response: web.Response | None, kept: Sequence[str]) -> Answer:
        """The answer to a request.

        Args:
            claim: the request.
            response: with its whole body; ``None``: nothing definitive came of it.
            kept: the headers that are repeated.
        """
        who, key, _, token = claim
        if response is None:
            return cls(who, key, token, None, None, None, None)
        if not isinstance(response.body, bytes):
            raise TypeError("an idempotent answer has its whole body")
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        said = msgspec.json.encode(headers).decode()
        status, content_type = response.status, response.content_type
        return cls(who, key, token, status, content_type, said, response.body)


class Requests:
    """The stored requests of one database, begun and finished together with others'.

    Args:
        pool: the database.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._to_free: dict[Answer, float] = {}
        self._freeing: asyncio.Task[None] | None = None
        self._beginning: Shared[Claim, bool] = Shared(
            lambda claims: take_each(pool, claims, _begin, name=_name)
        )
        self._finishing: Shared[Answer, None] = Shared(
            lambda answers: take_each(pool, answers, _finish, name=_name)
        )

    async def begin(self, claim: Claim) -> bool:
        """Whether the request is ours to run."""
        return await self._beginning.take_one(claim)

    async def finish(self, answer: Answer) -> None:
        """Store what a request is answered, or free its key."""
        await self._finishing.take_one(answer)

    async def free(self, claim: Claim) -> None:
        """Let the next attempt with this key run: this one has come to nothing definitive.

        What it has come to is what the caller must hear of, and soon, so that nothing is raised
        here; where the database is gone too, the key is freed once it is back.
        """
        answer = Answer.of(claim, None, ())
        try:
            async with asyncio.timeout(_FREED_WITHIN_S):
                await self.finish(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            _log.warning("attempt_not_forgotten", error=repr(error))
            self._remember(answer, after_s=0.0)

    def free_if_begun(self, claim: Claim) -> None:
        """The same of an attempt that may yet begin: its commit was not waited for any longer."""
        self._remember(Answer.of(claim, None, ()), after_s=WITHIN_S + 1.0)

    async def close(self) -> None:
        """Leave what is not freed yet to be found dead."""
        if self._freeing is not None:
            self._freeing.cancel()
            await asyncio.gather(self._freeing, return_exceptions=True)

    def _remember(self, answer: Answer, *, after_s: float) -> None:
        if len(self._to_free) < _MOST_TO_FREE:
            self._to_free[answer] = asyncio.get_running_loop().time() + after_s
            if self._freeing is None or self._freeing.done():
                self._freeing = asyncio.create_task(self._free_all(), context=Context())

    async def _free_all(self) -> None:
        time = asyncio.get_running_loop().time
        while self._to_free:
            await asyncio.sleep(_FREED_EVERY_S)
            due = [answer for answer, from_s in self._to_free.items() if from_s <= time()]
            with suppress(Exception):  # the database, which may be back by the next time
                while due:
                    some, due = due[:_FREED_AT_ONCE], due[_FREED_AT_ONCE:]
                    await self._finishing.take(some)
                    for answer in some:
                        del self._to_free[answer]
            dead_s = time() - DEAD_AFTER.total_seconds()
            for answer in [one for one, from_s in self._to_free.items() if from_s < dead_s]:
                del self._to_free[answer]

    async def stored(self, claim: Claim) -> asyncpg.Record | None:
        """The request as it is known under this key."""
        async with self._pool.acquire() as connection:
            return await connection.fetchrow(
                load("recon.http", "stored_request"), claim.principal_id, claim.key
            )


def _name(row: Claim | Answer) -> tuple[str, str]:
    return (row.principal_id, row.key)


async def _begin(connection: asyncpg.Connection[Any], claims: Sequence[Claim]) -> Sequence[bool]:
    ours = await connection.fetchval(load("recon.http", "begin_requests"), claims, DEAD_AFTER)
    return [bool(one) for one in ours]


async def _finish(connection: asyncpg.Connection[Any], answers: Sequence[Answer]) -> Sequence[None]:
    await connection.execute(load("recon.http", "finish_requests"), answers)
    return [None] * len(answers)


REQUESTS: web.AppKey[Requests] = web.AppKey("requests", Requests)
