"""Propose an adjustment: what should be booked so that the ledger says what is true."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from recon.clock import new_id
from recon.db import load, with_retries
from recon.errors import Invalid
from recon.four_eyes import Step
from recon.ledger import read_wallet_or_none
from recon.money import Money
from recon.reconciliation.adjustments import read_adjustment
from recon.reconciliation.errors import AdjustmentProposedError, DifferenceChangedError
from recon.reconciliation.model import Status
from recon.reconciliation.review import change_case, earlier, note_step, take_case

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.reconciliation.adjustments import Adjustment
    from recon.reconciliation.review import Case

__all__ = ["propose"]


@with_retries
async def propose(
    pool: Pool,
    discrepancy_id: UUID,
    amount: str,
    reason: str,
    *,
    seen: str | None = None,
    step: Step,
) -> Adjustment:
    """Propose to add an amount to the player's available balance, for another to approve.

    It binds to the wallet as it is now, and to the difference that a run has found last: any
    posting, and any look that finds another difference, makes it stale, and then it may be proposed
    again.

    Args:
        pool: the database.
        discrepancy_id: which.
        amount: a signed decimal string in the discrepancy's currency, not zero.
        reason: why the ledger should say so.
        seen: the difference that the proposer has seen, as a decimal string, where that is known.
        step: who proposes.

    Raises:
        Invalid: ``invalid_amount``.
        NotFound: ``discrepancy_not_found``.
        DiscrepancyClosedError: it is resolved or cleared.
        DifferenceChangedError: a run has found another difference than was seen.
        AdjustmentProposedError: a proposal waits that may still be booked.
    """
    async with pool.acquire() as connection, connection.transaction():
        case = await take_case(connection, discrepancy_id)
        noted = await earlier(connection, case, step)
        if noted is not None:
            return await read_adjustment(connection, UUID(noted["adjustment_id"]))
        change = Money.parse(amount, case.currency)
        if change.minor == 0:
            raise Invalid("an adjustment of nothing adjusts nothing", code="invalid_amount")
        case.require_live()
        _require_seen(case, seen)
        # Before the version is read that this one binds to: what is replaced had moved by then.
        replaced = await connection.fetchrow(
            load("recon.reconciliation", "replace_moved"), case.user_id, discrepancy_id
        )
        if replaced is not None:
            # A step of its own: the proposer's intent has but one, which is the new proposal.
            await note_step(
                connection,
                Step(step.actor, new_id()),
                "adjustment_stale",
                before=case,
                after=case,
                said={
                    "adjustment_id": str(replaced["adjustment_id"]),
                    "reason": replaced["why_stale"],
                },
            )
        wallet = await read_wallet_or_none(connection, case.user_id, case.currency)
        version = 0 if wallet is None else wallet.version
        adjustment_id = await connection.fetchval(
            load("recon.reconciliation", "insert_adjustment"),
            *(case.user_id, new_id(), discrepancy_id, case.currency, Decimal(change.minor)),
            *(reason, version, step.actor, Decimal(case.shown.of_available)),
            *(Decimal(case.shown.ledger_available), Decimal(case.shown.game_available)),
        )
        if adjustment_id is None:
            raise AdjustmentProposedError("approve or reject the proposed adjustment first")
        after = await change_case(
            connection, case, status=Status.AWAITING_APPROVAL, assignee=case.assignee
        )
        said = {
            "adjustment_id": str(adjustment_id),
            "amount": str(change),
            "currency": change.currency,
            "reason": reason,
        }
        await note_step(connection, step, "proposed", before=case, after=after, said=said)
        return await read_adjustment(connection, adjustment_id)


def _require_seen(case: Case, seen: str | None) -> None:
    if seen is None:
        return
    was, is_now = Money.parse(seen, case.currency), Money(case.shown.difference, case.currency)
    if was != is_now:
        raise DifferenceChangedError(
            f"a run has compared it since you looked: the difference was {was} {case.currency}, "
            f"now it is {is_now}"
        )
