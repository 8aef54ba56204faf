"""What does not hold of the books and their past, as the service's own verification finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.alerts.gate import told_lately
from recon.alerts.items import SHOWN
from recon.alerts.model import AlertType
from recon.alerts.outbox import take_on
from recon.clock import format_time
from recon.db import load

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Policy

__all__ = ["find_faulty_books"]


async def find_faulty_books(
    connection: asyncpg.Connection[Any], policy: Policy, alert_id: UUID
) -> dict[str, Any] | None:
    """What the newest verification found that the one looked at before had not; else ``None``.

    A fault stands until people have dealt with it, and is told once; of those that stand the digest
    says how many. That a verification could not be made is told when the one before could.
    """
    if await told_lately(connection, AlertType.BOOKS_FAULTY, policy):
        return None
    newest = await connection.fetchrow(load("recon.alerts", "newest_verification"))
    if newest is None:
        return None
    known = newest["known"]
    new = [fault for fault in newest["faults"] if fault not in known]
    failed = newest["state"] == "failed" and newest["state_before"] != "failed"
    told_by = alert_id if new or failed else None
    subject = (str(newest["verification_id"]), newest["state"])
    await take_on(connection, told_by, "verification", [subject])
    if told_by is None:
        return None
    return {
        "verified_at": format_time(newest["finished_at"]),
        "count": len(newest["faults"]),
        "new": len(new),
        "reason": newest["reason"],
        "faults": new[:SHOWN],
        "not_shown": max(0, len(new) - SHOWN),
    }
