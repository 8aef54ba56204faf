"""Take payloads away once their time of retention is over; hashes and what was read of them stay.

A payload goes by the age that a delivery's id tells. Each statement takes a bounded number and
remembers how far it came, so that a run costs what has become old since the one before. What is
waiting or in suspense, or has an open case, has to stay replayable: it is noted down and looked at
again by itself. The headers that are kept (content type, agent, signature) are about no person.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from recon.clock import first_id_at
from recon.db import load

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from recon.db import Pool

__all__ = ["Retention", "redact_payloads"]

log = structlog.get_logger(__name__)

_ROOM: Final = "recon.webhooks"
_AT_ONCE: Final = 500
_BETWEEN_S: Final = 0.02
"""The intake goes first: an old payload has time."""

_LOWEST: Final = UUID(int=0)
_SETTLING: Final = timedelta(minutes=1)
"""What is younger may still be on its way into the database, with an id of before."""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long payloads are kept; ``None`` is for ever.

    Args:
        payloads: of whatever is dealt with.
        unsettled: of what is waiting or in suspense, or has an open case.
    """

    payloads: timedelta | None
    unsettled: timedelta | None


async def redact_payloads(
    pool: Pool, retention: Retention, *, now: datetime, at_once: int = _AT_ONCE
) -> int:
    """Redact everything whose time is over; how many payloads are gone.

    It may be cancelled between any two statements and goes on where it was.

    Args:
        pool: the database.
        retention: how long payloads are kept.
        now: as of when.
        at_once: deliveries that one statement takes.
    """
    if retention.payloads is None:
        return 0
    until = _before(now, retention.payloads)
    # Nothing unsettled goes before it would go if it were settled.
    stays_from = (
        _LOWEST if retention.unsettled is None else min(until, _before(now, retention.unsettled))
    )
    redacted = 0
    while True:
        row = await _take(pool, load(_ROOM, "redact_deliveries"), until, stays_from, at_once)
        redacted += int(row["redacted"])
        if row["looked_at"] < at_once:
            break
        await asyncio.sleep(_BETWEEN_S)
    redacted += await _go_through(pool, load(_ROOM, "redact_left"), at_once, stays_from)
    redacted += await _go_through(pool, load(_ROOM, "redact_repeats"), at_once, until, stays_from)
    if redacted:
        log.info("payloads_redacted", payloads=redacted)
    return redacted


async def _go_through(pool: Pool, statement: str, at_once: int, *bounds: UUID) -> int:
    """Once through a list that is walked by id; how many payloads are gone."""
    after, redacted = _LOWEST, 0
    while True:
        row = await _take(pool, statement, after, *bounds, at_once)
        redacted += int(row["redacted"])
        if row["looked_at"] < at_once:
            return redacted
        after = row["last"]
        await asyncio.sleep(_BETWEEN_S)


async def _take(pool: Pool, statement: str, *arguments: object) -> asyncpg.Record:
    async with pool.acquire() as connection:
        return await connection.fetchrow(statement, *arguments)


def _before(now: datetime, length: timedelta) -> UUID:
    return first_id_at(now - max(length, _SETTLING))
