"""Everything of ours that speaks of a wallet, read at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from recon.bets import unsettled_bets_of
from recon.clock import now
from recon.db import load
from recon.ledger import read_postings_up_to
from recon.payments import open_payments_of, payments_of
from recon.reconciliation.facts.postings import KINDS, PSP
from recon.settlements import find_settlement_facts
from recon.webhooks import unbooked_deliveries_of

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from recon.bets import UnsettledBet
    from recon.ledger import Posting
    from recon.payments import Payment
    from recon.reconciliation.compare import Comparison
    from recon.settlements import SettlementFact
    from recon.webhooks import UnbookedDelivery

__all__ = ["AMONG_POSTINGS", "MAX_POSTINGS", "MAX_ROWS", "Records", "read_records"]

MAX_ROWS: Final = 500
"""As many as the rooms give of payments, deliveries, bets and findings."""
MAX_POSTINGS: Final = 1000
AMONG_POSTINGS: Final = 10_000
_SETTLEMENTS_WITHIN: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Records:
    """Everything of ours that speaks of a wallet, at one instant."""

    open_payments: list[Payment]
    payments: list[Payment]
    deliveries: list[UnbookedDelivery]
    postings: list[Posting]
    bets: list[UnsettledBet]
    settled: list[SettlementFact]
    agreed_version: int
    agreed_at: datetime | None
    taken_until: datetime | None
    stands_since: datetime | None


async def read_records(connection: asyncpg.Connection[Any], look: Comparison) -> Records:
    """Read them all; within one transaction, so that they are of one instant."""
    wallet = look.snapshot
    user_id, currency = wallet.user_id, wallet.currency
    row = await connection.fetchrow(
        load("recon.reconciliation", "agreed"),
        *(user_id, currency, [Decimal(one) for one in look.readings]),
        Decimal(look.held_difference),
    )
    open_payments = await open_payments_of(connection, user_id, currency, limit=MAX_ROWS)
    payments = await payments_of(connection, user_id, currency, limit=MAX_ROWS)
    return Records(
        open_payments=open_payments,
        payments=payments,
        deliveries=await unbooked_deliveries_of(
            connection,
            user_id,
            references=sorted({(one.endpoint, one.reference) for one in payments + open_payments}),
        ),
        postings=await read_postings_up_to(
            connection,
            user_id,
            currency,
            version=wallet.version,
            sources=PSP,
            kinds=KINDS,
            among=AMONG_POSTINGS,
            limit=MAX_POSTINGS,
        ),
        bets=await unsettled_bets_of(connection, user_id, currency),
        settled=await find_settlement_facts(
            connection, user_id, currency, now() - _SETTLEMENTS_WITHIN
        ),
        agreed_version=row["agreed_version"] or 0,
        agreed_at=row["agreed_at"],
        taken_until=row["taken_until"],
        stands_since=row["stands_since"],
    )
