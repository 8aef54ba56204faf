"""The audit: who did what to which object; append-only, and inside the chain of seals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.clock import new_id
from recon.db import load

if TYPE_CHECKING:
    import asyncpg

__all__ = ["record_action"]


async def record_action(
    connection: asyncpg.Connection[Any], *, actor: str, action: str, obj: str, **detail: object
) -> None:
    """Append to the audit, in the caller's transaction.

    Args:
        connection: where the action itself is written.
        actor: ``staff:<name>``, a caller's name, ``cli``, or ``nobody`` when it is not known who.
        action: what was done, in the past tense.
        obj: to what, as ``<kind>:<id>``.
        detail: what else is worth knowing, as JSON has it; never a secret.
    """
    await connection.execute(
        load("recon.audit", "insert_audit"), new_id(), actor, action, obj, detail
    )
