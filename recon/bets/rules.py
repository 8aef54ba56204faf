"""What each answer of the game makes of a bet, and what is booked with it. Pure.

Every rule takes a bet and the instant of the conclusion, and gives a `Step`: the bet as it will
be, with at most one posting and one case, all written in one commit.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from recon.bets.doubts import not_as_promised, odd_payout, other_target
from recon.bets.errors import GAME_UNAVAILABLE
from recon.bets.model import Bet, BetState, Case
from recon.ledger import Entry
from recon.ledger import rules as ledger

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from recon import game
    from recon.money import Money

__all__ = [
    "ASKED_TOO_LATE",
    "CLAIM",
    "KEY_KEPT",
    "OLD",
    "VERY_LATE",
    "Step",
    "for_people",
    "in_play_again",
    "is_about",
    "lost",
    "mismatched",
    "payout_awaited",
    "payout_booked",
    "placed",
    "rejected",
    "ticket_taken",
    "unsettled",
    "void",
    "waiting",
    "was_mismatched",
]

CLAIM: Final = timedelta(seconds=45)
"""How long one claim on a bet lasts: two calls of the game's client, each with its retries."""
OLD: Final = timedelta(hours=1)
"""A bet that the game's answers have not settled by then is shown to people. Nothing that was
signed so long ago can still take effect: the game takes timestamps within a minute."""
VERY_LATE: Final = 2 * OLD
"""From then on one look in vain is enough for that."""
KEY_KEPT: Final = timedelta(hours=23)
"""How long a key that led to nothing proves that nothing was done: the game keeps keys for 24 hours
from their first arrival, which is a moment after the bet was written down."""
ASKED_TOO_LATE: Final = "asked too late: the game keeps keys for a day"

_MISMATCH: Final = "bet_mismatch"
_FIRST_LOOK_S: Final = 0.5
_GROWTH: Final = 1.6
_LONGEST_S: Final = 60.0
_LONGEST_UNSETTLED_S: Final = 300.0
_MOST_LOOKS: Final = 32
_IN_VAIN: Final = 10
"""So many looks without progress are a minute and a half at least: longer than it takes to catch up
after the game was out of reach."""


class Step(msgspec.Struct, frozen=True):
    """A bet as it will be, and what is written with it.

    Attributes:
        refusal: the game's code where a caller's wish was refused and the bet goes on.
    """

    bet: Bet
    entry: Entry | None = None
    case: Case | None = None
    refusal: str | None = None

    @property
    def is_late(self) -> bool:
        """The bet has come to rest so late that people may have been shown it."""
        settled_at = self.bet.settled_at
        return settled_at is not None and settled_at - self.bet.created_at > OLD


def placed(bet: Bet, ticket: game.Bet, *, at: datetime) -> Step:
    """The game has the bet: the stake leaves its hold for the game."""
    after = replace(
        bet,
        state=BetState.PLACED,
        game_hold_id=ticket.hold_id,
        ticket_id=ticket.ticket_id,
        placed_at=ticket.placed_at,
        reason=None,
        due_at=at + timedelta(seconds=_FIRST_LOOK_S),
        looks=0,
        updated_at=at,
    )
    entry = ledger.stake_captured(
        bet.user_id, bet.stake, bet_id=bet.bet_id, event_at=ticket.placed_at
    )
    return Step(after, entry, other_target(bet, ticket))


def ticket_taken(placed: Bet) -> Step:
    """The ticket that the game gave for a bet stands for another one: no stake is booked by it."""
    bet = replace(placed, state=BetState.PLACING, game_hold_id=None, ticket_id=None, placed_at=None)
    said = f"the game gives ticket {placed.ticket_id}, which is another bet's"
    return mismatched(bet, said, at=placed.updated_at)


def rejected(bet: Bet, reason: str, *, at: datetime) -> Step:
    """The game has no such bet and never will: the stake goes back from its hold."""
    after = _settled(bet, BetState.REJECTED, at)
    entry = ledger.stake_voided(bet.user_id, bet.stake, bet_id=bet.bet_id, event_at=at)
    return Step(replace(after, reason=reason), entry)


def waiting(bet: Bet, *, at: datetime, why: str = "the game does not answer") -> Step:
    """Nothing could be concluded: the game did not answer, or has not decided yet.

    It is a matter of time, but not for ever: as `unsettled` after many looks in vain, or any when
    it is very late, since news may have others counted anew.
    """
    age = at - bet.created_at
    if age > VERY_LATE or (age > OLD and bet.looks >= _IN_VAIN):
        return unsettled(bet, why, at=at)
    return Step(_looked(bet, at, _LONGEST_S))


