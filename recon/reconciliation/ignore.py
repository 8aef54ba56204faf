"""Leave a discrepancy alone, for a reason and for as long as it stays what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.clock import now
from recon.db import with_retries
from recon.errors import Invalid
from recon.reconciliation.model import Status
from recon.reconciliation.read import read_discrepancy
from recon.reconciliation.review import change_case, earlier, note_step, take_case

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from recon.db import Pool
    from recon.four_eyes import Step
    from recon.reconciliation.model import Discrepancy

__all__ = ["ignore"]


@with_retries
async def ignore(
    pool: Pool, discrepancy_id: UUID, reason: str, *, until: datetime | None, step: Step
) -> Discrepancy:
    """Ignore this difference; a run that sees another one, or sees it after ``until``, reopens it.

    Args:
        pool: the database.
        discrepancy_id: which.
        reason: why, for those who ask later.
        until: an instant to come; ``None``: as long as the difference is the same.
        step: who decides so.

    Returns:
        The discrepancy as it is now.

    Raises:
        Invalid: ``invalid_until``, it is past.
        NotFound: ``discrepancy_not_found``.
        DiscrepancyClosedError: it is resolved or cleared.
        AdjustmentProposedError: a proposal waits to be decided first.
    """
    async with pool.acquire() as connection, connection.transaction():
        case = await take_case(connection, discrepancy_id)
        if await earlier(connection, case, step) is None:
            if until is not None and until <= now():
                raise Invalid("until is an instant to come", code="invalid_until")
            case.require_undecided()
            after = await change_case(
                connection,
                case,
                status=Status.IGNORED,
                assignee=case.assignee,
                ignored_until=until,
            )
            await note_step(
                connection, step, "ignored", before=case, after=after, said={"reason": reason}
            )
        return await read_discrepancy(connection, discrepancy_id)
