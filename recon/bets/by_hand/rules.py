"""Which bets people may settle, and what is booked then. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from recon.bets.by_hand.errors import (
    BetNotWaitingError,
    PayoutTooLargeError,
    RulingCurrencyError,
)
from recon.bets.by_hand.model import RulingOutcome
from recon.bets.model import BY_HAND, HIGHEST_MULTIPLIER, Bet, BetState
from recon.bets.rules import OLD
from recon.errors import Invalid
from recon.ledger import rules as ledger
from recon.money import Money

if TYPE_CHECKING:
    from datetime import datetime

    from recon.bets.by_hand.model import Ruling, RulingWish
    from recon.ledger import Entry

__all__ = [
    "Claimed",
    "Settlement",
    "claimed",
    "require_waiting",
    "settlement",
    "waits_for_people",
]


class Claimed(NamedTuple):
    """What is proposed of a bet, as it would be booked."""

    payout: Money | None
    payout_transaction_id: str | None
    ticket_id: str | None


class Settlement(NamedTuple):
    """A bet as it will be, and what is posted with it, in this order."""

    bet: Bet
    entries: list[Entry]


def require_waiting(bet: Bet, *, at: datetime) -> None:
    """Refuse what is not for people to settle: a bet with an outcome, or one that is young.

    A bet that rests has nobody else; of one that is older than `OLD` nothing that was sent for its
    placing can still take effect.

    Raises:
        BetNotWaitingError: it is so.
    """
    if bet.settled_at is not None:
        raise BetNotWaitingError(f"bet {bet.bet_id} is settled: it is {bet.state}")
    if not waits_for_people(bet, at=at):
        raise BetNotWaitingError(
            f"bet {bet.bet_id} is {bet.state} and the game is still asked about it; people settle "
            f"what has no outcome after {OLD.total_seconds() / 3600:.0f} hour"
        )


def waits_for_people(bet: Bet, *, at: datetime) -> bool:
    """Whether people may settle a bet: it rests, or has no outcome an hour after it was made."""
    return bet.settled_at is None and (bet.due_at is None or at - bet.created_at > OLD)


def claimed(bet: Bet, wish: RulingWish) -> Claimed:
    """What a wish says of a bet, checked against what the bet and the ledger allow.

    Raises:
        Invalid: ``invalid_amount``, ``payout_missing``, ``payout_unexpected``,
            ``payout_transaction_missing``, ``ticket_missing`` or ``ticket_mismatch``.
        RulingCurrencyError: the payout is not in the stake's currency.
        PayoutTooLargeError: it is more than the highest multiplier makes.
    """
    payout = _payout(bet, wish)
    transaction_id = None
    if payout is not None:
        transaction_id = wish.payout_transaction_id or bet.payout_transaction_id
        if transaction_id is None:
            raise Invalid(
                "name the game's payout transaction, which the bet does not know",
                code="payout_transaction_missing",
            )
    if bet.ticket_id is not None and wish.ticket_id not in {None, bet.ticket_id}:
        raise Invalid(f"the bet's ticket is {bet.ticket_id}", code="ticket_mismatch")
    ticket_id = bet.ticket_id or wish.ticket_id
    if ticket_id is None and wish.outcome is not RulingOutcome.VOID:
        raise Invalid(
            "name the game's ticket: by it the game took the stake", code="ticket_missing"
        )
    return Claimed(payout, transaction_id, ticket_id)


def settlement(bet: Bet, ruling: Ruling, *, at: datetime) -> Settlement:
    """The bet as it was ruled, with the postings that its state still lacks."""
    after = replace(
        bet,
        ticket_id=ruling.ticket_id,
        payout=ruling.payout,
        payout_transaction_id=ruling.payout_transaction_id or bet.payout_transaction_id,
        reason=BY_HAND,
        settled_at=at,
        updated_at=at,
        due_at=None,
        looks=0,
    )
    made: dict[str, Any] = {"bet_id": bet.bet_id, "event_at": at}
    was_taken = bet.state is not BetState.PLACING
    if ruling.outcome is RulingOutcome.VOID:
        if not was_taken:
            back = ledger.stake_voided(bet.user_id, bet.stake, **made)
            return Settlement(replace(after, state=BetState.REJECTED), [back])
        back = ledger.stake_returned(bet.user_id, bet.stake, **made)
        return Settlement(replace(after, state=BetState.VOID), [back])
    entries = []
    if not was_taken:
        # When the game took it is not known; that we wanted it to comes closest.
        after = replace(after, placed_at=bet.created_at)
        entries.append(ledger.stake_captured(bet.user_id, bet.stake, **made))
    if ruling.payout is None:
        return Settlement(replace(after, state=BetState.LOST), entries)
    entries.append(ledger.payout(bet.user_id, ruling.payout, **made))
    return Settlement(replace(after, state=BetState.CASHED_OUT), entries)


def _payout(bet: Bet, wish: RulingWish) -> Money | None:
    if wish.outcome is not RulingOutcome.CASHED_OUT:
        if (wish.payout, wish.currency, wish.payout_transaction_id) != (None, None, None):
            raise Invalid(f"a bet that is {wish.outcome} pays nothing", code="payout_unexpected")
        return None
    if wish.payout is None or wish.currency is None:
        raise Invalid("say what it paid, in payout and currency", code="payout_missing")
    payout = Money.parse(wish.payout, wish.currency)
    if payout.currency != bet.stake.currency:
        raise RulingCurrencyError(f"the stake is in {bet.stake.currency}, and so is what it pays")
    if payout.minor <= 0:
        raise Invalid("a payout is above zero; what pays nothing is lost", code="invalid_amount")
    if payout.minor > bet.stake.minor * HIGHEST_MULTIPLIER:
        raise PayoutTooLargeError(
            f"{payout} of a stake of {bet.stake} is more than {HIGHEST_MULTIPLIER} times as much"
        )
    return payout
