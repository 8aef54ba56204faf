"""Compare a discrepancy's wallets again, now."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from recon.db import with_retries
from recon.reconciliation.model import RunScope
from recon.reconciliation.review import earlier, note_step, take_case
from recon.reconciliation.start import begin_run

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.four_eyes import Step

__all__ = ["recheck"]


@with_retries
async def recheck(pool: Pool, discrepancy_id: UUID, *, queued: bool = True, step: Step) -> UUID:
    """Start a run over the player's wallets; its id.

    What it finds closes the discrepancy, changes it or lets it stand. A closed one may be
    rechecked as well: should it differ as before, it is open again.

    Args:
        pool: the database.
        discrepancy_id: which.
        queued: let workers compare; else the caller does (`run_here`).
        step: who asks for it.

    Raises:
        NotFound: ``discrepancy_not_found``.
    """
    async with pool.acquire() as connection, connection.transaction():
        case = await take_case(connection, discrepancy_id)
        noted = await earlier(connection, case, step)
        if noted is not None:
            return UUID(noted["run_id"])
        run_id = await begin_run(
            connection,
            RunScope.USERS,
            trigger=f"recheck:{discrepancy_id}",
            users=[case.user_id],
            queued=queued,
        )
        await note_step(
            connection, step, "rechecked", before=case, after=case, said={"run_id": str(run_id)}
        )
    return run_id
