"""Gather everything that speaks of a wallet and could make its balances differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from recon.bets import BetState, settled_bets_of
from recon.clock import now
from recon.reconciliation.facts.bets import ask_of_bets
from recon.reconciliation.facts.money import Moneys
from recon.reconciliation.facts.payments import failed_here, not_taken, unbooked, unreported
from recon.reconciliation.facts.postings import booked_by_psps, of_postings
from recon.reconciliation.facts.records import (
    AMONG_POSTINGS,
    MAX_POSTINGS,
    MAX_ROWS,
    Records,
    read_records,
)
from recon.reconciliation.facts.settlements import settled_otherwise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recon.ledger import Posting
    from recon.reconciliation.candidate import Candidate
    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.model import Reconciler
    from recon.reconciliation.slips import Booked

__all__ = ["Facts", "gather", "gather_more"]

_MAX_OLDER: Final = 200
"""Postings from before both sides agreed: the game may count one again, or lose it, later."""
_MAX_BETS: Final = 20
"""Each is a question or two to the game, whose rate the looks at other wallets need as well."""
_MAX_SETTLED: Final = 100
_SETTLED_WITHIN: Final = timedelta(days=1)
_HAPPENING: Final = {"payment", "posting", "bet", "payout"}
"""Facts that are as old as what they tell of; a report may come long after it."""
_MAX_ACCEPTED: Final = 8


@dataclass(frozen=True, slots=True)
class Facts:
    """What may be behind a difference.

    Attributes:
        candidates: each with what speaks for it.
        booked: payments that the game may have taken for other amounts.
        looked_at: a sentence for each place that was looked at.
        stands_since: since when the very difference stands, as far as is known.
        agreed_at: when both sides last agreed.
    """

    candidates: list[Candidate]
    booked: list[Booked] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    stands_since: datetime | None = None
    agreed_at: datetime | None = None


async def gather(reconciler: Reconciler, look: Comparison, *, since: datetime | None) -> Facts:
    """What is known to be open, and the postings that may be lost or doubled at the game.

    Where the available balances agree the difference is of the money on hold, which only bets make.

    Args:
        reconciler: whose ledger and game.
        look: what differs.
        since: when this very difference was first seen, at the latest; what happened later is not
            behind it, though a wallet that is always a little behind may look as if.
    """
    wallet = look.snapshot
    held = look.available_difference == 0
    async with (
        reconciler.pool.acquire() as connection,
        # What is booked while we read would be open in one table and booked in another.
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        records = await read_records(connection, look)
    asked = await ask_of_bets(reconciler, wallet.user_id, records.bets[-_MAX_BETS:], held=held)
    of_bets = (
        f"{_number(records.bets, MAX_ROWS)} bets whose outcome is not booked"
        f"{_answered(records.bets, asked.answered)}"
    )
    stands_since = min((at for at in (since, records.stands_since) if at is not None), default=None)
    if held:
        candidates, booked, looked_at = asked.candidates, [], [of_bets]
    else:
        moneys = Moneys(
            [*records.payments, *records.open_payments], records.deliveries, records.settled
        )
        candidates = [*_of_records(look, records, moneys), *asked.candidates]
        booked = booked_by_psps(records.postings, moneys, agreed_version=records.agreed_version)
        of_files = _count(records.settled, "findings of settlement files")
        looked_at = [*_looked_at(records, wallet.version), of_bets, of_files]
    return Facts(
        [_held_against(one, stands_since) for one in candidates],
        [one for one in booked if stands_since is None or one.posting.at <= stands_since],
        looked_at,
        stands_since,
        records.agreed_at,
    )


async def gather_more(reconciler: Reconciler, look: Comparison, facts: Facts) -> Facts:
    """What is worth asking only where nothing else is sure: bets that both sides have settled."""
    wallet = look.snapshot
    since = facts.agreed_at or now() - _SETTLED_WITHIN
    async with reconciler.pool.acquire() as connection:
        bets = await settled_bets_of(
            connection, wallet.user_id, wallet.currency, since=since, limit=_MAX_SETTLED
        )
    # What was rejected has mostly never moved money anywhere.
    likely_first = sorted(bets, key=lambda bet: bet.state is BetState.REJECTED and not bet.by_hand)
    held = look.available_difference == 0
    asked = await ask_of_bets(reconciler, wallet.user_id, likely_first[:_MAX_BETS], held=held)
    when = "since both sides last agreed" if facts.agreed_at else "in the last day"
    place = f"{_number(bets, _MAX_SETTLED)} bets settled {when}{_answered(bets, asked.answered)}"
    found = [_held_against(one, facts.stands_since) for one in asked.candidates]
    return Facts(
        [*facts.candidates, *found],
        facts.booked,
        [*facts.looked_at, place],
        facts.stands_since,
        facts.agreed_at,
    )


def _of_records(look: Comparison, records: Records, moneys: Moneys) -> list[Candidate]:
    """What our own records say of the available balance."""
    wallet, agreed_at = look.snapshot, records.agreed_at
    payments = (*records.payments, *records.open_payments)
    reports = unbooked(
        records.deliveries,
        {(one.endpoint, one.reference): one for one in payments},
        wallet.currency,
        moneys,
        agreed_at=agreed_at,
    )
    reported = {one.money for one in reports}
    settlements = settled_otherwise(records.settled, moneys, told=reported, agreed_at=agreed_at)
    told = reported | {one.money for one in settlements}
    since, older = _since(records)
    return [
        *reports,
        *settlements,
        *unreported(records.open_payments, told, moneys, agreed_at=agreed_at),
        *failed_here(records.payments, moneys, agreed_at=agreed_at),
        *not_taken(
            records.open_payments,
            moneys,
            may_be_there=wallet.accepted[:_MAX_ACCEPTED],
            taken_until=records.taken_until,
        ),
        *of_postings([*since, *older[:_MAX_OLDER]], moneys, agreed_version=records.agreed_version),
    ]


def _since(records: Records) -> tuple[list[Posting], list[Posting]]:
    """Postings since both sides agreed, and older ones."""
    version = records.agreed_version
    return (
        [one for one in records.postings if one.version > version],
        [one for one in records.postings if one.version <= version],
    )


def _held_against(candidate: Candidate, stands_since: datetime | None) -> Candidate:
    """What happened after the difference stood is hardly behind it."""
    fact = candidate.fact
    if stands_since is None or fact.kind not in _HAPPENING or fact.at <= stands_since:
        return candidate
    return candidate._replace(doubts=candidate.doubts + 1)


def _looked_at(records: Records, version: int) -> list[str]:
    since, older = _since(records)
    agreed = records.agreed_version
    if version - agreed > AMONG_POSTINGS:
        when = f"among the newest {AMONG_POSTINGS}"
    else:
        when = f"since version {agreed}" if agreed else "from the first"
    postings = f"{_number(since, MAX_POSTINGS)} postings {when}"
    if older:
        postings += f" and {_number(older[:_MAX_OLDER], _MAX_OLDER)} older ones"
    return [
        _count(records.open_payments, "registered payments whose outcome no PSP has told"),
        _count(records.deliveries, "deliveries that could not be booked"),
        f"{postings}, of payments, payouts and adjustments",
    ]


def _count(rows: Sequence[object], what: str) -> str:
    return f"{_number(rows, MAX_ROWS)} {what}"


def _number(rows: Sequence[object], most: int) -> str:
    return f"the newest {most}" if len(rows) >= most else str(len(rows))


def _answered(bets: Sequence[object], answered: int) -> str:
    """How the asking went; what the game has not answered for was not looked at."""
    if not bets:
        return ""
    asked = min(len(bets), _MAX_BETS)
    if len(bets) > asked:
        said = f", {asked} of them asked of the game"
    else:
        said = ", each asked of the game"
    if answered < asked:
        said += f", which answered for {answered}"
    return said
