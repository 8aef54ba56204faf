"""One payment, two amounts: what is booked here that the game has taken for another amount; pure.

What the game would have credited is the booked amount and the difference. So every payment would
explain every difference, and it is the amount that speaks for one of them: that people and programs
make this slip with amounts, or that a fee would be as large. An amount that is like nothing is said
too, with what little speaks for it: that this payment has come since both sides agreed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from recon.money import Money, exponent_of
from recon.reconciliation.candidate import Candidate
from recon.reconciliation.odds import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.reconciliation.model import Evidence

__all__ = ["Booked", "slipped"]

_SLIPS: Final = 12
"""So many amounts would be a slip of one amount, about."""
_PLACES: Final = 3
_FEE_IN: Final = 20
_LEAST_FEE_IN: Final = 200
"""A fee is a twentieth of the amount at most, and half a per cent at least."""
_LEAST_FEES: Final = 100
_MOST_TIMES: Final = 1000


class Booked(NamedTuple):
    """A payment that is booked here, and the game should have.

    Attributes:
        posting: its row.
        change: what it should have changed at the game, signed, in minor units, not zero.
        currency: of that.
        money: as of `Candidate`.
        agreed_before: both sides agreed before it came, so that nothing older is to blame.
    """

    posting: Evidence
    change: int
    currency: str
    money: str
    agreed_before: bool


def slipped(booked: Sequence[Booked], difference: int, values: int) -> list[Candidate]:
    """Each payment of which the game would have another amount, if that alone were the difference.

    Args:
        booked: since both sides agreed.
        difference: what is to be explained by it, in minor units.
        values: how many differences are possible.
    """
    if not difference:
        return []
    return [
        candidate
        for one in booked
        if (candidate := _slipped(one, difference, len(booked), values)) is not None
    ]


def _slipped(one: Booked, difference: int, among: int, values: int) -> Candidate | None:
    there = one.change + difference
    here, size = abs(one.change), abs(there)
    same_way = (there > 0) == (one.change > 0) and there != 0
    if there == -one.change:
        how, standing, share = "taken the wrong way round", Standing.SLIPPED, among * _SLIPS
    elif not same_way:
        return None
    elif slip := _slip(here, size, exponent_of(one.currency)):
        how, standing, share = slip, Standing.SLIPPED, among * _SLIPS
    elif here // _LEAST_FEE_IN <= here - size <= here // _FEE_IN:
        hundredths = (2 * 10_000 * (here - size) + here) // (2 * here)
        how = f"{hundredths // 100}.{hundredths % 100:02} % less, as if a fee had been kept"
        standing, share = Standing.NETTED, among * max(_LEAST_FEES, here // _FEE_IN)
    elif one.agreed_before and here <= size * _MOST_TIMES and size <= here * _MOST_TIMES:
        how, standing, share = (
            "which is like no slip that we know",
            Standing.ALTERED,
            among * values,
        )
    else:
        return None
    sign = "-" if there < 0 else ""
    amount = f"{sign}{Money(size, one.currency)} {one.currency}"
    fact = one.posting
    summary = f"{fact.summary}the game would have taken it as {amount}, {how}"
    return Candidate(
        replace(fact, amount=difference, summary=summary),
        standing,
        money=one.money,
        share=share,
        booked=one.change,
    )


def _slip(here: int, there: int, exponent: int) -> str | None:
    """The slip that makes one amount of the other, in words; both above zero and not equal."""
    unit = 10**exponent
    for places in sorted({*range(1, _PLACES + 1), exponent}):
        if places and (here * 10**places == there or there * 10**places == here):
            confused = ", as where minor units are taken for whole ones" * (places == exponent)
            return f"with the decimal point {places} place{'s' * (places > 1)} off{confused}"
    if here % unit and there in {here - here % unit, here - here % unit + unit}:
        return "rounded to whole units"
    if _is_transposed(str(here), str(there)):
        return "with two digits in each other's place"
    return None


def _is_transposed(here: str, there: str) -> bool:
    there = there.rjust(len(here), "0")
    differing = [place for place in range(len(here)) if here[place] != there[place : place + 1]]
    if len(here) != len(there) or len(differing) != 2:  # noqa: PLR2004 - a pair
        return False
    first, second = differing
    return second == first + 1 and here[first] + here[second] == there[second] + there[first]
