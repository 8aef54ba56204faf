"""Why a step of a review is refused."""

from __future__ import annotations

from recon.errors import Conflict

__all__ = [
    "AdjustmentDecidedError",
    "AdjustmentProposedError",
    "DiscrepancyClosedError",
    "StaleAdjustmentError",
]


class DiscrepancyClosedError(Conflict):
    """It is resolved or cleared; a difference that comes back is a discrepancy of its own."""

    code = "discrepancy_closed"


class AdjustmentProposedError(Conflict):
    """An adjustment waits for its decision, which comes first."""

    code = "adjustment_already_proposed"


class AdjustmentDecidedError(Conflict):
    """It was booked, rejected or found stale before."""

    code = "adjustment_decided"


class StaleAdjustmentError(Conflict):
    """The wallet moved since it was proposed, so what was weighed is no longer the case."""

    code = "stale_adjustment"
