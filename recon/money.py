"""Money: whole minor units with a currency inside, decimal strings at the edges, never a float.

The currencies and their exponents are data: ``recon/currencies.csv``, the same list that the first
migration writes into the ``currencies`` table.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

import msgspec

from recon.errors import Invalid

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "MAX_MINOR",
    "CurrencyMismatchError",
    "Money",
    "exponent_of",
    "exponents",
    "format_minor",
    "parse_minor",
]

MAX_MINOR: Final = 10**38 - 1
"""The largest amount that a ``numeric(38,0)`` column holds."""

_AMOUNT = re.compile(r"(-?)(\d{1,38})(?:\.(\d{1,38}))?", re.ASCII)


class CurrencyMismatchError(Invalid):
    """Two amounts of different currencies met in one sum."""

    code = "currency_mismatch"


@cache
def exponents() -> dict[str, int]:
    """Every known currency with the number of its decimal places, e.g. ``{"GBP": 2}``."""
    text = resources.files("recon").joinpath("currencies.csv").read_text(encoding="ascii")
    return {row["code"]: int(row["exponent"]) for row in csv.DictReader(text.splitlines())}


def exponent_of(currency: str) -> int:
    """The decimal places of a currency, from 0 (JPY) to 18 (ETH).

    Raises:
        Invalid: ``unknown_currency``.
    """
    try:
        return exponents()[currency]
    except KeyError:
        raise Invalid(
            f"{currency[:16]!r} is not a currency we know; codes are upper case, such as GBP",
            code="unknown_currency",
        ) from None


def parse_minor(text: str, currency: str) -> int:
    """A decimal string as whole minor units: ``("12.50", "GBP")`` is 1250.

    Raises:
        Invalid: ``unknown_currency``; ``invalid_amount`` when the text is no plain decimal, has
            more places than the currency, or is past 38 digits.
    """
    exponent = exponent_of(currency)
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise Invalid(
            f"{text[:64]!r} is not an amount; write a plain decimal such as 12.50",
            code="invalid_amount",
        )
    sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
    if len(fraction) > exponent:
        raise Invalid(f"{currency} has {exponent} decimal places", code="invalid_amount")
    minor = int(whole + fraction.ljust(exponent, "0"))
    if minor > MAX_MINOR:
        raise Invalid("the amount has more than 38 digits", code="invalid_amount")
    return -minor if sign else minor


def format_minor(minor: int | Decimal, currency: str) -> str:
    """Whole minor units as a decimal string: ``(1250, "GBP")`` is ``"12.50"``.

    Raises:
        Invalid: ``unknown_currency``.
    """
    exponent = exponent_of(currency)
    units = int(minor)
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(exponent + 1, "0")
    if exponent == 0:
        return sign + digits
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


class Money(msgspec.Struct, frozen=True):
    """An amount in whole minor units of one currency; may be negative."""

    minor: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read a decimal string; errors as in `parse_minor`."""
        return cls(parse_minor(text, currency), currency)

    def __str__(self) -> str:
        return format_minor(self.minor, self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{other.currency} cannot be added to {self.currency}")
        return other.minor
