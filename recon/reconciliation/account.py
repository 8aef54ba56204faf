"""Account for a difference: what our evidence, and that of the game, says of how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.reconciliation.explain import explain_look
from recon.reconciliation.facts import gather, gather_more

if TYPE_CHECKING:
    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.explain import Explanation
    from recon.reconciliation.model import Reconciler

__all__ = ["Account", "account_for"]


@dataclass(frozen=True, slots=True)
class Account:
    """Which reading of a look is meant, what explains it, and what was looked at for that."""

    meant: Comparison
    explanation: Explanation
    looked_at: list[str]


async def account_for(reconciler: Reconciler, seen: Comparison) -> Account:
    """Explain a difference by what we have, and ask further where that is not enough."""
    facts = await gather(reconciler, seen)
    meant, explanation = explain_look(seen, facts.candidates)
    if explanation.unexplained:
        facts = await gather_more(reconciler, seen, facts)
        meant, explanation = explain_look(seen, facts.candidates)
    return Account(meant, explanation, facts.looked_at)
