"""Settle a bet that has a ticket: cashed out, lost or void, as the game says when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.bets import rules
from recon.bets.calls import UNANSWERED
from recon.bets.model import BetState
from recon.game import BetStatus, GameRefused, PayoutStatus, Refusal

if TYPE_CHECKING:
    from decimal import Decimal

    from recon import game
    from recon.bets.calls import Line
    from recon.bets.model import Bet
    from recon.bets.rules import Step
    from recon.money import Money

__all__ = ["cash_out_again", "settle", "settle_payout", "ticket_of"]

_CONFLICT = 409
_UNPROCESSABLE = 422


def ticket_of(bet: Bet) -> str:
    """The ticket of a bet that was placed.

    Raises:
        ValueError: it has none; the table refuses such a row.
    """
    if bet.ticket_id is None:
        raise ValueError(f"bet {bet.bet_id} is {bet.state} and has no ticket")
    return bet.ticket_id


async def settle(line: Line, bet: Bet) -> Step:
    """What becomes of a bet in ``placed`` or ``cashing_out``.

    Raises:
        UNANSWERED: the game did not answer; nothing can be concluded.
    """
    if bet.payout_transaction_id is not None:
        return await settle_payout(line, bet, bet.payout_transaction_id)
    try:
        ticket = await line.ask_bet(ticket_of(bet))
    except GameRefused as refusal:
        said = f"the game does not tell of ticket {bet.ticket_id}: {refusal}"
        return rules.unsettled(bet, said, at=line.now())
    return await _by_ticket(line, bet, ticket)


async def settle_payout(
    line: Line,
    bet: Bet,
    transaction_id: str,
    *,
    multiplier: Decimal | None = None,
    promised: Money | None = None,
) -> Step:
    """Book a payout once it is completed, and not before; one question, then the resolver's turn.

    Args:
        line: to the game.
        bet: the bet.
        transaction_id: the payout.
        multiplier: of the cash-out, where it was just learned.
        promised: the amount, likewise.
    """
    awaited = rules.payout_awaited(
        bet, transaction_id, multiplier=multiplier, amount=promised, at=line.now()
    )
    try:
        payout = await line.ask_payout(transaction_id)
    except GameRefused:
        return await _unless_void(line, awaited)
    except UNANSWERED:
        return awaited
    if (payout.ticket_id, payout.amount.currency) != (bet.ticket_id, bet.stake.currency):
        said = (
            f"payout {transaction_id} is {payout.amount} {payout.amount.currency} "
            f"for ticket {payout.ticket_id}"
        )
        return rules.for_people(awaited.bet, "payout_mismatch", said, at=line.now())
    if payout.status is PayoutStatus.COMPLETED:
        return rules.payout_booked(awaited.bet, payout, at=line.now())
    if payout.status is PayoutStatus.FAILED:
        return await _failed(line, awaited.bet, payout)
    awaited = rules.payout_awaited(
        bet, transaction_id, multiplier=multiplier, amount=payout.amount, at=line.now()
    )
    return awaited if awaited.case is None else await _unless_void(line, awaited)


async def cash_out_again(line: Line, bet: Bet) -> Step:
    """Send a cash-out whose outcome was unknown once more, under its key.

    Raises:
        UNANSWERED: unknown still.
    """
    try:
        cashed = await line.cash_out(ticket_of(bet))
    except GameRefused as refusal:
        stored = refusal.status in {_CONFLICT, _UNPROCESSABLE}
        if not stored or refusal.code == Refusal.IDEMPOTENCY_KEY_REUSED:
            return rules.unsettled(bet, f"the cash-out is refused: {refusal}", at=line.now())
        # The bet goes on; what has become of it meanwhile, the next look asks.
        return rules.in_play_again(bet, refusal.code, next_key=line.next_key(), at=line.now())
    payout = cashed.payout
    return await settle_payout(
        line,
        bet,
        payout.transaction_id,
        multiplier=cashed.multiplier,
        promised=payout.amount,
    )


async def _by_ticket(  # noqa: PLR0911 - one answer for each status
    line: Line, bet: Bet, ticket: game.Bet
) -> Step:
    at = line.now()
    if not rules.is_about(bet, ticket):
        if ticket.status is BetStatus.VOID and rules.was_mismatched(bet):
            return rules.void(bet, at=at)
        said = f"ticket {ticket.ticket_id} is {ticket.amount} on round {ticket.round_id}"
        return rules.mismatched(bet, said, at=at)
    match ticket.status:
        case BetStatus.LOST:
            return rules.lost(bet, at=at)
        case BetStatus.VOID:
            return rules.void(bet, at=at)
        case BetStatus.CASHED_OUT if ticket.payout_transaction_id is not None:
            return await settle_payout(
                line, bet, ticket.payout_transaction_id, multiplier=ticket.cashout_multiplier
            )
        case BetStatus.CASHED_OUT:
            return rules.unsettled(bet, "cashed out, and no payout is named", at=at)
        case BetStatus.ACTIVE if bet.state is BetState.CASHING_OUT:
            return await cash_out_again(line, bet)
        case BetStatus.ACTIVE:
            return rules.waiting(bet, at=at, why="the game still has it in play")


async def _unless_void(line: Line, awaited: Step) -> Step:
    """The payout is not found, or stays pending: of a cancelled round none ever comes."""
    bet = awaited.bet
    try:
        ticket = await line.ask_bet(ticket_of(bet))
    except (GameRefused, *UNANSWERED):
        return awaited
    return rules.void(bet, at=line.now()) if ticket.status is BetStatus.VOID else awaited


async def _failed(line: Line, bet: Bet, payout: game.Payout) -> Step:
    """A payout fails for good when its round is cancelled; for any other reason people decide."""
    try:
        ticket = await line.ask_bet(ticket_of(bet))
    except (GameRefused, *UNANSWERED):
        return rules.waiting(bet, at=line.now())
    if ticket.status is BetStatus.VOID:
        return rules.void(bet, at=line.now())
    said = f"payout {payout.transaction_id} of {payout.amount} failed, the bet is {ticket.status}"
    return rules.for_people(bet, "payout_failed", said, at=line.now())
