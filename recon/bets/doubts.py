"""What people should see of an answer that is booked all the same: it is the game's word. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from recon.bets.model import Bet, Case

if TYPE_CHECKING:
    from recon import game
    from recon.money import Money

__all__ = ["not_as_promised", "odd_payout", "other_target"]


def other_target(bet: Bet, ticket: game.Bet) -> Case | None:
    """The ticket cashes out by itself elsewhere than was wished for."""
    if ticket.auto_cashout == bet.auto_cashout:
        return None
    said = f"{bet.auto_cashout} was wished for, {ticket.auto_cashout} is the ticket's target"
    return Case("bet_mismatch", said)


def odd_payout(bet: Bet, transaction_id: str, amount: Money) -> Case | None:
    """The payout is not what was promised, or not what the bet has won."""
    promised = not_as_promised(bet, transaction_id, amount)
    return promised or _not_as_won(bet, transaction_id, amount)


def not_as_promised(bet: Bet, transaction_id: str, amount: Money | None) -> Case | None:
    """The payout is another than the game has said before."""
    promised = bet.payout
    if amount is None or promised is None or promised == amount:
        return None
    return _mismatch(transaction_id, amount, f"{promised} {promised.currency} was promised")


def _not_as_won(bet: Bet, transaction_id: str, amount: Money) -> Case | None:
    """The payout is not the stake times the multiplier, as exactly as that was told."""
    multiplier = bet.cashout_multiplier
    if multiplier is None:
        return None
    stake = bet.stake.minor
    last_place = Decimal(1).scaleb(int(multiplier.as_tuple().exponent))
    if abs(amount.minor - stake * multiplier) <= 1 + stake * last_place:
        return None
    won = f"for {bet.stake} {bet.stake.currency} at {multiplier}"
    return _mismatch(transaction_id, amount, won)


def _mismatch(transaction_id: str, amount: Money, instead: str) -> Case:
    said = f"payout {transaction_id} is {amount} {amount.currency}, {instead}"
    return Case("payout_mismatch", said)
