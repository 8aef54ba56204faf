"""The digest: what is open, new and healed, at its hour; none when there is nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.alerts.items import SHOWN, discrepancy_item, link
from recon.alerts.outbox import take_on
from recon.alerts.rules import digest_slot
from recon.clock import first_id_at, format_time, now
from recon.db import load
from recon.money import format_minor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.alerts.model import Policy

__all__ = ["find_digest"]

_MAY_BE_COMMITTED_LATER: Final = timedelta(minutes=1)


async def find_digest(
    connection: asyncpg.Connection[Any], policy: Policy, alert_id: UUID
) -> dict[str, Any] | None:
    """What the newest hour of the digest has to say; ``None`` when that is nothing, or was said.

    It tells of the time since the digest before. One whose hour found nobody at work comes late,
    and tells of all that time. The first hour after alerts were switched on only begins it. It is
    looked at a minute later: what carries an instant before its hour has been committed by then.
    """
    if policy.digest_every is None:
        return None
    until = digest_slot(now() - _MAY_BE_COMMITTED_LATER, policy.digest_every, policy.digest_at)
    last = await connection.fetchval(load("recon.alerts", "last_digest"), now())
    if last is not None and last >= until:
        return None
    data = None
    if last is not None:
        data = await _digest(connection, policy, last, until)
    # Looked at is looked at: what happens later in the day belongs to the next one.
    told_by = None if data is None else alert_id
    await take_on(connection, told_by, "digest", [(format_time(until), None)])
    return data


async def _digest(
    connection: asyncpg.Connection[Any], policy: Policy, since: datetime, until: datetime
) -> dict[str, Any] | None:
    opened = await connection.fetch(
        load("recon.alerts", "digest_new"), first_id_at(since), first_id_at(until)
    )
    reopened = await connection.fetch(load("recon.alerts", "digest_reopened"), since, until)
    healed = await connection.fetch(load("recon.alerts", "digest_healed"), since, until)
    standing = await connection.fetch(load("recon.alerts", "digest_open"))
    ended = await connection.fetch(load("recon.alerts", "digest_runs"), since, until)
    runs = {"finished": 0, "incomplete": 0, "failed": 0}
    runs |= {row["state"]: row["count"] for row in ended if row["state"] in runs}
    verified = await connection.fetchrow(load("recon.alerts", "digest_verification"))
    faults = 0 if verified is None else verified["faults"]
    wrong = runs["incomplete"] or runs["failed"] or faults
    if not (opened or reopened or healed or standing or wrong):
        return None
    items = await connection.fetch(load("recon.alerts", "digest_items"), SHOWN)
    open_count = sum(row["count"] for row in standing)
    return {
        "since": format_time(since),
        "until": format_time(until),
        "open": open_count,
        "new": sum(row["count"] for row in opened),
        "reopened": sum(row["count"] for row in reopened),
        "healed": sum(row["count"] for row in healed),
        "currencies": _by_currency(standing, opened, reopened, healed),
        "runs": runs,
        "verification": None
        if verified is None
        else {"verified_at": format_time(verified["finished_at"]), "faults": faults},
        "discrepancies": [discrepancy_item(row, policy) for row in items],
        "not_shown": open_count - len(items),
        "url": link(policy, "/discrepancies"),
    }


def _by_currency(
    standing: Sequence[asyncpg.Record],
    opened: Sequence[asyncpg.Record],
    reopened: Sequence[asyncpg.Record],
    healed: Sequence[asyncpg.Record],
) -> list[dict[str, Any]]:
    parts = [
        {row["currency"]: row for row in rows} for rows in (standing, opened, reopened, healed)
    ]
    found = []
    for currency in sorted({currency for part in parts for currency in part}):
        now_open, new, back, gone = (part.get(currency) for part in parts)
        found.append(
            {
                "currency": currency,
                "open": _part(now_open, "count"),
                "open_unexplained": _part(now_open, "unexplained_count"),
                "difference": format_minor(_part(now_open, "difference"), currency),
                "unexplained": format_minor(_part(now_open, "unexplained"), currency),
                "new": _part(new, "count"),
                "new_difference": format_minor(_part(new, "difference"), currency),
                "reopened": _part(back, "count"),
                "healed": _part(gone, "count"),
                "healed_by_itself": _part(gone, "cleared"),
                "healed_difference": format_minor(_part(gone, "difference"), currency),
            }
        )
    return found


def _part(row: asyncpg.Record | None, name: str) -> int:
    return 0 if row is None else int(row[name])
