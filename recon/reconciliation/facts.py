"""Gather what could account for a wallet's difference: our records, and the game's per ticket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.bets import unsettled_bets_of
from recon.db import load
from recon.errors import ReconError
from recon.game import BetStatus
from recon.ledger import Posting, read_postings_since
from recon.money import Money
from recon.payments import Direction, Payment, PaymentState, open_payments_of, payments_of
from recon.reconciliation.model import Cause, Evidence
from recon.webhooks import unbooked_deliveries_of

if TYPE_CHECKING:
    import asyncpg

    from recon.bets import UnsettledBet
    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.model import Reconciler
    from recon.webhooks import UnbookedDelivery

__all__ = ["Facts", "gather"]

_MAX_POSTINGS = 1000

_IN = {
    "deposit.succeeded",
    "deposit.refund_failed",
    "deposit.chargeback_reversed",
    "withdrawal.returned",
}
_OUT = {"deposit.refunded", "deposit.charged_back", "deposit.failed", "withdrawal.paid"}


@dataclass(frozen=True, slots=True)
class Facts:
    """The candidates, and a sentence for each place that was looked at."""

    candidates: list[Evidence]
    looked_at: list[str]


async def gather(reconciler: Reconciler, look: Comparison) -> Facts:
    """Everything that speaks of this wallet and could make its balances differ.

    Postings since the wallet last agreed come alone, where there are any; else the newest ones.
    """
    user_id, currency = look.snapshot.user_id, look.snapshot.currency
    async with reconciler.pool.acquire() as connection:
        payments = await open_payments_of(connection, user_id, currency)
        known = await payments_of(connection, user_id, currency)
        deliveries = await unbooked_deliveries_of(
            connection, user_id, references=[payment.reference for payment in known]
        )
        agreed = await _agreed_version(connection, user_id, currency)
        postings = await read_postings_since(
            connection, user_id, currency, after_version=agreed, limit=_MAX_POSTINGS
        )
        bets = await unsettled_bets_of(connection, user_id, currency)
    by_reference = {payment.reference: payment for payment in known}
    unbooked = _unbooked(deliveries, by_reference, currency)
    # A delivery of which nothing can be told does not stand for its payment.
    telling = {fact.id for fact in unbooked}
    reported = {d.reference for d in deliveries if d.reference and str(d.delivery_id) in telling}
    candidates = [
        *unbooked,
        *_unreported(payments, reported),
        *_not_taken(payments),
        *[fact for posting in postings for fact in _of_posting(posting)],
        *[fact for bet in bets for fact in await _of_bet(reconciler, user_id, bet)],
    ]
    since = f"since version {agreed}" if agreed else "from the first"
    looked_at = [
        f"{len(payments)} registered payments whose outcome no PSP has told",
        f"{len(deliveries)} deliveries that could not be booked",
        f"{len(postings)} postings {since}",
        f"{len(bets)} bets whose outcome is not booked, each asked of the game",
    ]
    return Facts(candidates, looked_at)


async def _agreed_version(connection: asyncpg.Connection[Any], user_id: str, currency: str) -> int:
    version: int | None = await connection.fetchval(
        load("recon.reconciliation", "agreed_version"), user_id, currency
    )
    return version or 0


def _unbooked(
    deliveries: list[UnbookedDelivery], payments: dict[str, Payment], currency: str
) -> list[Evidence]:
    """A report that came and could not be booked.

    Where it says another amount than was registered, the game may have taken either.
    """
    facts = []
    for delivery in deliveries:
        registered = payments.get(delivery.reference or "")
        reported = delivery.amount
        kind = str(delivery.kind)
        sign = 1 if kind in _IN else -1 if kind in _OUT else 0
        if sign == 0:
            continue
        known = None if registered is None else registered.amount
        amounts = [*dict.fromkeys(amount for amount in (known, reported) if amount is not None)]
        mismatch = len(amounts) > 1
        said = f"{reported} {reported.currency}" if reported is not None else "no amount"
        told = (
            f"{delivery.event_type} from {delivery.endpoint} says {said}"
            + (f", registered was {known}" if mismatch else "")
            + (", found in its own list and brought by no webhook" if delivery.backfilled else "")
            + f"; {delivery.state}: {delivery.reason or 'no reason kept'}"
        )
        facts += [
            Evidence(
                kind="delivery",
                id=str(delivery.delivery_id),
                amount=sign * amount.minor,
                at=delivery.received_at,
                summary=told,
                cause=Cause.AMOUNT_MISMATCH if mismatch else Cause.MISSING_WEBHOOK,
            )
            for amount in amounts
            if amount.currency == currency
        ]
    return facts


def _unreported(payments: list[Payment], reported: set[str]) -> list[Evidence]:
    """A payment registered here of which the PSP never told us the outcome."""
    facts = []
    for payment in payments:
        if payment.reference in reported or payment.state is PaymentState.ACCEPTED:
            continue
        deposit = payment.direction is Direction.DEPOSIT
        facts.append(
            Evidence(
                kind="payment",
                id=payment.reference,
                amount=payment.amount.minor if deposit else -payment.amount.minor,
                at=payment.registered_at,
                summary=(
                    f"{payment.direction} {payment.reference} of {payment.amount} "
                    f"{payment.amount.currency} at {payment.endpoint} is {payment.state}: "
                    "no webhook has told its outcome"
                ),
                cause=Cause.MISSING_WEBHOOK,
            )
        )
    return facts


def _not_taken(payments: list[Payment]) -> list[Evidence]:
    """A withdrawal accepted by the PSP, which the game may not have been told of."""
    return [
        Evidence(
            kind="payment",
            id=payment.reference,
            amount=payment.amount.minor,
            at=payment.updated_at,
            summary=(
                f"withdrawal {payment.reference} of {payment.amount} {payment.amount.currency} "
                f"was accepted by {payment.endpoint}; the game still shows the money"
            ),
            cause=Cause.MISSING_GAME_UPDATE,
        )
        for payment in payments
        if payment.state is PaymentState.ACCEPTED and payment.direction is Direction.WITHDRAWAL
    ]


def _of_posting(posting: Posting) -> list[Evidence]:
    """A booked fact that the game may have missed, or counted twice."""
    change = posting.available_change
    if posting.kind == "bet.payout":
        return [_fact(posting, -change, Cause.MISSED_PAYOUT, "the game's balance has not got it")]
    if not posting.source.startswith("psp:"):
        return []
    if posting.kind == "withdrawal.paid":
        # The reservation left `available` earlier; the game is told when it is paid.
        change = -posting.amount
    if change == 0:
        return []
    return [
        _fact(posting, -change, Cause.MISSING_GAME_UPDATE, "it never reached the game"),
        _fact(posting, change, Cause.DUPLICATE, "the game counted it twice"),
    ]


def _fact(posting: Posting, amount: int, cause: Cause, meaning: str) -> Evidence:
    booked = Money(posting.amount, posting.currency)
    return Evidence(
        kind="posting",
        id=f"{posting.user_id}:{posting.currency}:{posting.version}",
        amount=amount,
        at=posting.recorded_at,
        summary=(
            f"{posting.kind} of {booked} {booked.currency} ({posting.source} {posting.key}) "
            f"is booked here; {meaning}"
        ),
        cause=cause,
    )


async def _of_bet(reconciler: Reconciler, user_id: str, bet: UnsettledBet) -> list[Evidence]:
    """A bet whose outcome is not booked here; the game is asked what it knows."""
    stake = bet.amount.minor
    if bet.ticket_id is None:
        told = f"bet {bet.bet_id} of {bet.amount} is {bet.state}: its outcome is not known" + (
            "" if bet.calls_in_flight else ", and people must decide"
        )
        return [
            Evidence("bet", str(bet.bet_id), sign * stake, bet.updated_at, told, cause)
            for sign, cause in ((1, Cause.UNRESOLVED_BET), (-1, Cause.UNRESOLVED_BET))
        ]
    try:
        asked = await reconciler.game.bet(user_id, bet.ticket_id, wanted_as=reconciler.wanted_as)
        if asked.status is BetStatus.VOID:
            told = f"bet {bet.bet_id} is void at the game, its stake not yet returned here"
            return [
                Evidence("bet", str(bet.bet_id), stake, bet.updated_at, told, Cause.UNRESOLVED_BET)
            ]
        if asked.payout_transaction_id is None:
            return []
        payout = await reconciler.game.payout(
            user_id, asked.payout_transaction_id, wanted_as=reconciler.wanted_as
        )
    except ReconError:
        return []
    told = (
        f"payout {payout.transaction_id} of {payout.amount} for bet {bet.bet_id} is "
        f"{payout.status} at the game and not booked here"
    )
    return [
        Evidence(
            "payout",
            payout.transaction_id,
            payout.amount.minor,
            payout.completed_at or bet.updated_at,
            told,
            Cause.MISSED_PAYOUT,
        )
    ]
