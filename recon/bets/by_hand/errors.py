"""Why people may not settle a bet, or not so."""

from __future__ import annotations

from recon.errors import Conflict, NotFound, Unprocessable

__all__ = [
    "BetNotWaitingError",
    "PayoutTooLargeError",
    "RulingCurrencyError",
    "RulingDecidedError",
    "RulingNotFoundError",
    "RulingProposedError",
    "StaleRulingError",
]


class BetNotWaitingError(Conflict):
    """The bet has an outcome, or the game is still expected to give it one."""

    code = "bet_not_for_people"


class RulingProposedError(Conflict):
    """A ruling waits for its decision, which comes first."""

    code = "ruling_already_proposed"


class RulingDecidedError(Conflict):
    """It was booked, rejected or found stale before."""

    code = "ruling_decided"


class StaleRulingError(Conflict):
    """The bet has gone on since it was proposed, so what was weighed is no longer the case."""

    code = "stale_ruling"


class RulingNotFoundError(NotFound):
    """There is no such ruling."""

    code = "ruling_not_found"


class RulingCurrencyError(Unprocessable):
    """A bet pays in the currency of its stake."""

    code = "currency_mismatch"


class PayoutTooLargeError(Unprocessable):
    """No multiplier makes such a payout of the stake."""

    code = "payout_too_large"
