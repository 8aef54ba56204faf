"""Amounts in a provider's own minor units, which are not always those of ISO 4217."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.money import exponent_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["provider_units"]

MOST_DECIMALS: Final = 3
"""Of a currency that card providers know; those with more are crypto-assets."""


def provider_units(amount_minor: int, currency: str, exceptions: Mapping[str, int]) -> int:
    """An amount in the provider's minor units.

    Args:
        amount_minor: ISO minor units.
        currency: its code.
        exceptions: the provider's decimal places where they differ from ISO 4217.

    Raises:
        Invalid: ``unsupported_currency``; ``invalid_amount`` when the provider has fewer places
            than the amount needs.
    """
    ours = exponent_of(currency)
    if ours > MOST_DECIMALS:
        raise Invalid(f"this provider does not take {currency}", code="unsupported_currency")
    theirs = exceptions.get(currency, ours)
    if theirs >= ours:
        factor: int = 10 ** (theirs - ours)
        return amount_minor * factor
    divisor: int = 10 ** (ours - theirs)
    units, rest = divmod(amount_minor, divisor)
    if rest:
        raise Invalid(
            f"this provider takes {currency} with {theirs} decimal places", code="invalid_amount"
        )
    return units
