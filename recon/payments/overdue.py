"""Registered payments of which nobody has heard in time, each a case of its own, once for ever.

Nothing is decided here about the money: a late report is booked as ever, and closes the case in the
same commit (a trigger, see 0003_webhooks.up.sql). Many deposits are registered and then left by
their player half way, so the case of a deposit closes by itself after a while; that of a withdrawal
does not, because its money stays reserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from recon.clock import new_id
from recon.db import load

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["Overdue", "OverdueCase", "find_overdue", "open_overdue_case"]

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 500
_LOCKED: Final = load("recon.payments", "lock_unreported")
_UNREPORTED: Final = load("recon.payments", "open_unreported")
_UNPAID: Final = load("recon.payments", "open_unpaid")
_ABANDONED: Final = load("recon.payments", "close_abandoned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """After how long a payment is overdue; ``None``: never.

    Args:
        unreported: a payment that is registered, and of which no PSP has said anything.
        unpaid: a withdrawal that its PSP has taken on, and that is neither paid nor failed.
        abandoned: the case of a deposit closes by itself when it has been open for so long.
        silent: endpoints whose PSP tells of no payout that it is paid, so that nothing is late.
    """

    unreported: timedelta | None
    unpaid: timedelta | None
    abandoned: timedelta | None
    silent: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class OverdueCase:
    """The open case of a payment."""

    case_id: UUID
    kind: str
    opened_at: datetime


async def find_overdue(pool: Pool, overdue: Overdue) -> int:
    """Open a case for every payment that has become overdue, and close those that are abandoned.

    Any number of workers may do so at once.

    Returns:
        How many cases were opened.
    """
    found = 0
    if overdue.unreported is not None:
        found += await _open_unreported(pool, overdue.unreported)
    if overdue.unpaid is not None:
        found += await _open_unpaid(pool, overdue.unpaid, list(overdue.silent))
    closed = 0
    if overdue.abandoned is not None:
        closed = await _close_abandoned(pool, overdue.abandoned)
    if found or closed:
        log.warning("payments_overdue", found=found, abandoned=closed)
    return found


async def open_overdue_case(
    connection: asyncpg.Connection[Any], reference: str
) -> OverdueCase | None:
    """The open case that says a payment is overdue, if there is one."""
    row = await connection.fetchrow(load("recon.payments", "overdue_case"), reference)
    return None if row is None else OverdueCase(row["case_id"], row["kind"], row["opened_at"])


async def _open_unreported(pool: Pool, after: timedelta) -> int:
    """A commit for each five hundred, so that a report waits for none of them long."""
    found = 0
    while True:
        async with pool.acquire() as connection, connection.transaction():
            # Locked before the cases are looked at: one that closes meanwhile waits for this
            # commit, and lets the payment be looked at again.
            rows = await connection.fetch(_LOCKED, after, _AT_ONCE)
            ids = [new_id() for _ in rows]
            references = [row["reference"] for row in rows]
            found += int(await connection.fetchval(_UNREPORTED, ids, references))
        if len(rows) < _AT_ONCE:
            return found


async def _open_unpaid(pool: Pool, after: timedelta, silent: list[str]) -> int:
    found = 0
    while True:
        ids = [new_id() for _ in range(_AT_ONCE)]
        async with pool.acquire() as connection:
            row = await connection.fetchrow(_UNPAID, ids, after, silent)
        found += int(row["opened"])
        if row["looked_at"] < _AT_ONCE:
            return found


async def _close_abandoned(pool: Pool, after: timedelta) -> int:
    closed = 0
    while True:
        async with pool.acquire() as connection:
            rows = await connection.fetch(_ABANDONED, after, _AT_ONCE)
        closed += len(rows)
        if len(rows) < _AT_ONCE:
            return closed
