"""Callers' requests and what they were answered, by caller and Idempotency-Key.

Rows are begun and finished many at once: here, or in a commit of a verb that carries a `Receipt`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from aiohttp import web

from recon.db import load
from recon.db.sharing import Shared, take_each

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["DEAD_AFTER", "REQUESTS", "Answer", "Claim", "Requests"]

DEAD_AFTER: Final = timedelta(seconds=60)
"""An attempt that has not answered by then has died; nobody waits for it any longer."""


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
