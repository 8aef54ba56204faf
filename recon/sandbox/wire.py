"""What goes over the wire: answers, refusals and JSON, as the game API's page fixes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from recon.errors import ReconError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATUS_OF", "Answer", "Refused", "decode_object", "encode", "refusal_body"]

STATUS_OF: Final[Mapping[str, int]] = {
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
    "internal_error": 500,
    "unavailable": 503,
}
"""Every code of the page's table with its status."""


class Refused(ReconError):  # noqa: N818 - named for what is the case, as its family is
    """The game API says no.

    Args:
        code: a key of `STATUS_OF`.
        message: for people.
        retry_after_s: whole seconds for ``Retry-After``, where the answer carries one.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = STATUS_OF[code]
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is sent.

    Attributes:
        status: the HTTP status.
        body: JSON bytes; empty for 304.
        headers: beside those that every answer carries.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


# Decimals are written as the numbers they are, digit by digit: 2.50 stays 2.50.
_encoder = msgspec.json.Encoder(decimal_format="number")
# A JSON number with a fraction is read as a Decimal from its digits, never through a float.
_decoder = msgspec.json.Decoder(float_hook=Decimal)

encode = _encoder.encode


def decode_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; fractions become `Decimal`, whole numbers `int`.

    Raises:
        Refused: ``bad_request`` when it is not UTF-8 JSON; ``validation_failed`` when it is JSON
            but no object.
    """
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise Refused("bad_request", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused("validation_failed", "the body must be a JSON object")
    return value


def refusal_body(code: str, message: str, request_id: str) -> bytes:
    """The body of every error."""
    return encode({"code": code, "message": message, "request_id": request_id})
