"""The scalars of every body: ids, instants, amounts, multipliers; read exactly or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from recon.errors import Invalid
from recon.game.errors import GameProtocolError
from recon.money import Money, parse_minor

__all__ = [
    "Count",
    "Decoder",
    "Id",
    "Instant",
    "is_sendable",
    "is_sensible",
    "read_id",
    "read_instant",
    "read_money",
    "read_multiplier",
    "read_multiplier_or_none",
    "read_stake",
]

_MAX_ID_CHARS: Final = 255
_MAX_MULTIPLIER_CHARS: Final = 64
"""Longer is no multiplier, and a short text such as 1e999999 would cost us megabytes later."""
_MAX_MULTIPLIER_EXPONENT: Final = 30

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_ID_CHARS)]
Count = Annotated[int, msgspec.Meta(ge=0)]
_T = TypeVar("_T")


class Decoder(Generic[_T]):
    """Reads JSON of one shape; ``what`` names it in the error."""

    def __init__(self, shape: type[_T], *, what: str) -> None:
        self._decode = msgspec.json.Decoder(shape).decode
        self._what = what

    def __call__(self, body: bytes) -> _T:
        """The body as its shape.

        Raises:
            GameProtocolError: not JSON, or of another shape.
        """
        try:
            return self._decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise GameProtocolError(
                f"the game's {self._what} cannot be read: {str(error)[:200]}"
            ) from error


def is_sendable(name: str) -> bool:
    """Whether a name arrives as it was sent: no control characters, no space at either end."""
    return 0 < len(name) <= _MAX_ID_CHARS and name.isprintable() and name == name.strip()


def read_id(name: str, field: str) -> str:
    """An id that can be kept, and sent back in a path.

    Raises:
        GameProtocolError: it could not; dots alone would climb out of the path.
    """
    if not is_sendable(name) or name in {".", ".."}:
        raise GameProtocolError(f"{field} is {name[:64]!r}, which is no id")
    return name


def read_instant(instant: datetime, field: str) -> datetime:
    """An instant in UTC.

    Raises:
        GameProtocolError: UTC's calendar does not have it.
    """
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise GameProtocolError(f"{field} is outside the years 1 to 9999 in UTC") from None


def read_money(amount: str, currency: str) -> Money:
    """An amount, which may be zero or, for a balance, below.

    Raises:
        GameProtocolError: no plain decimal of that currency.
    """
    try:
        return Money(parse_minor(amount, currency), currency)
    except Invalid as error:
        raise GameProtocolError(f"the game's amount cannot be read: {error.message}") from error


def read_stake(amount: str, currency: str) -> Money:
    """A stake or a payout, which is above zero.

    Raises:
        GameProtocolError: no plain decimal of that currency, or not above zero.
    """
    money = read_money(amount, currency)
    if money.minor <= 0:
        raise GameProtocolError(f"the game speaks of a stake or payout of {money} {currency}")
    return money


def read_multiplier_or_none(raw: msgspec.Raw, field: str) -> Decimal | None:
    """A multiplier as `read_multiplier` reads it, or null."""
    return None if bytes(raw) == b"null" else read_multiplier(raw, field)


def read_multiplier(raw: msgspec.Raw, field: str) -> Decimal:
    """A JSON number, digit for digit; a string, like a float, would hide how it was rounded.

    Raises:
        GameProtocolError: no JSON number, below zero, or of a size that no multiplier has.
    """
    # One more than is sensible: a longer one must not be read as what it begins with.
    text = bytes(raw)[: _MAX_MULTIPLIER_CHARS + 1].decode("utf-8", "replace")
    if len(text) > _MAX_MULTIPLIER_CHARS:
        raise GameProtocolError(f"{field} is {text!r}…, which is no multiplier")
    try:
        value = Decimal(text)  # JSON's other values, a quoted number among them, fail here
    except InvalidOperation:
        raise GameProtocolError(f"{field} must be a JSON number, not {text!r}") from None
    if value < 0 or not is_sensible(value):
        raise GameProtocolError(f"{field} is {text!r}, which is no multiplier")
    return value


def is_sensible(value: Decimal) -> bool:
    """Whether a finite number has no more digits than a multiplier can need."""
    return (
        len(value.as_tuple().digits) <= _MAX_MULTIPLIER_CHARS
        and abs(value.adjusted()) <= _MAX_MULTIPLIER_EXPONENT
    )
