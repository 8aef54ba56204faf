"""Forget messages by age, and what was told where it cannot come to be told again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.db import load

if TYPE_CHECKING:
    from datetime import timedelta

    from recon.alerts.model import Policy
    from recon.db import Pool, Sql

__all__ = ["forget_alerts"]

_AT_ONCE: Final = 1_000


async def forget_alerts(pool: Pool, policy: Policy) -> None:
    """Remove messages and their deliveries once they are old and nothing of them is on its way.

    That something was told is known for as long as it could be found again: of a discrepancy until
    it has been closed for as long, of a run until nobody looks so far back.
    """
    if policy.keep is None:
        return
    for statement in (
        load("recon.alerts", "forget_subjects"),
        load("recon.alerts", "forget_alerts"),
    ):
        while await _forget(pool, statement, policy.keep) == _AT_ONCE:
            pass


async def _forget(pool: Pool, statement: Sql, keep: timedelta) -> int:
    """So many at once, in a commit of their own; how many there were."""
    async with pool.acquire() as connection:
        count: int = await connection.fetchval(statement, keep, _AT_ONCE)
    return count
