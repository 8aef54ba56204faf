"""Why a step of a review is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.errors import Conflict
from recon.reconciliation.then_and_now import Outdated, balances_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recon.reconciliation.adjustments import Adjustment, Balances

__all__ = [
    "AdjustmentDecidedError",
    "AdjustmentProposedError",
    "DifferenceChangedError",
    "DiscrepancyClosedError",
    "NotComparedError",
    "OutdatedError",
    "StaleAdjustmentError",
]


class DiscrepancyClosedError(Conflict):
    """It is resolved or cleared; a difference that comes back is a discrepancy of its own."""

    code = "discrepancy_closed"


class AdjustmentProposedError(Conflict):
    """An adjustment waits for its decision, which comes first."""

    code = "adjustment_already_proposed"


class AdjustmentDecidedError(Conflict):
    """It was booked or rejected before."""

    code = "adjustment_decided"


class DifferenceChangedError(Conflict):
    """Whoever proposes has seen another difference than there is by now."""

    code = "difference_changed"


class OutdatedError(Conflict):
    """What was proposed cannot be booked as ledger and game stand now.

    Args:
        why: what has come in between.
        adjustment: what was proposed, with the balances that it was proposed on, and those of now.
    """

    def __init__(self, why: str, adjustment: Adjustment) -> None:
        currency, now = adjustment.currency, adjustment.now
        said = f"{why}; proposed on {_said(adjustment.proposed_on, currency)}"
        is_so = "by now they agree" if now is None else f"now {_said(now, currency)}"
        super().__init__(f"{said}, {is_so}")
        self.adjustment = adjustment

    @property
    def extensions(self) -> Mapping[str, object]:
        """The balances, as ``outdated``."""
        return {"outdated": self.outdated}

    @property
    def outdated(self) -> Outdated:
        """The balances as problems tell them."""
        currency, now = self.adjustment.currency, self.adjustment.now
        return Outdated(
            currency,
            balances_view(self.adjustment.proposed_on, currency),
            None if now is None else balances_view(now, currency),
        )


class StaleAdjustmentError(OutdatedError):
    """The wallet or the difference is another since, so that it has to be proposed anew."""

    code = "stale_adjustment"


class NotComparedError(OutdatedError):
    """The wallet had moved since ledger and game were compared; a re-check comes first."""

    code = "not_compared"


def _said(balances: Balances, currency: str) -> str:
    told = balances_view(balances, currency)
    apart = "" if told.difference is None else f" ({told.difference} apart)"
    return f"ledger {told.ledger} and game {told.game} {currency}{apart}"
