"""Differences that stand, and that nothing explains, or not all of them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from recon.alerts.gate import told_lately
from recon.alerts.items import SHOWN, discrepancy_item, link
from recon.alerts.model import AlertType
from recon.db import load
from recon.money import format_minor

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Policy

__all__ = ["find_unexplained"]

_TIMEOUT_S: Final = 600
"""A million new ones at once are written down one by one, and told as one."""


async def find_unexplained(
    connection: asyncpg.Connection[Any], policy: Policy, alert_id: UUID
) -> dict[str, Any] | None:
    """What stands unexplained and was not told as it is now; ``None`` when there is nothing.

    A difference is told when it has stood unexplained for `Policy.sustained`, from the first look
    that found it so to its last: what is explained but for one look is no news. Again when it is
    reopened; and again when its unexplained part has moved by as much as was told, as when it
    doubles or changes its sign.
    """
    if await told_lately(connection, AlertType.UNEXPLAINED, policy):
        return None
    count: int = await connection.fetchval(
        load("recon.alerts", "find_unexplained"),
        alert_id,
        policy.sustained,
        list(policy.severities),
        list(policy.least),
        [Decimal(least) for least in policy.least.values()],
        timeout=_TIMEOUT_S,
    )
    if not count:
        return None
    totals = await connection.fetch(
        load("recon.alerts", "unexplained_totals"), alert_id, timeout=_TIMEOUT_S
    )
    items = await connection.fetch(
        load("recon.alerts", "unexplained_items"), alert_id, SHOWN, timeout=_TIMEOUT_S
    )
    return {
        "count": count,
        "currencies": [
            {
                "currency": row["currency"],
                "count": row["count"],
                "difference": format_minor(row["difference"], row["currency"]),
                "unexplained": format_minor(row["unexplained"], row["currency"]),
            }
            for row in totals
        ],
        "discrepancies": [
            {**discrepancy_item(row, policy), "told_because": row["reason"]} for row in items
        ],
        "not_shown": count - len(items),
        "url": link(policy, "/discrepancies"),
    }
