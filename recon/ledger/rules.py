"""Which accounts each event of the business moves money between; pure.

Source: the PSPs' event guides (see ``recon.webhooks.psp``) and the game API's betting calls.
A PSP's fact may overdraw a wallet; a player's wish may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.ledger.model import Account, Entry, HoldOp

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from recon.money import Money

__all__ = [
    "BET_SOURCE",
    "adjustment",
    "fact_against_player",
    "fact_for_player",
    "payout",
    "reservation_paid",
    "reservation_voided",
    "stake_captured",
    "stake_held",
    "stake_returned",
    "stake_voided",
    "suspended",
    "withdrawal_reserved",
]

BET_SOURCE = "bets"
"""The source of every posting that a bet makes; PSP postings carry ``psp:<endpoint>``."""


def fact_for_player(
    user_id: str, amount: Money, *, kind: str, source: str, key: str, event_at: datetime
) -> Entry:
    """Money that the PSP says it took for the player: a deposit, or a withdrawal come back.

    Args:
        user_id: the player.
        amount: what arrived, above zero.
        kind: the canonical event, e.g. ``deposit.succeeded``.
        source: ``psp:<endpoint>``.
        key: ``<object>:<effect>``, the movement's own id.
        event_at: when the PSP says it happened.
    """
    return Entry(
        user_id=user_id,
        currency=amount.currency,
        debit=Account.CLEARING,
        credit=Account.AVAILABLE,
        amount_minor=amount.minor,
        kind=kind,
        source=source,
        key=key,
        event_at=event_at,
    )


def fact_against_player(
    user_id: str, amount: Money, *, kind: str, source: str, key: str, event_at: datetime
) -> Entry:
    """Money that the PSP says it gave back or paid out: a refund, a chargeback, a withdrawal.

    It is a fact, so it may overdraw. Arguments as in `fact_for_player`.
    """
    return Entry(
        user_id=user_id,
        currency=amount.currency,
        debit=Account.AVAILABLE,
        credit=Account.CLEARING,
        amount_minor=amount.minor,
        kind=kind,
        source=source,
        key=key,
        event_at=event_at,
    )


def suspended(
    book: str, amount: Money, *, kind: str, source: str, key: str, event_at: datetime, owed: bool
) -> Entry:
    """Money that moved at the PSP and belongs to nobody we can name yet.

    Args:
        book: the book of this one movement, ``~<endpoint>:<object>``, which is no player's.
        amount: what moved, above zero.
        kind: the canonical event.
        source: ``psp:<endpoint>``.
        key: ``<object>:<effect>``.
        event_at: when the PSP says it happened.
        owed: the money came in, and somebody is owed it; else it went out.
    """
    debit, credit = Account.CLEARING, Account.SUSPENSE
    if not owed:
        debit, credit = credit, debit
    return Entry(
        user_id=book,
        currency=amount.currency,
        debit=debit,
        credit=credit,
        amount_minor=amount.minor,
        kind=kind,
        source=source,
        key=key,
        event_at=event_at,
    )


def withdrawal_reserved(
    user_id: str, amount: Money, *, reference: str, hold_id: UUID, event_at: datetime
) -> Entry:
    """Set aside what a player asked to withdraw; refused when it is not available."""
    return Entry(
        user_id=user_id,
        currency=amount.currency,
        debit=Account.AVAILABLE,
        credit=Account.RESERVED,
        amount_minor=amount.minor,
        kind="withdrawal.reserved",
        source="payments",
        key=f"{reference}:reserved",
        event_at=event_at,
        guarded=True,
        hold_id=hold_id,
        hold_op=HoldOp.OPEN,
    )


def reservation_paid(
    user_id: str, amount: Money, *, hold_id: UUID, source: str, key: str, event_at: datetime
) -> Entry:
    """The PSP paid what was reserved."""
    return Entry(
        user_id=user_id,
        currency=amount.currency,
        debit=Account.RESERVED,
        credit=Account.CLEARING,
        amount_minor=amount.minor,
        kind="withdrawal.paid",
        source=source,
        key=key,
        event_at=event_at,
        hold_id=hold_id,
        hold_op=HoldOp.CAPTURED,
    )


def reservation_voided(
    user_id: str, amount: Money, *, hold_id: UUID, source: str, key: str, event_at: datetime
) -> Entry:
    """The payout failed before it was paid: the reservation goes back to the player."""
    return Entry(
        user_id=user_id,
        currency=amount.currency,
        debit=Account.RESERVED,
        credit=Account.AVAILABLE,
        amount_minor=amount.minor,
        kind="withdrawal.failed",
        source=source,
        key=key,
        event_at=event_at,
        hold_id=hold_id,
        hold_op=HoldOp.VOIDED,
    )


def stake_held(user_id: str, stake: Money, *, bet_id: UUID, event_at: datetime) -> Entry:
    """Put a stake on hold before the game is asked; refused when it is not available."""
    move = (Account.AVAILABLE, Account.HELD)
    return _of_bet(user_id, stake, move, "held", bet_id, event_at, hold_op=HoldOp.OPEN)


def stake_captured(user_id: str, stake: Money, *, bet_id: UUID, event_at: datetime) -> Entry:
    """The game has confirmed the bet: the stake is the game's."""
    move = (Account.HELD, Account.GAME)
    return _of_bet(user_id, stake, move, "placed", bet_id, event_at, hold_op=HoldOp.CAPTURED)


