"""What the service's database role could do that it should not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.db import NO_PATH, load
from recon.db.pool import SEARCH_PATH
from recon.seals.model import SEALED_TABLES

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["Right", "excess_rights"]

_MAY_CHANGE: Final = {
    *(f"adjustments.{name}" for name in ("state", "decided_by", "decision_reason")),
    *(f"bet_rulings.{name}" for name in ("state", "decided_by", "decided_step", "decision_reason")),
    *(
        f"deliveries.{name}"
        for name in (
            *("body", "event_type", "kind", "payment_id", "effect_id", "reference", "user_id"),
            *("currency", "amount", "event_at", "state", "reason", "waited_at"),
        )
    ),
    "delivery_repeats.body",
}
"""What may become of a sealed row; none of it is sealed, or only in its last state."""


@dataclass(frozen=True, slots=True)
class Right:
    """A role that can rewrite the past, and how.

    Args:
        role: whom the service connects as.
        why: ``is superuser``, ``owns postings``, ``may change movements`` and the like.
    """

    role: str
    why: str


async def excess_rights(pool: Pool) -> list[Right]:
    """Every way in which this pool's role could rewrite what is sealed; none is as it should be."""
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        path = await connection.fetchval("SHOW search_path")
        await connection.execute(f"SET LOCAL {NO_PATH}")
        rows = await connection.fetch(
            load("recon.seals", "role_rights"), list(SEALED_TABLES), sorted(_MAY_CHANGE)
        )
        role = await connection.fetchval("SELECT current_user")
    found = [Right(row["role"], row["said"]) for row in rows]
    if any(row["is_superuser"] for row in rows):
        found = [Right(role, "is superuser")]
    if path != SEARCH_PATH:
        found.append(Right(role, f"reads by search_path {path}, not {SEARCH_PATH}"))
    return found
