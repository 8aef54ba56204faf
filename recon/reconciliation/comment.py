"""Say something about a discrepancy, for those who look into it after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.db import with_retries
from recon.reconciliation.history import HistoryEvent, read_event
from recon.reconciliation.review import earlier, note_step, take_case

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from recon.four_eyes import Step

__all__ = ["comment"]


@with_retries
async def comment(pool: Pool, discrepancy_id: UUID, text: str, *, step: Step) -> HistoryEvent:
    """Append a comment; a closed discrepancy may still be spoken of.

    Raises:
        NotFound: ``discrepancy_not_found``.
    """
    async with pool.acquire() as connection, connection.transaction():
        case = await take_case(connection, discrepancy_id)
        if await earlier(connection, case, step) is None:
            await note_step(
                connection, step, "commented", before=case, after=case, said={"text": text}
            )
        return await read_event(connection, case.user_id, discrepancy_id, step.step_id)
