"""What a part of a difference means, what to do about it, and what to be careful of; pure.

The cause alone does not tell: a report that came and could not be booked is mended here, one that
never came is the PSP's to send. So the sentences follow from what the fact is (its kind), what it
says more closely (its finding), and which way the money went (the sign of its amount: above zero
the game has more than the ledger).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from recon.reconciliation import Cause, Finding
from recon.web.advice.bets import OF_BETS, OF_HELD
from recon.web.advice.model import (
    ASK_OPERATOR,
    ASKED,
    ASKS,
    BOOKED_TWICE,
    COMPARE,
    PAID,
    SEND,
    UNEXPLAINED,
    Advice,
    OfFacts,
    either,
)
from recon.web.advice.payments import OF_PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.reconciliation import Discrepancy, Evidence

__all__ = ["UNEXPLAINED", "Advice", "advice_of", "advice_on", "right_here"]


def advice_on(found: Discrepancy) -> Sequence[Advice]:
    """What to say of a discrepancy's parts, each once, in the order of its evidence."""
    told = [advice_of(fact, held=found.of_held) for fact in found.evidence]
    return list(dict.fromkeys(told)) or [UNEXPLAINED]


def advice_of(fact: Evidence, *, held: bool = False) -> Advice:
    """What to say of one fact.

    Args:
        fact: part of a difference.
        held: of the money held for bets, else of what is available.
    """
    comes_in = fact.amount > 0
    if held:
        over = fact.finding in {Finding.SETTLED, Finding.RULED}
        return replace(OF_HELD[comes_in], next=ASK_OPERATOR if over else ASKS)
    pair = (
        _OF_FACTS.get((fact.kind, fact.cause, fact.finding))
        or _OF_FACTS.get((fact.kind, fact.cause, None))
        or _OF_CAUSES[fact.cause]
    )
    return pair[0] if comes_in else pair[-1]


def right_here(found: Discrepancy) -> int:
    """What of its difference the ledger is right about, signed: no adjustment is meant for that."""
    return sum(
        fact.amount for fact in found.evidence if advice_of(fact, held=found.of_held).ledger_stands
    )


_OF_CAUSES: Final[dict[Cause, tuple[Advice, ...]]] = {
    Cause.MISSING_WEBHOOK: (
        Advice(
            Cause.MISSING_WEBHOOK,
            "The game has money that the PSP never reported here.",
            SEND,
            BOOKED_TWICE,
        ),
        Advice(
            Cause.MISSING_WEBHOOK,
            "The game has taken off money of which the PSP never reported here that it went out.",
            SEND,
            BOOKED_TWICE,
        ),
    ),
    Cause.MISSING_GAME_UPDATE: (
        Advice(
            Cause.MISSING_GAME_UPDATE,
            "Money has gone out by our books, and the game still shows it.",
            "Ask the operator of the game to take it off. The next run clears this once they have.",
            "The ledger has what the PSP says: an adjustment gives the money back. That is for when"
            " the game is right to show it.",
            ledger_stands=True,
        ),
        Advice(
            Cause.MISSING_GAME_UPDATE,
            "Money has come in by our books, and it never reached the game.",
            "Ask the operator of the game to credit it. The next run clears this once they have.",
            "The ledger has what the PSP says: an adjustment takes it back. That is for when the"
            " game is right not to have it.",
            ledger_stands=True,
        ),
    ),
    Cause.DUPLICATE: either(
        Cause.DUPLICATE,
        "One payment was counted twice.",
        "Find which side counted it twice, and have that side put it right.",
        "An adjustment is for when the ledger has it twice. What the game counted twice, its"
        " operator puts right.",
    ),
    Cause.AMOUNT_MISMATCH: either(
        Cause.AMOUNT_MISMATCH, "One payment or payout has two amounts.", COMPARE, PAID
    ),
    Cause.UNRESOLVED_BET: either(
        Cause.UNRESOLVED_BET,
        "A bet has no outcome here yet, and stands otherwise at the game.",
        ASKS,
        ASKED,
    ),
    Cause.MISSED_PAYOUT: (
        Advice(
            Cause.MISSED_PAYOUT,
            "The game has a payout of a bet that is not booked here.",
            ASKS,
            "Should the payout be booked after an adjustment, it counts twice.",
        ),
        Advice(
            Cause.MISSED_PAYOUT,
            "A bet's payout is booked here, and the game has not credited it.",
            "Ask the operator to credit it. The next run clears this once they have.",
            "An adjustment takes the payout back: that is for when the game is right not to pay.",
            ledger_stands=True,
        ),
    ),
    Cause.UNEXPLAINED: (UNEXPLAINED,),
}
"""Where nothing more is known than the cause."""

_OF_FACTS: Final[OfFacts] = OF_PAYMENTS | OF_BETS
