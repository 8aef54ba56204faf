"""Gather everything that speaks of a wallet and could make its balances differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.bets import settled_bets_of, unsettled_bets_of
from recon.clock import now
from recon.db import load
from recon.ledger import read_postings_since
from recon.payments import open_payments_of, payments_of
from recon.reconciliation.facts.bets import of_settled_bet, of_unsettled_bet
from recon.reconciliation.facts.payments import not_taken, unbooked, unreported
from recon.reconciliation.facts.postings import of_postings
from recon.reconciliation.facts.settlements import settled_otherwise
from recon.settlements import find_settlement_facts
from recon.webhooks import unbooked_deliveries_of

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.explain import Candidate
    from recon.reconciliation.model import Reconciler

__all__ = ["Facts", "gather", "gather_more"]

_MAX_POSTINGS: Final = 1000
_MAX_SETTLED: Final = 20
"""Each is a question to the game, whose rate the looks at other wallets need as well."""
_SETTLED_WITHIN: Final = timedelta(days=1)
_SETTLEMENTS_WITHIN: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Facts:
    """The candidates, and a sentence for each place that was looked at."""

    candidates: list[Candidate]
    looked_at: list[str]


@dataclass(frozen=True, slots=True)
class _Agreed:
    version: int
    at: datetime | None


async def gather(reconciler: Reconciler, look: Comparison) -> Facts:
    """What is known to be open, and the postings that may be lost or doubled at the game.

    Postings since the wallet last agreed come alone, where there are any; else the newest ones.
    """
    user_id, currency = look.snapshot.user_id, look.snapshot.currency
    async with reconciler.pool.acquire() as connection:
        payments = await open_payments_of(connection, user_id, currency)
        known = await payments_of(connection, user_id, currency)
        deliveries = await unbooked_deliveries_of(
            connection, user_id, references=[payment.reference for payment in known]
        )
        agreed = await _agreed(connection, user_id, currency)
        postings = await read_postings_since(
            connection, user_id, currency, after_version=agreed.version, limit=_MAX_POSTINGS
        )
        bets = await unsettled_bets_of(connection, user_id, currency)
        settled = await find_settlement_facts(
            connection, user_id, currency, agreed.at or now() - _SETTLEMENTS_WITHIN
        )
    by_reference = {payment.reference: payment for payment in known}
    reports = unbooked(deliveries, by_reference, currency, agreed_at=agreed.at)
    # A delivery of which nothing can be told does not stand for its payment.
    telling = {one.fact.id for one in reports}
    reported = {d.reference for d in deliveries if d.reference and str(d.delivery_id) in telling}
    settlements = settled_otherwise(settled, reported=reported, found_at=now())
    told = reported | {fact.reference for fact in settled if fact.reference is not None}
    candidates = [
        *reports,
        *settlements,
        *unreported(payments, told),
        *not_taken(payments),
        *of_postings(postings),
        *[one for bet in bets for one in await of_unsettled_bet(reconciler.game, user_id, bet)],
    ]
    since = f"since version {agreed.version}" if agreed.version else "from the first"
    looked_at = [
        f"{len(payments)} registered payments whose outcome no PSP has told",
        f"{len(deliveries)} deliveries that could not be booked",
        f"{len(postings)} postings {since}",
        f"{len(bets)} bets whose outcome is not booked, each asked of the game",
        f"{len(settled)} findings of settlement files",
    ]
    return Facts(candidates, looked_at)


async def gather_more(reconciler: Reconciler, look: Comparison, facts: Facts) -> Facts:
    """What is worth asking only where nothing else explains: bets that both sides have settled."""
    user_id, currency = look.snapshot.user_id, look.snapshot.currency
    async with reconciler.pool.acquire() as connection:
        agreed = await _agreed(connection, user_id, currency)
        since = agreed.at or now() - _SETTLED_WITHIN
        bets = await settled_bets_of(connection, user_id, currency, since=since, limit=_MAX_SETTLED)
    found = [one for bet in bets for one in await of_settled_bet(reconciler.game, user_id, bet)]
    place = f"{len(bets)} bets settled {'since' if agreed.at else 'in the last day'}"
    if agreed.at:
        place += " both sides last agreed"
    return Facts(
        [*facts.candidates, *found], [*facts.looked_at, f"{place}, each asked of the game"]
    )


async def _agreed(connection: asyncpg.Connection[Any], user_id: str, currency: str) -> _Agreed:
    row = await connection.fetchrow(load("recon.reconciliation", "agreed"), user_id, currency)
    if row is None:
        return _Agreed(0, None)
    return _Agreed(row["agreed_version"] or 0, row["agreed_at"])
