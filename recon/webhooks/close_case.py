"""Close a case by hand: who did, when and why stays with it, and in the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from recon.audit import record_action
from recon.db import load, with_retries
from recon.webhooks.errors import CaseClosedError, CaseNotFoundError
from recon.webhooks.inbox import CaseRow, case_of

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["CloseCase", "close_case", "read_case"]


class CloseCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the case needs nobody any more."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


@with_retries
async def close_case(pool: Pool, case_id: UUID, reason: str, *, actor: str) -> CaseRow:
    """Close an open case; nothing is booked by it, and what comes later is booked as ever.

    Args:
        pool: the database.
        case_id: which one.
        reason: for whoever reads it after.
        actor: who closes it, as the audit names them.

    Raises:
        CaseNotFoundError: there is no such case.
        CaseClosedError: somebody, or a report that came late, was faster.
    """
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            load("recon.webhooks", "close_case"), case_id, actor, reason
        )
        if row is None:
            await read_case(connection, case_id)
            raise CaseClosedError("this case is closed already")
        closed = case_of(row)
        await record_action(
            connection,
            actor=actor,
            action="case.closed",
            obj=f"case:{case_id}",
            kind=closed.kind,
            reference=closed.reference,
            reason=reason,
        )
        return closed


async def read_case(connection: asyncpg.Connection[Any], case_id: UUID) -> CaseRow:
    """One case.

    Raises:
        CaseNotFoundError: there is no such case.
    """
    row = await connection.fetchrow(load("recon.webhooks", "case"), case_id)
    if row is None:
        raise CaseNotFoundError(f"there is no case {case_id}")
    return case_of(row)
