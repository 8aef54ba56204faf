"""Bets that people were shown: what no answer of the game settles, or what it said contradicts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from recon.alerts.gate import told_lately
from recon.alerts.items import SHOWN, link
from recon.alerts.model import AlertType
from recon.alerts.outbox import take_on
from recon.bets import BET_CASES
from recon.clock import format_time
from recon.db import load
from recon.money import format_minor

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Policy

__all__ = ["find_waiting_bets"]


async def find_waiting_bets(
    connection: asyncpg.Connection[Any], policy: Policy, alert_id: UUID
) -> dict[str, Any] | None:
    """Cases of bets that stay open, each told once; ``None`` when there are none.

    One that closes within `Policy.sustained`, because the game answers after all, is not told.
    """
    if await told_lately(connection, AlertType.BETS_WAITING, policy):
        return None
    rows = await connection.fetch(
        load("recon.alerts", "find_bets"), list(BET_CASES), policy.sustained
    )
    if not rows:
        return None
    await take_on(connection, alert_id, "bet", [(str(row["case_id"]), None) for row in rows])
    stakes: Counter[str] = Counter()
    for row in rows:
        stakes[row["currency"]] += int(row["amount"])
    return {
        "count": len(rows),
        "currencies": [
            {"currency": currency, "stakes": format_minor(stakes[currency], currency)}
            for currency in sorted(stakes)
        ],
        "bets": [_item(row, policy) for row in rows[:SHOWN]],
        "not_shown": max(0, len(rows) - SHOWN),
        "url": link(policy, "/cases"),
    }


def _item(row: asyncpg.Record, policy: Policy) -> dict[str, Any]:
    return {
        "bet_id": row["bet_id"],
        "case_id": str(row["case_id"]),
        "kind": row["kind"],
        "reason": row["reason"],
        "user_id": row["user_id"],
        "stake": format_minor(row["amount"], row["currency"]),
        "currency": row["currency"],
        "opened_at": format_time(row["opened_at"]),
        "url": link(policy, f"/bets/{row['bet_id']}"),
    }
