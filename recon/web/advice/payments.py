"""Advice on what PSPs have reported, settled or left out, and on what is booked of it; pure."""

from __future__ import annotations

from typing import Final

from recon.reconciliation import Cause, Finding
from recon.web.advice.model import BOOKED_TWICE, COMPARE, PAID, SEND, Advice, OfFacts, either

__all__ = ["OF_PAYMENTS"]

_ON_ITS_WAY: Final = (
    "The ledger has set this money aside for the withdrawal already: an adjustment would take it"
    " once more."
)
_REPLAY: Final = (
    "Open the delivery, which says what it lacks. Once that is put right and it is replayed, the"
    " next run clears this."
)
_REPLAYED: Final = (
    "Better have the report itself booked: should that happen after an adjustment, it counts twice."
)
_ASK_PSP: Final = (
    "Ask the PSP whether it took place. If it did, the operator of the game has to follow; if not,"
    " the ledger has to be put right."
)

OF_PAYMENTS: Final[OfFacts] = {
    ("payment", Cause.MISSING_WEBHOOK, None): (
        Advice(
            Cause.MISSING_WEBHOOK,
            "The game has a deposit that is registered here, and the PSP never reported it.",
            SEND,
            BOOKED_TWICE,
        ),
        Advice(
            Cause.MISSING_WEBHOOK,
            "The game has let a withdrawal go that is registered here, and the PSP never reported"
            " it.",
            SEND,
            _ON_ITS_WAY,
        ),
    ),
    ("payment", Cause.MISSING_WEBHOOK, Finding.FAILED_HERE): either(
        Cause.MISSING_WEBHOOK,
        "The game has a deposit of which the PSP reported here that it failed.",
        "Ask the PSP whether it came after all. If it did, have the event sent; if not, the"
        " operator of the game has to take it back.",
        BOOKED_TWICE,
    ),
    ("payment", Cause.MISSING_GAME_UPDATE, None): either(
        Cause.MISSING_GAME_UPDATE,
        "The PSP has accepted a withdrawal, and the game still shows its money.",
        "Ask the operator of the game to take it off. The next run clears this once they have.",
        "The money is on its way to the player: an adjustment would give it to them once more.",
        ledger_stands=True,
    ),
    ("delivery", Cause.MISSING_WEBHOOK, None): (
        Advice(
            Cause.MISSING_WEBHOOK,
            "The PSP has reported money that came in, and its report could not be booked.",
            _REPLAY,
            _REPLAYED,
        ),
        Advice(
            Cause.MISSING_WEBHOOK,
            "The PSP has reported money that went out, and its report could not be booked.",
            _REPLAY,
            _REPLAYED,
        ),
    ),
    ("delivery", Cause.AMOUNT_MISMATCH, None): either(
        Cause.AMOUNT_MISMATCH,
        "The PSP has reported another amount than is registered or booked here.",
        COMPARE,
        PAID,
    ),
    ("posting", Cause.DUPLICATE, Finding.TWICE_HERE): (
        Advice(
            Cause.DUPLICATE,
            "Money that went out is booked here twice.",
            "Compare both postings. If it went out once, propose to add it back here.",
            "Make sure with the PSP that it was one payment, not two of the same amount.",
        ),
        Advice(
            Cause.DUPLICATE,
            "Money that came in is booked here twice.",
            "Compare both postings. If it came in once, propose to take it back here.",
            "Make sure with the PSP that it was one payment, not two of the same amount.",
        ),
    ),
    ("posting", Cause.DUPLICATE, Finding.TWICE_THERE): (
        Advice(
            Cause.DUPLICATE,
            "The game has credited twice what came in once.",
            "Ask the operator of the game to take one back. The next run clears this once they"
            " have.",
            "The ledger has it once: there is nothing to put right here.",
            ledger_stands=True,
        ),
        Advice(
            Cause.DUPLICATE,
            "The game has taken off twice what went out once.",
            "Ask the operator of the game to give one back. The next run clears this once they"
            " have.",
            "The ledger has it once: there is nothing to put right here.",
            ledger_stands=True,
        ),
    ),
    ("posting", Cause.DUPLICATE, Finding.ADJUSTED): (
        Advice(
            Cause.DUPLICATE,
            "An adjustment took money off here, and the game shows it still.",
            "If what it stood for was booked by itself too, propose to add it back here. If not,"
            " ask the operator of the game to follow.",
            "Read why the adjustment was made, and what was booked since.",
        ),
        Advice(
            Cause.DUPLICATE,
            "An adjustment added money here that the game does not show.",
            "If what it stood for was booked by itself too, propose to take it back here. If not,"
            " ask the operator of the game to follow.",
            "Read why the adjustment was made, and what was booked since.",
        ),
    ),
    ("posting", Cause.AMOUNT_MISMATCH, None): either(
        Cause.AMOUNT_MISMATCH,
        "The game seems to have taken a payment for another amount than is booked here.",
        COMPARE,
        PAID,
    ),
    ("settlement", Cause.MISSING_WEBHOOK, None): (
        Advice(
            Cause.MISSING_WEBHOOK,
            "The PSP has settled money that came in, and it is not booked here.",
            "The settlement file is proof that it was paid: ask the PSP to send the event as well."
            " Once it is booked, the next run clears this.",
            BOOKED_TWICE,
        ),
        Advice(
            Cause.MISSING_WEBHOOK,
            "The PSP has settled money that went out, and it is not booked here.",
            "The settlement file is proof that it went out: ask the PSP to send the event as well."
            " Once it is booked, the next run clears this.",
            BOOKED_TWICE,
        ),
    ),
    ("settlement", Cause.MISSING_WEBHOOK, Finding.FAILED_HERE): either(
        Cause.MISSING_WEBHOOK,
        "The PSP has settled a payment of which it had reported here that it failed.",
        "Ask the PSP which of the two is true: the file says that it was paid. If it was, have the"
        " event sent.",
        BOOKED_TWICE,
    ),
    ("settlement", Cause.MISSING_GAME_UPDATE, None): (
        Advice(
            Cause.MISSING_GAME_UPDATE,
            "Money is booked here as paid out; no settlement file of the PSP has it though it is"
            " due, and the game still shows it.",
            _ASK_PSP,
            "An adjustment gives it back: that is for when the PSP says that nothing went out.",
        ),
        Advice(
            Cause.MISSING_GAME_UPDATE,
            "Money is booked here as received; no settlement file of the PSP has it though it is"
            " due, and the game does not show it.",
            _ASK_PSP,
            "An adjustment takes it back: that is for when the PSP says that nothing came in.",
        ),
    ),
    ("settlement", Cause.AMOUNT_MISMATCH, None): either(
        Cause.AMOUNT_MISMATCH,
        "The PSP has settled another amount, or another currency, than is booked here.",
        "The settlement file says what was paid. Where the game has that amount, propose an"
        " adjustment to it; else have the operator put theirs right.",
        "An adjustment is for when the game has the amount that was settled.",
    ),
}
