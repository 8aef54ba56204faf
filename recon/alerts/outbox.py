"""Write a message down with its deliveries, in the commit of whoever found what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.alerts.wording import headline
from recon.clock import format_time, now
from recon.db import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Alerting, AlertType

__all__ = ["compose", "put", "take_on"]


def compose(alerting: Alerting, kind: AlertType, data: dict[str, Any]) -> dict[str, Any]:
    """The body of a message, as Standard Webhooks has it: ``type``, ``timestamp``, ``data``."""
    return {
        "type": kind,
        "timestamp": format_time(now()),
        "data": {
            "environment": alerting.policy.environment,
            "summary": headline(kind, data),
            **data,
        },
    }


async def put(
    connection: asyncpg.Connection[Any],
    alerting: Alerting,
    alert_id: UUID,
    kind: AlertType,
    data: dict[str, Any],
    *,
    channels: Sequence[str],
) -> None:
    """Write a message down; it is sent once this is committed.

    Args:
        connection: in a transaction.
        alerting: the rules.
        alert_id: the message's.
        kind: what it is about.
        data: what it says.
        channels: through which it goes, of those that want it.
    """
    takers = [
        channel.name
        for channel in alerting.channels
        if channel.name in channels and kind in channel.wants
    ]
    await connection.execute(
        load("recon.alerts", "insert_alert"),
        *(alert_id, kind, compose(alerting, kind, data), takers),
    )


async def take_on(
    connection: asyncpg.Connection[Any],
    alert_id: UUID | None,
    kind: str,
    subjects: Sequence[tuple[str, str | None]],
) -> set[str]:
    """Write down that these are told by a message; those of them that nobody had told.

    Args:
        connection: in a transaction.
        alert_id: the message, which may be written after them; ``None``: there is nothing to tell.
        kind: of the subjects.
        subjects: each with a word on why.
    """
    rows = await connection.fetch(
        load("recon.alerts", "insert_subjects"),
        *(alert_id, kind, [name for name, _ in subjects], [why for _, why in subjects]),
    )
    return {row["subject"] for row in rows}
