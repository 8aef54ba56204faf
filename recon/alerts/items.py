"""What a message shows of a discrepancy, and links to pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from recon.clock import format_time
from recon.money import format_minor

if TYPE_CHECKING:
    import asyncpg

    from recon.alerts.model import Policy

__all__ = ["SHOWN", "discrepancy_item", "link"]

SHOWN: Final = 20
"""Of what a message is about, one by one; the rest is in its sums."""


def link(policy: Policy, path: str) -> str | None:
    """Where people see more; ``None`` where nobody has said where the pages are."""
    return None if policy.public_url is None else policy.public_url + path


def discrepancy_item(row: asyncpg.Record, policy: Policy) -> dict[str, Any]:
    """A discrepancy in a message: ids, amounts, times; amounts are signed decimal strings."""
    return {
        "discrepancy_id": str(row["discrepancy_id"]),
        "user_id": row["user_id"],
        "currency": row["currency"],
        "difference": format_minor(row["difference"], row["currency"]),
        "unexplained": format_minor(row["unexplained"], row["currency"]),
        "cause": row["cause"],
        "severity": row["severity"],
        "status": row["status"],
        "first_seen_at": format_time(row["first_seen_at"]),
        "last_seen_at": format_time(row["last_seen_at"]),
        "url": link(policy, f"/discrepancies/{row['discrepancy_id']}"),
    }
