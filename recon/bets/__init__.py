"""Bets: intent, attempt, outcome; exactly once in effect, whatever fails between us and the game.

A bet is claimed by whoever works on it, under a fence that rises with each claim; only the newest
claim may write an outcome, and no call is sent after a claim has ended. What the game refuses for
good frees the stake, what it confirms is booked, everything else stays held and is asked for by
`resolve_due`. The wallet gains a payout only when the game says that it is completed.

The rules that make this safe:

- The bytes and the keys of a bet are fixed in the commit that takes the stake from ``available``.
- Only the very first attempt may conclude from "certainly not sent" that there is no bet.
- Everybody else sees the round closed first and asks by key second; then "nothing" is final,
  unless a confirm was sent: then the game has to release its hold.
- What is not as it was asked for, or has no outcome for an hour, people are shown; when they close
  the case of a bet that rests, the game is asked again. What no answer settles, two of them settle
  by hand (`recon.bets.by_hand`).
- A hold of the game is released before ours is, and never while a bet may come of it.
"""

from recon.bets.calls import observe_attempt
from recon.bets.cash_out import cash_out
from recon.bets.errors import (
    BetNotActiveError,
    BetNotFoundError,
    BetRefusedError,
    CallerKeyReusedError,
    CashOutRefusedError,
    GameBusyError,
    GameUnreachableError,
    RoundClosedError,
)
from recon.bets.model import CASE_KINDS as BET_CASES
from recon.bets.model import Bet, BetState, BetWish, SettledBet, UnsettledBet
from recon.bets.place import place_bet
from recon.bets.read import read_bet, settled_bets_of, unsettled_bets_of
from recon.bets.resolve import Resolved, resolve_all, resolve_due
from recon.bets.wake import wake_bets

__all__ = [
    "BET_CASES",
    "Bet",
    "BetNotActiveError",
    "BetNotFoundError",
    "BetRefusedError",
    "BetState",
    "BetWish",
    "CallerKeyReusedError",
    "CashOutRefusedError",
    "GameBusyError",
    "GameUnreachableError",
    "Resolved",
    "RoundClosedError",
    "SettledBet",
    "UnsettledBet",
    "cash_out",
    "observe_attempt",
    "place_bet",
    "read_bet",
    "resolve_all",
    "resolve_due",
    "settled_bets_of",
    "unsettled_bets_of",
    "wake_bets",
]
