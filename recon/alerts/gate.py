"""Whether the next message of a type may be written, or has to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.db import load

if TYPE_CHECKING:
    import asyncpg

    from recon.alerts.model import AlertType, Policy

__all__ = ["runs_wait", "told_lately"]


async def told_lately(connection: asyncpg.Connection[Any], kind: AlertType, policy: Policy) -> bool:
    """Whether there was a message of this type in the time that is to lie between two."""
    statement = load("recon.alerts", "told_lately")
    count: int = await connection.fetchval(statement, kind, policy.at_most_every)
    return count > 0


async def runs_wait(connection: asyncpg.Connection[Any], kind: AlertType, policy: Policy) -> bool:
    """The same for bad runs, of which trouble makes one every few minutes.

    For as long as it lasts, the time between two messages doubles, up to a day.
    """
    statement = load("recon.alerts", "runs_wait")
    count: int = await connection.fetchval(statement, kind, policy.at_most_every)
    return count > 0
