"""Rulings: what people say a bet came to that the game's answers do not settle.

One person proposes an outcome with a reason and what the game's operator said, another approves;
only then is it booked: postings, the bet, its cases and the audit in one commit. It is open for a
bet that rests for people, and for one that has no outcome an hour after it was made. A ruling binds
to the bet as it was weighed: where the game has answered meanwhile it is stale, and nothing is
booked twice. What was ruled is final here: the game is asked no more, and whatever it says
otherwise is a difference that reconciliation finds.
"""

from recon.bets.by_hand.decide import approve_ruling, reject_ruling
from recon.bets.by_hand.model import Ruling, RulingOutcome, RulingState, RulingWish
from recon.bets.by_hand.propose import propose_ruling
from recon.bets.by_hand.read import WaitingBet, list_rulings, list_waiting, read_ruling
from recon.bets.by_hand.rules import waits_for_people

__all__ = [
    "Ruling",
    "RulingOutcome",
    "RulingState",
    "RulingWish",
    "WaitingBet",
    "approve_ruling",
    "list_rulings",
    "list_waiting",
    "propose_ruling",
    "read_ruling",
    "reject_ruling",
    "waits_for_people",
]
