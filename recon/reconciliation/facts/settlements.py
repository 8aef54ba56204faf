"""What a PSP's settlement files say against a wallet; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.reconciliation.explain import Candidate
from recon.reconciliation.model import Cause, Evidence
from recon.reconciliation.odds import Standing
from recon.settlements import FindingKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recon.settlements import SettlementFact

__all__ = ["settled_otherwise"]

_CAUSES: Final = {
    FindingKind.MISSING_HERE: Cause.MISSING_WEBHOOK,
    FindingKind.STATUS_CONFLICT: Cause.MISSING_WEBHOOK,
    FindingKind.MISSING_THERE: Cause.MISSING_GAME_UPDATE,
    FindingKind.AMOUNT_MISMATCH: Cause.AMOUNT_MISMATCH,
    FindingKind.CURRENCY_MISMATCH: Cause.AMOUNT_MISMATCH,
}


def settled_otherwise(
    facts: Sequence[SettlementFact], *, reported: set[str], found_at: datetime
) -> list[Candidate]:
    """Payments that a PSP has settled otherwise than they are booked.

    Args:
        facts: open findings of the wallet.
        reported: references of which a delivery that could not be booked tells already.
        found_at: for what a file does not date.
    """
    return [
        Candidate(
            Evidence(
                kind="settlement",
                id=str(fact.finding_id),
                amount=fact.amount.minor,
                at=fact.settled_at or found_at,
                summary=fact.summary,
                cause=_CAUSES[fact.kind],
                root=fact.endpoint,
            ),
            # What the PSP has paid out is no opinion; what is missing there may come in the next.
            Standing.LIKELY if fact.kind is FindingKind.MISSING_THERE else Standing.KNOWN,
        )
        for fact in facts
        if fact.kind in _CAUSES and fact.amount.minor and fact.reference not in reported
    ]
