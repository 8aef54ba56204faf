"""What a status, or the lack of an answer, lets us conclude. Pure.

For a signed POST the only question is whether it can have taken effect. The contract's 4xx are
answers of the game itself, given before any effect; whatever is not clearly one of them (a 5xx, a
proxy's page, a redirect, a conflict that we do not know) leaves the outcome unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from recon.game.errors import (
    GameBusy,
    GameConflict,
    GameForbidden,
    GameInvalid,
    GameMisconfigured,
    GameNotFound,
    GameOutcomeUnknown,
    GameProtocolError,
    GameRefused,
    GameUnavailable,
    GameUnprocessable,
)
from recon.game.wire import read_error

if TYPE_CHECKING:
    from recon.game.wire import ErrorBody

__all__ = ["Answer", "Asked", "judge", "unreadable"]

_OK: Final = frozenset({200, 201})

_STATUS_OF: Final = {
    "bad_request": 400,
    "validation_failed": 400,
    "idempotency_key_missing": 400,
    "invalid_api_key": 401,
    "invalid_signature": 401,
    "stale_timestamp": 401,
    "nonce_reused": 401,
    "insufficient_scope": 403,
    "user_not_allowed": 403,
    "not_found": 404,
    "user_not_found": 404,
    "round_closed": 409,
    "hold_expired": 409,
    "bet_not_active": 409,
    "below_auto_cashout": 409,
    "idempotency_in_progress": 409,
    "insufficient_balance": 422,
    "currency_mismatch": 422,
    "idempotency_key_reused": 422,
    "rate_limited": 429,
}
_REFUSED: Final[dict[int, type[GameRefused]]] = {
    400: GameInvalid,
    403: GameForbidden,
    404: GameNotFound,
    409: GameConflict,
    422: GameUnprocessable,
}
_ADVICE: Final = {
    "invalid_api_key": "the API key is unknown or revoked",
    "insufficient_scope": "the API key lacks a scope that this call needs",
    "invalid_signature": "the signing secret is not the one that the game has",
    "stale_timestamp": "this machine's clock is off by more than a minute",
}


class Answer(msgspec.Struct, frozen=True):
    """A whole answer: ``headers`` looks names up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Asked(msgspec.Struct, frozen=True):
    """What a verdict needs to know of the attempt.

    Args:
        operation: the call's name, such as ``POST /api/v1/bets/holds``.
        moves_money: a signed POST, whose effect matters.
        conditional: sent with validators, so that 304 is an answer.
        request_id: of the attempt.
    """

    operation: str
    moves_money: bool
    conditional: bool
    request_id: str


def judge(asked: Asked, answer: Answer, wait_s: float | None) -> None:
    """Return if the answer is a success; raise what it means otherwise.

    Args:
        asked: the attempt.
        answer: what came back.
        wait_s: how long the game asks us to wait, if it does.

    Raises:
        GameRefused: a definitive no.
        GameMisconfigured: our key, secret, scope or clock.
        GameBusy: 429.
        GameUnavailable: 5xx to a GET.
        GameOutcomeUnknown: a POST that may have taken effect.
        GameProtocolError: an answer to a GET that the contract does not have.
    """
    status = answer.status
    if status in _OK or (status == HTTPStatus.NOT_MODIFIED and asked.conditional):
        return
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _server_error(asked, status, wait_s)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        # Whoever answers 429, the game or a gateway before it, has not executed the call.
        raise GameBusy(
            f"{asked.operation}: the game's rate limit is used up",
            wait_s=wait_s,
            status=status,
            request_id=asked.request_id,
        )
    try:
        error = read_error(answer.body)
        if _STATUS_OF.get(error.code, status) != status:
            raise GameProtocolError(f"{error.code[:64]!r} came with status {status}")  # noqa: TRY301 - one place turns both faults into the same verdict
    except GameProtocolError as fault:
        raise unreadable(asked, fault, status) from fault
    raise _refusal(asked, status, error)


def unreadable(
    asked: Asked, fault: GameProtocolError, status: int | None
) -> GameProtocolError | GameOutcomeUnknown:
    """An answer that cannot be understood: for a POST it proves nothing either way."""
    message = f"{asked.operation}: status {status}: {fault.message}"
    if asked.moves_money:
        return _unknown(asked, message, "protocol_error", status)
    error = GameProtocolError(message)
    error.status = status
    error.request_id = asked.request_id
    return error


def _server_error(
    asked: Asked, status: int, wait_s: float | None
) -> GameUnavailable | GameOutcomeUnknown:
    message = f"{asked.operation}: the game answered {status}"
    if asked.moves_money:
        return _unknown(asked, message, "server_error", status)
    return GameUnavailable(message, wait_s=wait_s, status=status, request_id=asked.request_id)


def _refusal(
    asked: Asked, status: int, error: ErrorBody
) -> GameRefused | GameMisconfigured | GameOutcomeUnknown | GameProtocolError:
    code = error.code
    said = f"{asked.operation}: {code[:64]}: {error.message}"
    doubt = _doubt(status, code)
    if asked.moves_money and doubt is not None:
        return _unknown(asked, said, doubt, status)
    if status == HTTPStatus.UNAUTHORIZED or code == "insufficient_scope":
        advice = _ADVICE.get(code, "the game does not accept our credentials")
        return GameMisconfigured(
            f"{said} ({advice})", reason=code[:64], status=status, request_id=asked.request_id
        )
    refused = _REFUSED.get(status)
    if refused is None:
        fault = GameProtocolError(f"{code[:64]!r} has no place in the contract")
        return unreadable(asked, fault, status)
    return refused(said, code=code[:64], status=status, request_id=asked.request_id)


def _doubt(status: int, code: str) -> str | None:
    """Why a refusal does not prove that a POST had no effect, if it does not."""
    if code == "idempotency_in_progress":
        return code  # an earlier attempt under this key is still running
    if code == "nonce_reused":
        # Our nonces do not repeat: the network delivered this attempt twice, and the other copy
        # may have been executed.
        return code
    if status == HTTPStatus.CONFLICT and code not in _STATUS_OF:
        return "undefined_conflict"  # a newer game's, which may say "still running"
    return None


def _unknown(asked: Asked, message: str, reason: str, status: int | None) -> GameOutcomeUnknown:
    return GameOutcomeUnknown(message, reason=reason, status=status, request_id=asked.request_id)
