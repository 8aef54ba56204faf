"""Incidents: discrepancies of several wallets that share one root, told as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.alerts.gate import told_lately
from recon.alerts.items import SHOWN, link
from recon.alerts.model import AlertType
from recon.alerts.outbox import take_on
from recon.clock import format_time
from recon.db import load
from recon.money import format_minor
from recon.reconciliation.incidents import read_incident

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Policy
    from recon.reconciliation.incidents import Incident

__all__ = ["find_incidents"]


async def find_incidents(
    connection: asyncpg.Connection[Any], policy: Policy, alert_id: UUID
) -> dict[str, Any] | None:
    """Incidents that stay open, each told once; ``None`` when there are none.

    One that heals within `Policy.sustained`, as when a PSP sends again what was lost, is not told.
    """
    if await told_lately(connection, AlertType.INCIDENTS, policy):
        return None
    rows = await connection.fetch(load("recon.alerts", "find_incidents"), policy.sustained)
    if not rows:
        return None
    ids = [row["incident_id"] for row in rows]
    await take_on(connection, alert_id, "incident", [(str(one), None) for one in ids])
    shown = [await read_incident(connection, one) for one in ids[-SHOWN:]]
    return {
        "count": len(ids),
        "incidents": [_item(one, policy) for one in shown],
        "not_shown": len(ids) - len(shown),
        "url": link(policy, "/"),
    }


def _item(incident: Incident, policy: Policy) -> dict[str, Any]:
    return {
        "incident_id": str(incident.incident_id),
        "cause": incident.cause,
        "root": incident.root,
        "from_at": format_time(incident.from_at),
        "until_at": format_time(incident.until_at),
        "opened_at": format_time(incident.opened_at),
        "discrepancies": incident.discrepancies,
        "still_open": incident.still_open,
        "looked": incident.looked,
        "differed": incident.differed,
        "currencies": [
            {
                "currency": part.currency,
                "discrepancies": part.discrepancies,
                "still_open": part.still_open,
                "difference": format_minor(part.difference, part.currency),
            }
            for part in incident.parts
        ],
        "url": link(policy, _page(incident)),
    }


def _page(incident: Incident) -> str:
    """Where more is to be seen of it: where runs stopped there are no discrepancies."""
    if incident.looked is not None:
        return "/runs"
    return f"/discrepancies?status=all&incident_id={incident.incident_id}"
