"""The fields of a stranger's JSON: each is what it should be, or the event is unusable."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from recon.clock import parse_time
from recon.errors import Invalid
from recon.money import MAX_MINOR, Money, exponent_of
from recon.payments.model import check_user_id
from recon.webhooks.model import MAX_ID
from recon.webhooks.psp.documents import UnusableError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "decimal_amount",
    "iso_time",
    "mapping",
    "mapping_or_empty",
    "maybe",
    "minor_amount",
    "optional_text",
    "optional_user",
    "plausible_decimal",
    "plausible_minor",
    "text_of",
    "unix_time",
]

_DIGITS = re.compile(r"[0-9]{1,39}")
_MOST_PLACES = 40

P = ParamSpec("P")
T = TypeVar("T")


def mapping(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An object.

    Raises:
        UnusableError: it is not one.
    """
    if not isinstance(value, dict):
        raise UnusableError(f"{name} is not an object")
    return value


def text_of(fields: dict[str, Any], name: str, *, most: int = MAX_ID) -> str:
    """A text that must be there, not empty, not too long and printable.

    Raises:
        UnusableError: it is not.
    """
    found = optional_text(fields, name, most=most)
    if found is None:
        raise UnusableError(f"{name} is missing")
    return found


def optional_text(fields: dict[str, Any], name: str, *, most: int = MAX_ID) -> str | None:
    """A text that may be absent, null or empty.

    Raises:
        UnusableError: it is something else, longer than ``most``, or holds control characters.
    """
    found = fields.get(name)
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise UnusableError(f"{name} is not a text")
    if len(found) > most:
        raise UnusableError(f"{name} is longer than {most} characters")
    if not found.isprintable():
        # NUL cannot be stored, a lone surrogate cannot be encoded, the others mislead readers.
        raise UnusableError(f"{name} holds characters that cannot be shown")
    return found


def optional_user(fields: dict[str, Any], name: str) -> str | None:
    """A player's id that the signed bytes name; one that cannot be a player's names nobody."""
    found = fields.get(name)
    if not isinstance(found, str):
        return None
    try:
        check_user_id(found)
    except Invalid:
        return None
    return found


def decimal_amount(fields: dict[str, Any]) -> Money:
    """``amount`` as a decimal string with its ``currency``, above zero.

    Raises:
        UnusableError: anything else; a JSON number is refused.
    """
    amount, currency = fields.get("amount"), fields.get("currency")
    if not isinstance(amount, str) or not isinstance(currency, str):
        raise UnusableError("amount and currency are not both texts")
    try:
        money = Money.parse(amount, currency)
    except Invalid as error:
        raise UnusableError(f"the amount is unusable: {error.code}") from None
    return _above_zero(money)


def minor_amount(units: Any, currency: Any, *, decimals: dict[str, int]) -> Money:  # noqa: ANN401 - JSON
    """An amount in a provider's own minor units, above zero.

    Args:
        units: a whole JSON number.
        currency: its code, in either case.
        decimals: the provider's decimal places where they are not ISO 4217's.

    Raises:
        UnusableError: not that, an unknown currency, or a part of our smallest unit.
    """
    if not isinstance(units, int) or isinstance(units, bool):
        raise UnusableError("the amount is not a whole number")
    if not isinstance(currency, str):
        raise UnusableError("the currency is not a text")
    code = currency.upper()
    try:
        ours = exponent_of(code)
    except Invalid as error:
        raise UnusableError(f"the amount is unusable: {error.code}") from None
    theirs = decimals.get(code, ours)
    if theirs <= ours:
        return _above_zero(Money(units * 10 ** (ours - theirs), code))
    whole, rest = divmod(units, 10 ** (theirs - ours))
    if rest:
        raise UnusableError(f"the amount has more places than {code} has here")
    return _above_zero(Money(whole, code))


def unix_time(value: Any, name: str) -> datetime:  # noqa: ANN401 - JSON
    """Whole Unix seconds.

    Raises:
        UnusableError: anything else, or out of the calendar.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnusableError(f"{name} is not whole Unix seconds")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        raise UnusableError(f"{name} is out of the calendar") from None


def iso_time(value: Any, name: str) -> datetime:  # noqa: ANN401 - JSON
    """An ISO 8601 instant with its zone.

    Raises:
        UnusableError: anything else.
    """
    if not isinstance(value, str):
        raise UnusableError(f"{name} is not an ISO 8601 time")
    try:
        return parse_time(value)
    except (Invalid, OverflowError):
        raise UnusableError(f"{name} is not an ISO 8601 time with a zone") from None


def maybe(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What one of the readers above finds, or ``None`` where it is unusable: for evidence alone."""
    try:
        return read(*args, **kwargs)
    except UnusableError:
        return None


def mapping_or_empty(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An object, or an empty one: for evidence alone."""
    return value if isinstance(value, dict) else {}


def plausible_minor(units: Any, currency: Any, *, decimals: dict[str, int]) -> Money | None:  # noqa: ANN401 - JSON
    """`minor_amount`, also of whole units in another type, such as ``"2000"``: evidence alone."""
    return maybe(minor_amount, _whole(units), currency, decimals=decimals)


def plausible_decimal(fields: dict[str, Any]) -> Money | None:
    """`decimal_amount`, also of a number and a code in lower case: for evidence alone."""
    amount, currency = fields.get("amount"), fields.get("currency")
    if isinstance(amount, Decimal) and _is_plausible(amount):
        amount = f"{amount:f}"
    elif isinstance(amount, int) and not isinstance(amount, bool):
        amount = str(amount)
    if isinstance(currency, str):
        currency = currency.upper()
    return maybe(decimal_amount, {"amount": amount, "currency": currency})


def _whole(units: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(units, str) and _DIGITS.fullmatch(units):
        return int(units)
    if isinstance(units, Decimal) and _is_plausible(units) and units == int(units):
        return int(units)
    return units


def _is_plausible(amount: Decimal) -> bool:
    """Whether it can be written out: ``1e999999999`` has a billion digits."""
    return amount.is_finite() and -_MOST_PLACES <= amount.adjusted() <= _MOST_PLACES


def _above_zero(money: Money) -> Money:
    if money.minor <= 0:
        raise UnusableError("the amount is not above zero")
    if money.minor > MAX_MINOR:
        raise UnusableError("the amount has more than 38 digits")
    return money
