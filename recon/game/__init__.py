"""The client of the game API: what it may be asked, and what each failure allows us to conclude.

`GameClient` speaks the REST calls; every answer is checked to be about what was asked, money is
minor units, multipliers are exact decimals, times have their zone. Signed POSTs are never sent
again by themselves once they may have taken effect: they end as `GameOutcomeUnknown`, to be settled
by `GameClient.bet_by_key`, `bet` and `payout`. `recon.game.errors` says what each error means.

Not thread-safe: one client belongs to one event loop.
"""

from __future__ import annotations

from recon.game.attempts import Attempt
from recon.game.breaker import BreakerPolicy
from recon.game.client import GameClient
from recon.game.errors import (
    AnswerLostError,
    GameBusy,
    GameCircuitOpen,
    GameConflict,
    GameForbidden,
    GameInvalid,
    GameMisconfigured,
    GameNotFound,
    GameOutcomeUnknown,
    GameProtocolError,
    GameRefused,
    GameSettingsInvalid,
    GameUnavailable,
    GameUnprocessable,
    Refusal,
    RequestNotSentError,
    UntrustedServerError,
)
from recon.game.model import (
    Bet,
    BetStatus,
    CashOut,
    GameBalance,
    GameRound,
    GameState,
    Hold,
    KeyOutcome,
    Payout,
    PayoutStatus,
    RoundAnswer,
    RoundStatus,
)
from recon.game.notices import Notice, RateLimits
from recon.game.pace import Priority
from recon.game.retrying import RetryPolicy
from recon.game.signing import SigningMiddleware, canonical_string, signature
from recon.game.transport import Outgoing, Transport
from recon.game.verdicts import Answer
from recon.game.wire import hold_body

__all__ = [
    "Answer",
    "AnswerLostError",
    "Attempt",
    "Bet",
    "BetStatus",
    "BreakerPolicy",
    "CashOut",
    "GameBalance",
    "GameBusy",
    "GameCircuitOpen",
    "GameClient",
    "GameConflict",
    "GameForbidden",
    "GameInvalid",
    "GameMisconfigured",
    "GameNotFound",
    "GameOutcomeUnknown",
    "GameProtocolError",
    "GameRefused",
    "GameRound",
    "GameSettingsInvalid",
    "GameState",
    "GameUnavailable",
    "GameUnprocessable",
    "Hold",
    "KeyOutcome",
    "Notice",
    "Outgoing",
    "Payout",
    "PayoutStatus",
    "Priority",
    "RateLimits",
    "Refusal",
    "RequestNotSentError",
    "RetryPolicy",
    "RoundAnswer",
    "RoundStatus",
    "SigningMiddleware",
    "Transport",
    "UntrustedServerError",
    "canonical_string",
    "hold_body",
    "signature",
]
