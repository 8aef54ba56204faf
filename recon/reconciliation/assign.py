"""Give a discrepancy to somebody, or back to nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from recon.db import with_retries
from recon.reconciliation.model import Status
from recon.reconciliation.read import read_discrepancy
from recon.reconciliation.review import change_case, earlier, note_step, take_case

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from recon.four_eyes import Step
    from recon.reconciliation.model import Discrepancy

__all__ = ["assign"]

_AT_WORK = frozenset({Status.OPEN, Status.INVESTIGATING})


@with_retries
async def assign(
    pool: Pool, discrepancy_id: UUID, assignee: str | None, *, step: Step
) -> Discrepancy:
    """Say who looks into it: an open one is then under investigation, until nobody is.

    Args:
        pool: the database.
        discrepancy_id: which.
        assignee: a person's name, ``None`` for nobody.
        step: who assigns.

    Returns:
        The discrepancy as it is now.

    Raises:
        NotFound: ``discrepancy_not_found``.
        DiscrepancyClosedError: it is resolved or cleared.
    """
    async with pool.acquire() as connection, connection.transaction():
        case = await take_case(connection, discrepancy_id)
        if await earlier(connection, case, step) is None:
            case.require_live()
            given = replace(case, assignee=assignee)
            after = await change_case(
                connection,
                case,
                status=given.at_work if case.status in _AT_WORK else case.status,
                assignee=assignee,
                ignored_until=case.ignored_until,
            )
            await note_step(connection, step, "assigned", before=case, after=after)
        return await read_discrepancy(connection, discrepancy_id)
