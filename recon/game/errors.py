"""How a call to the game can fail, sorted by what the caller may conclude. Pure.

- `GameRefused`: the game answered no. This request had no effect; ``code`` says why.
- `GameOutcomeUnknown`: a signed POST may or may not have taken effect. Ask, do not send blindly.
- `GameUnavailable`: a GET failed, or a signed POST certainly had no effect. May be tried later.
- `GameMisconfigured`: our key, scopes, secret or clock are wrong. No effect; people must act.
- `GameProtocolError`: a GET's answer breaks the contract. (A POST's becomes an unknown outcome.)
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

from recon.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ReconError,
    Unavailable,
    Unprocessable,
)

__all__ = [
    "AnswerLostError",
    "GameBusy",
    "GameCircuitOpen",
    "GameConflict",
    "GameForbidden",
    "GameInvalid",
    "GameMisconfigured",
    "GameNotFound",
    "GameOutcomeUnknown",
    "GameProtocolError",
    "GameRefused",
    "GameSettingsInvalid",
    "GameUnavailable",
    "GameUnprocessable",
    "Refusal",
    "RequestNotSentError",
    "UntrustedServerError",
]

_DEFAULT_RETRY_S: Final = 5


class Refusal(StrEnum):
    """The codes of refusals that callers branch on: ``error.code == Refusal.ROUND_CLOSED``."""

    ROUND_CLOSED = "round_closed"
    HOLD_EXPIRED = "hold_expired"
    BET_NOT_ACTIVE = "bet_not_active"
    BELOW_AUTO_CASHOUT = "below_auto_cashout"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    CURRENCY_MISMATCH = "currency_mismatch"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    NOT_FOUND = "not_found"
    USER_NOT_FOUND = "user_not_found"
    USER_NOT_ALLOWED = "user_not_allowed"


class GameRefused(ReconError):  # noqa: N818 - named for what is the case, as the families are
    """The game understood and said no; this request had no effect.

    ``idempotency_key_reused`` alone says nothing about the *earlier* request under that key, which
    had another body and may well have taken effect.

    Args:
        message: the call and the game's own words, shortened.
        code: the game's code, see `Refusal`.
        status: the HTTP status, 4xx.
        request_id: the ``X-Request-Id`` of the attempt.
    """

    def __init__(self, message: str, *, code: str, status: int, request_id: str) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.request_id = request_id


class GameInvalid(GameRefused, Invalid):
    """400: we sent what the game does not understand."""


class GameForbidden(GameRefused, Forbidden):
    """403: this player may not."""


class GameNotFound(GameRefused, NotFound):
    """404: no such player, round, hold, ticket or payout."""


class GameConflict(GameRefused, Conflict):
    """409: too late or too early for it."""


class GameUnprocessable(GameRefused, Unprocessable):
    """422: a rule of the game says no."""


class GameUnavailable(Unavailable):
    """The game is out of reach, and nothing has happened there.

    Args:
        message: which call, and what stood in the way.
        wait_s: how long the game asked us to wait, None when it did not say.
        status: the HTTP status, None without an answer.
        request_id: the ``X-Request-Id`` of the last attempt.
    """

    code = "game_unavailable"

    def __init__(
        self, message: str, *, wait_s: float | None, status: int | None, request_id: str
    ) -> None:
        retry_after_s = _DEFAULT_RETRY_S if wait_s is None else max(1, math.ceil(wait_s))
        super().__init__(message, retry_after_s=retry_after_s)
        self.wait_s = wait_s
        self.status = status
        self.request_id = request_id


class GameBusy(GameUnavailable):
    """The key's rate limit is used up: the game is there, and nothing has happened.

    Without a ``status`` it was not sent: no turn came in time, or too many wait for one. With 429
    the game, or a gateway before it, has sent it back.
    """

    code = "game_busy"


class GameCircuitOpen(GameUnavailable):
    """Not sent: the game has not answered for a while, and is left alone until it does."""


class GameOutcomeUnknown(Unavailable):
    """A signed POST may or may not have taken effect: ask by its key before anything else.

    Args:
        message: which call, and how its answer was lost.
        reason: ``connection_lost`` (timeouts too), ``server_error``, ``protocol_error``,
            ``idempotency_in_progress``, ``nonce_reused`` or ``undefined_conflict``.
        status: the HTTP status, None without an answer.
        request_id: the ``X-Request-Id`` of the attempt.
    """

    code = "game_outcome_unknown"

    def __init__(self, message: str, *, reason: str, status: int | None, request_id: str) -> None:
        super().__init__(message, retry_after_s=_DEFAULT_RETRY_S)
        self.reason = reason
        self.status = status
        self.request_id = request_id


class GameMisconfigured(Unavailable):
    """The game does not accept us: key, scope, secret, clock or certificate. Nothing happened.

    Args:
        message: which call, and what to check.
        reason: the game's code (``invalid_api_key``, ``insufficient_scope``,
            ``invalid_signature``, ``stale_timestamp``…) or ``untrusted_server``.
        status: 401 or 403, None when the TLS certificate was not accepted.
        request_id: the ``X-Request-Id`` of the attempt.
    """

    code = "game_misconfigured"

    def __init__(self, message: str, *, reason: str, status: int | None, request_id: str) -> None:
        super().__init__(message, retry_after_s=60)
        self.reason = reason
        self.status = status
        self.request_id = request_id


class GameProtocolError(Unavailable):
    """The game's answer breaks the contract, or speaks of something that was not asked."""

    code = "game_protocol_error"

    def __init__(self, message: str) -> None:
        # It may quote the game, and be kept: Postgres has no text with a NUL in it.
        legible = "".join(sign if sign.isprintable() else "?" for sign in message)
        super().__init__(legible)
        self.status: int | None = None
        self.request_id: str | None = None


class GameSettingsInvalid(Invalid):
    """The client cannot be built from these settings."""

    code = "invalid_game_settings"


class RequestNotSentError(Exception):
    """A transport's word: no byte of the request left us."""


class UntrustedServerError(RequestNotSentError):
    """A transport's word: the server's certificate was not accepted, nothing was sent."""


class AnswerLostError(Exception):
    """A transport's word: the request may have arrived; no whole answer came back."""
