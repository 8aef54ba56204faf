"""Account for a difference: what our evidence, and that of the game, says of how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from recon.reconciliation.explain import Explanation, explain_look
from recon.reconciliation.facts import Facts, gather, gather_more
from recon.reconciliation.model import Cause

if TYPE_CHECKING:
    from datetime import datetime

    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.model import Reconciler

__all__ = ["Account", "account_for"]

log = structlog.get_logger(__name__)

_SURE: Final = 90
"""Per cent; what is less certain is worth the questions that could tell better."""


@dataclass(frozen=True, slots=True)
class Account:
    """Which reading of a look is meant, what explains it, and what was looked at for that."""

    meant: Comparison
    explanation: Explanation
    looked_at: list[str]


async def account_for(
    reconciler: Reconciler, seen: Comparison, *, since: datetime | None = None
) -> Account:
    """Explain a difference by what we have, and ask further where that is not enough.

    A difference stands whether or not it can be explained: where that fails it is unexplained, with
    the failure as what was looked at, and the next run tries again.

    Args:
        reconciler: whose ledger and game.
        seen: what differs.
        since: when this very difference was first seen, where that is known.
    """
    facts, meant, explanation = Facts([]), seen, _nothing(seen)
    try:
        facts = await gather(reconciler, seen, since=since)
        meant, explanation = explain_look(seen, facts.candidates, facts.booked)
        if explanation.unexplained or explanation.confidence < _SURE:
            facts = await gather_more(reconciler, seen, facts)
            meant, explanation = explain_look(seen, facts.candidates, facts.booked)
    except Exception as error:
        # Nobody foresaw it; that money differs is more than why.
        wallet = seen.snapshot
        log.exception(
            "difference_not_explained",
            user_id=wallet.user_id,
            currency=wallet.currency,
            error=repr(error),
        )
        failed = "not everything could be looked at: an unforeseen error of ours"
        return Account(meant, explanation, [*facts.looked_at, failed])
    return Account(meant, explanation, facts.looked_at)


def _nothing(seen: Comparison) -> Explanation:
    return Explanation(0, seen.difference, Cause.UNEXPLAINED, [])