def unsettled(bet: Bet, reason: str, *, at: datetime) -> Step:
    """The game's answers do not settle the bet; after `OLD`, people see it. Asked on, slowly."""
    case = Case("unresolved_bet", reason) if at - bet.created_at > OLD else None
    return Step(_looked(bet, at, _LONGEST_UNSETTLED_S), case=case)


def for_people(bet: Bet, kind: str, reason: str, *, at: datetime) -> Step:
    """No answer of the game can settle this bet: it rests until people have decided."""
    after = replace(bet, reason=kind, due_at=None, updated_at=at)
    return Step(after, case=Case(kind, reason))


def in_play_again(bet: Bet, refusal: str, *, next_key: UUID, at: datetime) -> Step:
    """The cash-out was refused for good: the bet goes on, and another cash-out is another intent.

    A cash-out that never left us keeps its key; one that the game refused gets the next one,
    because the game answers the old key as it did.
    """
    key = bet.cashout_key if refusal == GAME_UNAVAILABLE else next_key
    after = replace(
        bet,
        state=BetState.PLACED,
        cashout_key=key,
        due_at=at + timedelta(seconds=_FIRST_LOOK_S),
        looks=0,
        updated_at=at,
    )
    return Step(after, refusal=refusal)


def payout_awaited(
    bet: Bet,
    transaction_id: str,
    *,
    multiplier: Decimal | None,
    amount: Money | None,
    at: datetime,
) -> Step:
    """The game has cashed the bet out; its payout is not completed, so nothing is booked.

    An ``amount`` in another currency is no promise: what the payout is, is asked.
    """
    known = bet.payout_transaction_id == transaction_id
    if amount is not None and amount.currency != bet.stake.currency:
        amount = None
    looked = waiting(bet, at=at, why=f"payout {transaction_id} is not completed")
    after = replace(
        looked.bet,
        state=BetState.CASHING_OUT,
        payout_transaction_id=transaction_id,
        cashout_multiplier=bet.cashout_multiplier if multiplier is None else multiplier,
        payout=bet.payout if amount is None else amount,
    )
    if known:
        return Step(after, case=looked.case or not_as_promised(bet, transaction_id, amount))
    return Step(replace(after, looks=0, due_at=at + _after(0, _LONGEST_S), updated_at=at))


def payout_booked(bet: Bet, payout: game.Payout, *, at: datetime) -> Step:
    """The payout is completed: the player has it, and people see it where it is not as promised."""
    after = replace(
        _settled(bet, BetState.CASHED_OUT, at),
        payout=payout.amount,
        payout_transaction_id=payout.transaction_id,
    )
    entry = ledger.payout(
        bet.user_id,
        payout.amount,
        bet_id=bet.bet_id,
        event_at=at if payout.completed_at is None else payout.completed_at,
    )
    return Step(after, entry, odd_payout(bet, payout.transaction_id, payout.amount))


def lost(bet: Bet, *, at: datetime) -> Step:
    """The game keeps the stake, which it got when the bet was placed."""
    return Step(_settled(bet, BetState.LOST, at))


def void(bet: Bet, *, at: datetime) -> Step:
    """The round was cancelled: the game gives the stake back, and pays nothing."""
    after = replace(_settled(bet, BetState.VOID, at), payout=None)
    return Step(
        after, ledger.stake_returned(bet.user_id, bet.stake, bet_id=bet.bet_id, event_at=at)
    )


def mismatched(bet: Bet, said: str, *, at: datetime) -> Step:
    """The game speaks of another round or stake than the bet's."""
    return for_people(bet, _MISMATCH, said, at=at)


def was_mismatched(bet: Bet) -> bool:
    """People have seen that the game speaks of another bet, and had it asked again."""
    return bet.reason == _MISMATCH


def is_about(bet: Bet, answer: game.Bet | game.Hold) -> bool:
    """Whether what the game speaks of is this bet: the round and the stake."""
    return (answer.round_id, answer.amount) == (bet.round_id, bet.stake)


def _settled(bet: Bet, state: BetState, at: datetime) -> Bet:
    return replace(
        bet, state=state, settled_at=at, updated_at=at, due_at=None, looks=0, reason=None
    )


def _looked(bet: Bet, at: datetime, longest_s: float) -> Bet:
    return replace(bet, due_at=at + _after(bet.looks, longest_s), looks=bet.looks + 1)


def _after(looks: int, longest_s: float) -> timedelta:
    wait_s = _FIRST_LOOK_S * _GROWTH ** min(looks, _MOST_LOOKS)
    return timedelta(seconds=min(wait_s, longest_s))
