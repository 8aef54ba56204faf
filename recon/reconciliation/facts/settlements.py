"""What a PSP's settlement files say against a wallet; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.reconciliation.candidate import Candidate
from recon.reconciliation.facts.money import of_line
from recon.reconciliation.model import Cause, Evidence, Finding
from recon.reconciliation.odds import Standing
from recon.settlements import FindingKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recon.reconciliation.facts.money import Moneys
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
    facts: Sequence[SettlementFact],
    moneys: Moneys,
    *,
    told: set[str],
    agreed_at: datetime | None,
) -> list[Candidate]:
    """Payments that a PSP has settled otherwise than they are booked.

    Args:
        facts: open findings of the wallet.
        moneys: what their money is called.
        told: money of which a delivery that could not be booked tells already.
        agreed_at: when both sides last agreed; what was settled before was settled for both.
    """
    candidates = []
    for fact in facts:
        name = moneys.name(
            fact.endpoint,
            of_line(fact.about),
            reference=fact.reference,
            payment_id=fact.payment_id,
            effect_id=fact.effect_id,
        )
        if fact.kind not in _CAUSES or not fact.amount.minor or name in told:
            continue
        conflicts = fact.kind is FindingKind.STATUS_CONFLICT
        # What is found has happened by then, whatever a file's clock says.
        at = fact.found_at if fact.settled_at is None else min(fact.settled_at, fact.found_at)
        candidates.append(
            Candidate(
                Evidence(
                    kind="settlement",
                    id=str(fact.finding_id),
                    amount=fact.amount.minor,
                    at=at,
                    summary=fact.summary,
                    cause=_CAUSES[fact.kind],
                    root=fact.endpoint,
                    finding=Finding.FAILED_HERE if conflicts else None,
                ),
                # What the PSP has paid is no opinion; what is missing there may come in the next.
                Standing.LIKELY if fact.kind is FindingKind.MISSING_THERE else Standing.KNOWN,
                doubts=int(agreed_at is not None and at < agreed_at),
                money=name,
            )
        )
    return candidates
