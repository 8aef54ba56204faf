"""Bets whose money may stand differently at the game, which is asked about each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.bets import BetState
from recon.errors import ReconError
from recon.game import BetStatus, PayoutStatus
from recon.money import Money
from recon.reconciliation.explain import Candidate
from recon.reconciliation.model import Cause, Evidence
from recon.reconciliation.odds import Standing

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from recon.bets import SettledBet, UnsettledBet
    from recon.game import Bet, GameClient

__all__ = ["of_settled_bet", "of_unsettled_bet"]


async def of_unsettled_bet(game: GameClient, user_id: str, bet: UnsettledBet) -> list[Candidate]:
    """A bet whose outcome is not booked here; nothing where the game does not say."""
    stake = bet.amount.minor
    if bet.ticket_id is None:
        told = f"bet {bet.bet_id} of {bet.amount} is {bet.state}: its outcome is not known" + (
            "" if bet.calls_in_flight else ", and people must decide"
        )
        return [
            Candidate(
                _of_bet(bet.bet_id, sign * stake, bet.updated_at, told, bet.round_id),
                Standing.OPEN,
            )
            for sign in (1, -1)
        ]
    try:
        asked = await game.bet(user_id, bet.ticket_id)
        if asked.status is BetStatus.VOID:
            told = f"bet {bet.bet_id} is void at the game, its stake not yet returned here"
            fact = _of_bet(bet.bet_id, stake, bet.updated_at, told, bet.round_id)
            return [Candidate(fact, Standing.KNOWN)]
        if asked.payout_transaction_id is None:
            return []
        payout = await game.payout(user_id, asked.payout_transaction_id)
    except ReconError:
        return []
    told = (
        f"payout {payout.transaction_id} of {payout.amount} for bet {bet.bet_id} is "
        f"{payout.status} at the game and not booked here"
    )
    paid = payout.status is PayoutStatus.COMPLETED
    fact = Evidence(
        "payout",
        payout.transaction_id,
        payout.amount.minor,
        payout.completed_at or bet.updated_at,
        told,
        Cause.MISSED_PAYOUT,
        _round(bet.round_id),
    )
    return [Candidate(fact, Standing.KNOWN if paid else Standing.OPEN)]


async def of_settled_bet(game: GameClient, user_id: str, bet: SettledBet) -> list[Candidate]:
    """A bet that is settled here and stands otherwise at the game; nothing where they agree."""
    currency = bet.amount.currency
    try:
        asked = await _asked(game, user_id, bet)
        if asked is None or asked.amount.currency != currency:
            return []
        there = asked.amount.minor if asked.status is BetStatus.VOID else 0
        if asked.payout_transaction_id is not None:
            payout = await game.payout(user_id, asked.payout_transaction_id)
            there += payout.amount.minor if payout.status is PayoutStatus.COMPLETED else 0
    except ReconError:
        return []
    here = _given_here(bet)
    taken = 0 if bet.state is BetState.REJECTED else bet.amount.minor
    difference = (there - asked.amount.minor) - (here - taken)
    if difference == 0:
        return []
    told = (
        f"bet {bet.bet_id} is {bet.state} here{' as people ruled' if bet.by_hand else ''}, which "
        f"gave the player {Money(here, currency)}; the game has it as {asked.status} and gave "
        f"{Money(there, currency)} {currency}"
    )
    fact = Evidence(
        "bet",
        str(bet.bet_id),
        difference,
        bet.settled_at,
        told,
        _cause(here, there),
        _round(bet.round_id),
    )
    return [Candidate(fact, Standing.KNOWN)]


async def _asked(game: GameClient, user_id: str, bet: SettledBet) -> Bet | None:
    """The bet as the game has it; by its key where people ruled on it without a ticket."""
    if bet.ticket_id is not None:
        return await game.bet(user_id, bet.ticket_id)
    if bet.by_hand:
        return (await game.bet_by_key(user_id, str(bet.hold_key))).bet
    return None


def _cause(here: int, there: int) -> Cause:
    if here and there:
        return Cause.AMOUNT_MISMATCH
    return Cause.MISSED_PAYOUT if here or there else Cause.UNRESOLVED_BET


def _given_here(bet: SettledBet) -> int:
    """What the player got back by a settled bet."""
    if bet.state is BetState.VOID:
        return bet.amount.minor
    return 0 if bet.payout is None or bet.state is not BetState.CASHED_OUT else bet.payout.minor


def _of_bet(bet_id: UUID, amount: int, at: datetime, told: str, round_id: str) -> Evidence:
    return Evidence("bet", str(bet_id), amount, at, told, Cause.UNRESOLVED_BET, _round(round_id))


def _round(round_id: str) -> str:
    return f"round {round_id}"
