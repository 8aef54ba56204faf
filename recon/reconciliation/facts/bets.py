"""Bets whose money may stand differently at the game, which is asked about each of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from recon.bets import BetState, SettledBet
from recon.errors import ReconError
from recon.game import BetStatus, GameRefused, GameUnavailable, PayoutStatus, Refusal
from recon.money import Money
from recon.reconciliation.candidate import Candidate
from recon.reconciliation.model import Cause, Evidence, Finding
from recon.reconciliation.odds import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recon.bets import UnsettledBet
    from recon.game import Bet, KeyOutcome, Payout
    from recon.reconciliation.model import Reconciler

__all__ = ["Asked", "ask_of_bets"]

_ASKING_S: Final = 20.0
"""So long the game is asked; whoever looks at a wallet has it for a minute."""
_NO_SUCH: Final = {Refusal.NOT_FOUND, Refusal.USER_NOT_FOUND}


@dataclass(slots=True)
class Asked:
    """What the game said of bets: ``answered`` of them; the others it did not answer for."""

    candidates: list[Candidate] = field(default_factory=list)
    answered: int = 0


class _Stands(NamedTuple):
    """What a bet has changed in a balance, in minor units, signed."""

    available: int
    held: int

    def less(self, other: _Stands) -> _Stands:
        return _Stands(self.available - other.available, self.held - other.held)


class _There(NamedTuple):
    """A bet as the game has it.

    Attributes:
        stands: what it has changed there.
        given: what the player got back.
        told: in words.
        payout: of the bet, whatever its status.
        is_known: the game knows the bet at all.
    """

    stands: _Stands
    given: int
    told: str
    payout: Payout | None = None
    is_known: bool = True


async def ask_of_bets(
    reconciler: Reconciler,
    user_id: str,
    bets: Sequence[UnsettledBet | SettledBet],
    *,
    held: bool,
) -> Asked:
    """Ask the game about each bet, by its ticket or, where it has none, by its key.

    The game is asked for twenty seconds at most, and not further once it does not answer.

    Args:
        reconciler: whose game, and as what the questions go.
        user_id: the player.
        bets: in one currency.
        held: the difference is of the money on hold, else of what is available.
    """
    asked = Asked()
    left = list(bets)
    until_s = asyncio.get_running_loop().time() + _ASKING_S
    while left and asyncio.get_running_loop().time() < until_s:
        bet = left.pop(0)
        try:
            there = await _there(reconciler, user_id, bet)
        except GameUnavailable:
            left.insert(0, bet)
            break
        except ReconError:
            asked.candidates += _unanswered(bet, held=held)
            continue
        asked.answered += 1
        asked.candidates += _candidates(bet, there, held=held)
    for bet in left:
        asked.candidates += _unanswered(bet, held=held)
    return asked


async def _there(reconciler: Reconciler, user_id: str, bet: UnsettledBet | SettledBet) -> _There:
    """The bet as the game has it; errors as of the game's client."""
    game, wanted_as = reconciler.game, reconciler.wanted_as
    try:
        if bet.ticket_id is None:
            outcome = await game.bet_by_key(user_id, str(bet.hold_key), wanted_as=wanted_as)
            if outcome.bet is None:
                return _on_hold(outcome, bet.amount.currency)
            asked = outcome.bet
        else:
            asked = await game.bet(user_id, bet.ticket_id, wanted_as=wanted_as)
    except GameRefused as error:
        if error.code not in _NO_SUCH:
            raise
        return _There(_Stands(0, 0), 0, "does not know it", is_known=False)
    payout = None
    if asked.payout_transaction_id is not None:
        payout = await game.payout(user_id, asked.payout_transaction_id, wanted_as=wanted_as)
    return _of_bet(asked, payout, bet.amount.currency)


def _on_hold(outcome: KeyOutcome, currency: str) -> _There:
    hold = outcome.hold
    if hold is None:
        return _There(_Stands(0, 0), 0, "knows nothing of it", is_known=False)
    stake = hold.amount.minor if hold.amount.currency == currency else 0
    if hold.status != "held":
        return _There(_Stands(0, 0), 0, f"has its hold as {hold.status}")
    return _There(_Stands(-stake, stake), 0, f"holds {hold.amount} {hold.amount.currency} for it")


