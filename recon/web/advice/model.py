"""Advice, and what several of them say alike; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from recon.reconciliation import Cause, Finding

__all__ = [
    "ASKED",
    "ASKS",
    "ASK_OPERATOR",
    "BOOKED_TWICE",
    "COMPARE",
    "PAID",
    "SEND",
    "UNEXPLAINED",
    "Advice",
    "OfFacts",
    "either",
]


@dataclass(frozen=True, slots=True)
class Advice:
    """Three sentences about a part of a difference.

    Attributes:
        cause: which it is a case of.
        said: what is the case.
        next: what to do.
        caution: what to know before the ledger is adjusted for it; empty: nothing of its own.
        ledger_stands: the ledger is right by all that is known, and somebody else puts theirs
            right: no adjustment is suggested for it.
    """

    cause: Cause
    said: str
    next: str
    caution: str = ""
    ledger_stands: bool = False


OfFacts: TypeAlias = dict[tuple[str, Cause, Finding | None], tuple[Advice, ...]]
"""By kind, cause and finding: what to say of money in and of money out, or of both alike."""


def either(
    cause: Cause, said: str, next_: str, caution: str, *, ledger_stands: bool = False
) -> tuple[Advice]:
    """What is so whichever way the money went."""
    return (Advice(cause, said, next_, caution, ledger_stands),)


ASKS: Final = (
    "While the bet is open here, the service keeps asking the game and books the outcome. Where the"
    " bet's page says that people have to decide, rule on it there."
)
BOOKED_TWICE: Final = (
    "The PSP's own event is better: should it arrive after an adjustment, it is booked as well, and"
    " the wallet is out the other way."
)
SEND: Final = (
    "Ask the PSP to send the event again. Once it is booked, the next run clears this by itself."
)
COMPARE: Final = (
    "Compare both amounts: the PSP's settlement report says which one was paid. Then have the side"
    " with the other amount put right."
)
PAID: Final = "An adjustment is for when the game has the amount that was paid."
ASKED: Final = (
    "While the bet is open here, the service asks for the outcome and books it when it comes,"
    " whatever is adjusted before."
)
ASK_OPERATOR: Final = (
    "Ask the operator how the bet ended, and have the side that is wrong put right: here it is"
    " over, so the service asks no more."
)

UNEXPLAINED: Final = Advice(
    Cause.UNEXPLAINED,
    "Nothing that we know of accounts for it.",
    "Go through the timeline below from where both sides last agreed. What was looked at is"
    " listed.",
    "Adjust what you have understood: what the game shows may be wrong.",
)
