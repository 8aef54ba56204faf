"""Advice on bets that are over here, and on money held for bets; pure."""

from __future__ import annotations

from typing import Final

from recon.reconciliation import Cause, Finding
from recon.web.advice.model import ASK_OPERATOR, ASKS, Advice, OfFacts, either

__all__ = ["OF_BETS", "OF_HELD"]

_FINAL: Final = (
    "Nothing more is booked for a settled bet: an adjustment is what puts the ledger right."
)
_RULED: Final = (
    "People ruled on this bet: read on its page what the ruling rests on before it is corrected."
)

OF_HELD: Final = {
    True: Advice(
        Cause.UNRESOLVED_BET,
        "The game holds a stake that the ledger does not hold.",
        ASKS,
    ),
    False: Advice(
        Cause.UNRESOLVED_BET,
        "The ledger holds a stake that the game does not hold.",
        ASKS,
    ),
}

OF_BETS: Final[OfFacts] = {
    ("bet", Cause.UNRESOLVED_BET, Finding.SETTLED): either(
        Cause.UNRESOLVED_BET,
        "A bet is over here, and the game does not know it, or has it otherwise.",
        ASK_OPERATOR,
        _FINAL,
    ),
    ("bet", Cause.UNRESOLVED_BET, Finding.RULED): either(
        Cause.UNRESOLVED_BET,
        "A bet was ruled on here, and the game does not know it, or has it otherwise.",
        ASK_OPERATOR,
        _RULED,
    ),
    ("bet", Cause.MISSED_PAYOUT, Finding.SETTLED): (
        Advice(
            Cause.MISSED_PAYOUT,
            "For a bet the game has given the player money, and here it is settled without any.",
            ASK_OPERATOR,
            _FINAL,
        ),
        Advice(
            Cause.MISSED_PAYOUT,
            "For a bet the player was given money here, and none at the game.",
            ASK_OPERATOR,
            "An adjustment takes it back: that is for when the game is right not to pay.",
        ),
    ),
    ("bet", Cause.MISSED_PAYOUT, Finding.RULED): (
        Advice(
            Cause.MISSED_PAYOUT,
            "For a bet the game has given the player money, and here it was ruled to have none.",
            ASK_OPERATOR,
            _RULED,
        ),
        Advice(
            Cause.MISSED_PAYOUT,
            "For a bet the player was given money here by a ruling, and none at the game.",
            ASK_OPERATOR,
            _RULED,
        ),
    ),
    ("bet", Cause.AMOUNT_MISMATCH, Finding.SETTLED): (
        Advice(
            Cause.AMOUNT_MISMATCH,
            "A bet has left the player more at the game than here.",
            ASK_OPERATOR,
            _FINAL,
        ),
        Advice(
            Cause.AMOUNT_MISMATCH,
            "A bet has left the player less at the game than here.",
            ASK_OPERATOR,
            _FINAL,
        ),
    ),
    ("bet", Cause.AMOUNT_MISMATCH, Finding.RULED): (
        Advice(
            Cause.AMOUNT_MISMATCH,
            "A bet has left the player more at the game than was ruled here.",
            ASK_OPERATOR,
            _RULED,
        ),
        Advice(
            Cause.AMOUNT_MISMATCH,
            "A bet has left the player less at the game than was ruled here.",
            ASK_OPERATOR,
            _RULED,
        ),
    ),
}
