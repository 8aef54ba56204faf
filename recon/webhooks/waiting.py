"""Deliveries that wait too long for their payment, each a case of its own, once for ever.

A refund, a chargeback or a payout that failed waits while the payment that it is of is not known.
Mostly that payment comes a moment later; if it never comes, money has moved that no book knows.
Nothing is decided here about it: what comes late is booked as ever, and closes the case in the same
commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from recon.clock import new_id
from recon.db import load

if TYPE_CHECKING:
    from datetime import timedelta

    from recon.db import Pool

__all__ = ["find_waiting"]

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 500


async def find_waiting(pool: Pool, after: timedelta) -> int:
    """Open a case for every delivery that waits for longer than ``after``.

    Any number of workers may do so at once; a commit for each five hundred.

    Returns:
        How many cases were opened.
    """
    found = 0
    while True:
        async with pool.acquire() as connection:
            opened: int = await connection.fetchval(
                load("recon.webhooks", "open_waiting"), [new_id() for _ in range(_AT_ONCE)], after
            )
        found += opened
        if opened < _AT_ONCE:
            break
    if found:
        log.warning("deliveries_wait", found=found)
    return found
