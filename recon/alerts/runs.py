"""Runs that failed, did not reach every wallet, or never started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.alerts.gate import runs_wait, told_lately
from recon.alerts.items import SHOWN, link
from recon.alerts.model import AlertType
from recon.alerts.outbox import take_on
from recon.clock import format_time
from recon.db import load

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Policy

__all__ = ["find_bad_runs", "find_skipped_runs"]


async def find_bad_runs(
    connection: asyncpg.Connection[Any], policy: Policy, alert_id: UUID
) -> dict[str, Any] | None:
    """Runs that failed or are incomplete, each told once; ``None`` when there are none."""
    if await runs_wait(connection, AlertType.RUNS_BAD, policy):
        return None
    since = await connection.fetchval(load("recon.alerts", "watched_since"))
    rows = await connection.fetch(load("recon.alerts", "bad_runs"), since)
    if not rows:
        return None
    await take_on(connection, alert_id, "run", [(str(row["run_id"]), row["state"]) for row in rows])
    failed = sum(row["state"] == "failed" for row in rows)
    return {
        "count": len(rows),
        "failed": failed,
        "incomplete": len(rows) - failed,
        "runs": [
            {
                "run_id": str(row["run_id"]),
                "scope": row["scope"],
                "trigger": row["trigger"],
                "state": row["state"],
                "reason": row["reason"],
                "started_at": format_time(row["started_at"]),
                "finished_at": format_time(row["finished_at"]),
                "total": row["total"],
                "compared": row["compared"],
                "not_compared": row["not_compared"],
            }
            for row in rows[-SHOWN:]
        ],
        "not_shown": max(0, len(rows) - SHOWN),
        "url": link(policy, "/runs"),
    }


async def find_skipped_runs(
    connection: asyncpg.Connection[Any], policy: Policy, alert_id: UUID
) -> dict[str, Any] | None:
    """Gaps in the schedule, each told once, while they last or by whoever comes back after them."""
    if await told_lately(connection, AlertType.RUNS_SKIPPED, policy):
        return None
    rows = await connection.fetch(load("recon.alerts", "skipped_runs"))
    if not rows:
        return None
    gaps = [(row["subject"], row["reason"]) for row in rows]
    await take_on(connection, alert_id, "schedule", gaps)
    return {
        "count": len(rows),
        "skipped": [
            {
                "scope": row["scope"],
                "every_s": int(row["every"].total_seconds()),
                "due_at": format_time(row["due_at"]),
                "resumed_at": _time(row["resumed_at"]),
                "reason": row["reason"],
                "last_run_id": None if row["last_run_id"] is None else str(row["last_run_id"]),
                "last_started_at": _time(row["last_started_at"]),
            }
            for row in rows[-SHOWN:]
        ],
        "not_shown": max(0, len(rows) - SHOWN),
        "url": link(policy, "/runs"),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else format_time(at)