def _of_bet(asked: Bet, payout: Payout | None, currency: str) -> _There:
    stake = asked.amount.minor if asked.amount.currency == currency else 0
    given = stake if asked.status is BetStatus.VOID else 0
    if payout is not None and payout.status is PayoutStatus.COMPLETED:
        # Money of another currency is in another wallet.
        given += payout.amount.minor if payout.amount.currency == currency else 0
    return _There(
        _Stands(given - stake, 0),
        given,
        f"has it as {asked.status} with a stake of {asked.amount} and gave "
        f"{Money(given, currency)} {currency}",
        payout,
    )


def _here(bet: UnsettledBet | SettledBet) -> tuple[_Stands, int]:
    """What a bet has changed here, and what the player got back."""
    stake = bet.amount.minor
    if bet.state is BetState.PLACING:
        return _Stands(-stake, stake), 0
    if bet.state is BetState.REJECTED:
        return _Stands(0, 0), 0
    given = stake if bet.state is BetState.VOID else 0
    if bet.state is BetState.CASHED_OUT and bet.payout is not None:
        given = bet.payout.minor
    return _Stands(given - stake, 0), given


def _candidates(bet: UnsettledBet | SettledBet, there: _There, *, held: bool) -> list[Candidate]:
    stands, given = _here(bet)
    differs = there.stands.less(stands)
    amount = differs.held if held else differs.available
    payout = there.payout
    if payout is not None and payout.amount.currency != bet.amount.currency:
        payout = None
    if isinstance(bet, SettledBet):
        if not amount:
            return []
        ruled = " as people ruled" if bet.by_hand else ""
        told = (
            f"is {bet.state} here{ruled}, which gave the player {Money(given, bet.amount.currency)}"
        )
        fact = replace(
            _fact(bet, amount, f"{told}; the game {there.told}", _cause(bet, there, given)),
            finding=Finding.RULED if bet.by_hand else Finding.SETTLED,
        )
        return [Candidate(fact, Standing.KNOWN if there.is_known else Standing.LIKELY)]
    if payout is not None and payout.status is not PayoutStatus.FAILED and not held:
        return [_payout(bet, payout, amount)]
    if not amount:
        return []
    told = f"is {bet.state} here, its outcome not booked; the game {there.told}"
    fact = _fact(bet, amount, told, Cause.UNRESOLVED_BET)
    return [Candidate(fact, Standing.KNOWN if there.is_known else Standing.LIKELY)]


def _cause(bet: SettledBet, there: _There, given: int) -> Cause:
    if given != there.given and not (given and there.given):
        return Cause.MISSED_PAYOUT
    if bet.state is BetState.REJECTED or not there.is_known:
        return Cause.UNRESOLVED_BET
    return Cause.AMOUNT_MISMATCH


def _payout(bet: UnsettledBet, payout: Payout, amount: int) -> Candidate:
    """A payout that is not booked here; one that is pending may be in the game's balance or not."""
    paid = payout.status is PayoutStatus.COMPLETED
    fact = Evidence(
        "payout",
        payout.transaction_id,
        amount if paid else amount + payout.amount.minor,
        payout.completed_at or bet.updated_at,
        f"payout {payout.transaction_id} of {payout.amount} for bet {bet.bet_id} is "
        f"{payout.status} at the game and not booked here",
        Cause.MISSED_PAYOUT,
        _round(bet),
    )
    return Candidate(fact, Standing.KNOWN if paid else Standing.OPEN, money=f"bet {bet.bet_id}")


def _unanswered(bet: UnsettledBet | SettledBet, *, held: bool) -> list[Candidate]:
    """What a bet without a ticket may have come to, where the game does not say."""
    if isinstance(bet, SettledBet) or bet.ticket_id is not None:
        return []
    stake = bet.amount.minor
    told = f"of {bet.amount} is {bet.state}: its outcome is not known" + (
        "" if bet.calls_in_flight else ", and people must decide"
    )
    fact = _fact(bet, -stake if held else stake, told, Cause.UNRESOLVED_BET)
    return [Candidate(fact, Standing.OPEN)]


def _fact(bet: UnsettledBet | SettledBet, amount: int, told: str, cause: Cause) -> Evidence:
    at: datetime = bet.settled_at if isinstance(bet, SettledBet) else bet.updated_at
    return Evidence(
        "bet", str(bet.bet_id), amount, at, f"bet {bet.bet_id} {told}", cause, _round(bet)
    )


def _round(bet: UnsettledBet | SettledBet) -> str:
    return f"round {bet.round_id}"