def stake_voided(user_id: str, stake: Money, *, bet_id: UUID, event_at: datetime) -> Entry:
    """The game refused the bet for good: the stake goes back from its hold."""
    move = (Account.HELD, Account.AVAILABLE)
    return _of_bet(user_id, stake, move, "rejected", bet_id, event_at, hold_op=HoldOp.VOIDED)


def stake_returned(user_id: str, stake: Money, *, bet_id: UUID, event_at: datetime) -> Entry:
    """The round was cancelled after the bet was placed: the game gives the stake back."""
    return _of_bet(user_id, stake, (Account.GAME, Account.AVAILABLE), "void", bet_id, event_at)


def payout(user_id: str, amount: Money, *, bet_id: UUID, event_at: datetime) -> Entry:
    """The game's payout of a bet is completed."""
    return _of_bet(user_id, amount, (Account.GAME, Account.AVAILABLE), "payout", bet_id, event_at)


def _of_bet(
    user_id: str,
    amount: Money,
    move: tuple[Account, Account],
    step: str,
    bet_id: UUID,
    event_at: datetime,
    *,
    hold_op: HoldOp | None = None,
) -> Entry:
    """One step of a bet, from the debit to the credit of ``move``; each step stands once."""
    return Entry(
        user_id=user_id,
        currency=amount.currency,
        debit=move[0],
        credit=move[1],
        amount_minor=amount.minor,
        kind=f"bet.{step}",
        source=BET_SOURCE,
        key=f"{bet_id}:{step}",
        event_at=event_at,
        guarded=hold_op is HoldOp.OPEN,
        hold_id=None if hold_op is None else bet_id,
        hold_op=hold_op,
    )


def adjustment(user_id: str, change: Money, *, adjustment_id: UUID, event_at: datetime) -> Entry:
    """A correction that two people agreed on; ``change`` is signed, never zero.

    Two people's judgement is no PSP's fact: it may not overdraw.
    """
    debit, credit = Account.ADJUSTMENT, Account.AVAILABLE
    if change.minor < 0:
        debit, credit = credit, debit
    return Entry(
        user_id=user_id,
        currency=change.currency,
        debit=debit,
        credit=credit,
        amount_minor=abs(change.minor),
        kind="adjustment",
        source="adjustments",
        key=str(adjustment_id),
        event_at=event_at,
        guarded=change.minor < 0,
    )
