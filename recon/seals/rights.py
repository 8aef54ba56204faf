"""What the service's database role could do that it should not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.db import load
from recon.seals.model import SEALED_TABLES

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["Right", "excess_rights"]


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
    found = []
    for row in await pool.fetch(load("recon.seals", "role_rights"), list(SEALED_TABLES)):
        if row["is_superuser"]:
            return [Right(row["role"], "is superuser")]
        if row["is_owner"]:
            found.append(Right(row["role"], f"owns {row['table_name']}"))
        elif row["may_change"]:
            found.append(Right(row["role"], f"may change {row['table_name']}"))
    return found
