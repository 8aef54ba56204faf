"""Look for what is to be told; each kind in a transaction of its own."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import structlog

from recon.alerts.bets import find_waiting_bets
from recon.alerts.books import find_faulty_books
from recon.alerts.digest import find_digest
from recon.alerts.incidents import find_incidents
from recon.alerts.metrics import GIVEN_UP
from recon.alerts.model import AlertType
from recon.alerts.outbox import put, take_on
from recon.alerts.runs import find_bad_runs, find_skipped_runs
from recon.alerts.unexplained import find_unexplained
from recon.clock import new_id
from recon.db import load, with_retries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Alerting, Policy
    from recon.alerts.sparing import Sparing
    from recon.db import Pool

    Finder = Callable[[asyncpg.Connection[Any], Policy, UUID], Awaitable[dict[str, Any] | None]]

__all__ = ["find_alerts"]

log = structlog.get_logger(__name__)

_LOCK: Final = int.from_bytes(blake2b(b"recon.alerts", digest_size=7).digest())
"""Of whoever looks: two that do at once would have every other statement wait for the other."""


_FINDERS: Final[dict[AlertType, Finder]] = {
    AlertType.UNEXPLAINED: find_unexplained,
    AlertType.INCIDENTS: find_incidents,
    AlertType.RUNS_BAD: find_bad_runs,
    AlertType.RUNS_SKIPPED: find_skipped_runs,
    AlertType.BOOKS_FAULTY: find_faulty_books,
    AlertType.BETS_WAITING: find_waiting_bets,
    AlertType.DIGEST: find_digest,
}


async def find_alerts(
    pool: Pool, alerting: Alerting, *, sparing: Sparing | None = None
) -> list[UUID]:
    """Write down what is to be told, with a delivery for each channel that wants it.

    Any number of workers may do so at once. Where every channel is disabled nothing is looked for,
    so that it is all told once one works again.

    Args:
        pool: the database.
        alerting: the rules and the ways.
        sparing: which kinds took long of late; ``None``: each is looked for.

    Returns:
        The messages that were written.
    """
    await _give_up(pool, alerting)
    channels = await _begin(pool, alerting)
    found = []
    for kind, find in _FINDERS.items():
        if not any(kind in one.wants for one in alerting.channels if one.name in channels):
            continue
        if sparing is not None and not sparing.begin(kind):
            continue
        try:
            alert_id = await _find(pool, alerting, kind, find, channels)
        except Exception:
            # The other kinds are told all the same, and this one is looked for again.
            log.exception("alerts_not_looked_for", kind=kind)
            continue
        finally:
            if sparing is not None:
                sparing.end(kind)
        if alert_id is not None:
            found.append(alert_id)
    return found


@with_retries
async def _find(
    pool: Pool, alerting: Alerting, kind: AlertType, find: Finder, channels: Sequence[str]
) -> UUID | None:
    alert_id = new_id()
    # One snapshot, so that its sums, counts and items are of one instant. Who took the lock with
    # one from before another's commit meets what that has told, and begins anew.
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        if not await connection.fetchval(load("recon.alerts", "take_lock"), _LOCK):
            return None
        data = await find(connection, alerting.policy, alert_id)
        if data is None:
            return None
        await put(connection, alerting, alert_id, kind, data, channels=channels)
    log.warning("alert", alert_id=str(alert_id), kind=kind)
    return alert_id


@with_retries
async def _begin(pool: Pool, alerting: Alerting) -> list[str]:
    """Write down what is in force, so that a change of it is seen; the channels that work."""
    names = [channel.name for channel in alerting.channels]
    lanes = alerting.policy.lanes
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            load("recon.alerts", "keep_channels"),
            *(names, [channel.target for channel in alerting.channels]),
        )
        await connection.execute(
            load("recon.alerts", "keep_lanes"), [*lanes.keys()], [*lanes.values()]
        )
        await take_on(connection, None, "watch", [("runs", None)])
        rows = await connection.fetch(load("recon.alerts", "enabled_channels"), names)
    return [row["channel"] for row in rows]


async def _give_up(pool: Pool, alerting: Alerting) -> None:
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            load("recon.alerts", "give_up_deliveries"),
            alerting.policy.give_up_after,
            [channel.name for channel in alerting.channels],
        )
    for row in rows:
        GIVEN_UP.labels(row["channel"]).inc()
        log.error(
            "alert_given_up",
            alert_id=str(row["alert_id"]),
            channel=row["channel"],
            attempts=row["attempts"],
            last_error=row["last_error"],
        )
