"""A week of an operator's life, written through the ledger and the verbs by which runs record.

Nine wallets differ at the end of it: GBP by +36.50 net, EUR by +3.55, JPY by +1,500, USD by
-1,250.00; two of them, u_90911 and u_20466, without an explanation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from recon.clock import new_id
from recon.db import load
from recon.ledger import post_one, rules
from recon.money import Money
from recon.reconciliation import Cause, Evidence, Finding
from recon.reconciliation.compare import GameSays, Snapshot, compare
from recon.reconciliation.explain import Candidate, explain
from recon.reconciliation.look import Look, LookState
from recon.reconciliation.odds import Standing
from recon.reconciliation.record import record_agreements, record_discrepancy

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.ledger import Entry

__all__ = ["Seeded", "seed_week"]

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_EVERY: Final = 6 * _HOUR
_WALLETS: Final = 10_000


@dataclass
class Seeded:
    """What was written: discrepancies by the player they are about, runs from the oldest."""

    now: datetime
    discrepancies: dict[str, UUID] = field(default_factory=dict)
    runs: list[UUID] = field(default_factory=list)


@dataclass(frozen=True)
class _Fact:
    """Evidence as it will be recorded, ``ago`` before the end of the week."""

    kind: str
    id: str
    amount: str
    ago: timedelta
    cause: Cause
    summary: str
    finding: Finding | None = None


@dataclass(frozen=True)
class _Case:
    """A wallet that differs since ``ago``, and what speaks for it."""

    user_id: str
    currency: str
    balance: str
    difference: str
    ago: timedelta
    facts: tuple[_Fact, ...] = ()
    status: str = "open"
    assignee: str | None = None


def _fact(
    kind: str,
    name: str,
    amount: str,
    ago: timedelta,
    cause: Cause,
    summary: str,
    finding: Finding | None = None,
) -> tuple[_Fact, ...]:
    return (_Fact(kind, name, amount, ago, cause, summary, finding),)


_CASES: Final = (
    _Case(
        "u_48213", "GBP", "240.00", "20.00", 170 * _MINUTE,
        _fact("payment", "dep-48213", "20.00", 3 * _HOUR, Cause.MISSING_WEBHOOK,
              "deposit dep-48213 of 20.00 GBP at stripe_uk is registered: no webhook has told its"
              " outcome"),
    ),
    _Case(
        "u_81230", "GBP", "610.00", "36.50", 165 * _MINUTE,
        (
            *_fact("payment", "dep-81230", "25.00", 3 * _HOUR, Cause.MISSING_WEBHOOK,
                   "deposit dep-81230 of 25.00 GBP at stripe_uk is registered: no webhook has told"
                   " its outcome"),
            *_fact("posting", "u_81230:GBP:6", "11.50", 228 * _MINUTE, Cause.DUPLICATE,
                   "bet.payout of 11.50 GBP is booked here; the game counted it twice",
                   Finding.TWICE_THERE),
        ),
    ),
    _Case(
        "u_10077", "GBP", "1310.50", "-75.00", 30 * _HOUR,
        _fact("posting", "u_10077:GBP:1", "-75.00", 31 * _HOUR, Cause.MISSING_GAME_UPDATE,
              "deposit.succeeded of 75.00 GBP (psp:adyen_eu 8835:deposit) is booked here; it never"
              " reached the game"),
        status="investigating", assignee="nora",
    ),
    _Case("u_90911", "EUR", "85.10", "15.55", 26 * _HOUR),
    _Case(
        "u_33100", "EUR", "402.00", "-12.00", 80 * _HOUR,
        _fact("delivery", "0197f3a1-4c02-7d3b-9e11-52a0c6d0f001", "-12.00", 80 * _HOUR,
              Cause.AMOUNT_MISMATCH,
              "deposit.succeeded from adyen_eu says 62.00 EUR, registered was 50.00; quarantined"),
        assignee="maker",
    ),
    _Case(
        "u_71554", "GBP", "18.25", "60.00", 5 * _MINUTE,
        _fact("payout", "tx_5501", "60.00", 6 * _MINUTE, Cause.MISSED_PAYOUT,
              "payout tx_5501 of 60.00 for bet 0192 is completed at the game and not booked here"),
    ),
    _Case(
        "u_20466", "USD", "5000.00", "-1250.00", 9 * 24 * _HOUR, status="awaiting_approval"
    ),
    _Case(
        "u_55008", "JPY", "30000", "1500", 2 * _HOUR,
        _fact("posting", "u_55008:JPY:1", "1500", 3 * _HOUR, Cause.DUPLICATE,
              "deposit.succeeded of 1500 JPY is booked here; the game counted it twice",
              Finding.TWICE_THERE),
    ),
    _Case(
        "u_64019", "GBP", "77.00", "-5.00", 50 * _HOUR,
        _fact("bet", "01920f44-0000-7000-8000-000000064019", "-5.00", 50 * _HOUR,
              Cause.UNRESOLVED_BET, "a bet of 5.00 is placing: its outcome is not known"),
    ),
)  # fmt: skip

_LIVELY: Final = {"u_48213": "250.00", "u_81230": "620.00"}
"""Players with a life in the ledger, and what they began with."""

_PAST_POUNDS: Final = (0, 40, 25, 0, 130, 60, 0, 0, 15, 90, 20, 0, 35, 10)


async def seed_week(pool: Pool, *, now: datetime | None = None) -> Seeded:
    """Runs every six hours for a week, what they saw, and the wallets behind it."""
    seeded = Seeded(now or datetime.now(UTC))
    async with pool.acquire() as connection:
        for case in _CASES:
            if case.user_id in _LIVELY:
                await _live(connection, case.user_id, seeded.now)
            else:
                await post_one(connection, _first_deposit(case, seeded.now))
        for number in range(28, -1, -1):
            await _run(connection, seeded, seeded.now - _EVERY * number - 2 * _MINUTE)
        await _put_times_right(connection, seeded)
    return seeded


async def seed_incident(pool: Pool, week: Seeded) -> UUID:
    """Three of the week's discrepancies as one incident."""
    incident_id, at = new_id(), week.now - timedelta(hours=3)
    members = [week.discrepancies[user] for user in ("u_48213", "u_81230", "u_71554")]
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO incidents (incident_id, cause, root, from_at, until_at)"
            " VALUES ($1, 'missing_webhook', 'stripe_uk', $2, $3)",
            *(incident_id, at, at + timedelta(minutes=7)),
        )
        await connection.execute(
            "UPDATE discrepancies SET incident_id = $1 WHERE discrepancy_id = ANY($2)",
            *(incident_id, members),
        )
    return incident_id


def _first_deposit(case: _Case, now: datetime) -> Entry:
    return rules.fact_for_player(
        case.user_id,
        Money.parse(case.balance, case.currency),
        kind="deposit.succeeded",
        source="psp:adyen_eu",
        key=f"{case.user_id}:deposit",
        event_at=now - case.ago - _HOUR,
    )


async def _live(connection: asyncpg.Connection[Any], user_id: str, now: datetime) -> None:
    """A deposit, a bet lost, a bet won, a withdrawal on its way, a deposit nobody reported."""
    begun = now - 300 * _MINUTE

    def money(text: str) -> Money:
        return Money.parse(text, "GBP")

    number = user_id.removeprefix("u_")
    lost, won, hold = new_id(), new_id(), new_id()
    for entry in (
        rules.fact_for_player(
            user_id, money(_LIVELY[user_id]), kind="deposit.succeeded", source="psp:stripe_uk",
            key=f"pi_{number}:deposit", event_at=begun,
        ),
        rules.stake_held(user_id, money("10.00"), bet_id=lost, event_at=begun + 8 * _MINUTE),
        rules.stake_captured(user_id, money("10.00"), bet_id=lost, event_at=begun + 9 * _MINUTE),
        rules.stake_held(user_id, money("5.00"), bet_id=won, event_at=begun + 70 * _MINUTE),
        rules.stake_captured(user_id, money("5.00"), bet_id=won, event_at=begun + 71 * _MINUTE),
        rules.payout(user_id, money("11.50"), bet_id=won, event_at=begun + 72 * _MINUTE),
        rules.withdrawal_reserved(
            user_id, money("6.50"), reference=f"wd-{number}", hold_id=hold,
            event_at=begun + 100 * _MINUTE,
        ),
    ):  # fmt: skip
        await post_one(connection, entry)
    for reference, direction, amount, at in (
        (f"wd-{number}", "withdrawal", 650, begun + 100 * _MINUTE),
        (f"dep-{number}", "deposit", 2000 if user_id == "u_48213" else 2500, now - 3 * _HOUR),
    ):
        await connection.execute(
            "INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount,"
            " state, hold_id, registered_at)"
            " VALUES ($1, 'stripe_uk', $2, $3, 'GBP', $4, 'registered', $5, $6)",
            *(reference, direction, user_id, Decimal(amount)),
            *(hold if direction == "withdrawal" else None, at),
        )


async def _run(connection: asyncpg.Connection[Any], seeded: Seeded, at: datetime) -> None:
    """One run as a worker leaves it: what it saw, its counts, its end."""
    run_id = new_id()
    seeded.runs.append(run_id)
    seen = sorted(
        (case for case in _CASES if seeded.now - case.ago < at), key=lambda case: -case.ago
    )
    past = _past(len(seeded.runs))
    await connection.execute(
        "INSERT INTO runs (run_id, scope, trigger, state, started_at, finished_at, total,"
        " compared, agreed, discrepant, in_flight)"
        " VALUES ($1, 'changed', 'schedule', 'finished', $2, $3, $4, $4, $5, $6, 1)",
        *(run_id, at, at + timedelta(seconds=9.2), _WALLETS),
        *(_WALLETS - 1 - len(seen) - len(past), len(seen) + len(past)),
    )
    for case in seen:
        seeded.discrepancies[case.user_id] = await _see(connection, run_id, case, seeded.now)
    for case in past:
        await _see(connection, run_id, case, at)
        await _agree(connection, case)
    await connection.execute(load("recon.reconciliation", "sum_run"), run_id)


def _past(number: int) -> list[_Case]:
    """A difference of a run long over, which the next look cleared."""
    pounds = _PAST_POUNDS[number % len(_PAST_POUNDS)]
    if not pounds or number > 26:
        return []
    case = _Case(f"u_past{number}", "GBP", "100.00", f"{pounds}.00", timedelta(0))
    if number % 3 == 1:
        return [case]
    fact = _fact(
        "payment", f"dep-{number}", case.difference, timedelta(0), Cause.MISSING_WEBHOOK, "late"
    )
    return [replace(case, facts=fact)]


async def _see(
    connection: asyncpg.Connection[Any], run_id: UUID, case: _Case, now: datetime
) -> UUID:
    wallet = await connection.fetchrow(
        "SELECT available, reserved, version FROM wallets WHERE user_id = $1", case.user_id
    )
    available = Money.parse(case.balance, case.currency).minor
    reserved = 0
    if wallet is not None:
        available, reserved = int(wallet["available"]), int(wallet["reserved"])
    snapshot = _snapshot(
        case,
        available=available,
        reserved=reserved,
        version=1 if wallet is None else wallet["version"],
    )
    difference = Money.parse(case.difference, case.currency).minor
    look = compare(snapshot, GameSays(available + reserved + difference, 0, now), tolerance=0)
    facts = [
        Evidence(
            fact.kind,
            fact.id,
            Money.parse(fact.amount, case.currency).minor,
            now - fact.ago,
            fact.summary,
            fact.cause,
            finding=fact.finding,
        )
        for fact in case.facts
    ]
    return await record_discrepancy(
        connection,
        run_id,
        look,
        explain(difference, [Candidate(fact, Standing.OPEN) for fact in facts]),
        looked_at=[
            "2 registered payments whose outcome no PSP has told",
            "0 deliveries that could not be booked",
            "41 postings since version 3",
            "1 bets whose outcome is not booked, each asked of the game",
        ],
        since=now - case.ago,
    )


async def _agree(connection: asyncpg.Connection[Any], case: _Case) -> None:
    # No posting has opened these wallets: an agreement counts at the version that they are at.
    snapshot = _snapshot(case, available=10_000, reserved=0, version=0)
    agreed = compare(snapshot, GameSays(10_000, 0, None), tolerance=0)
    look = Look(case.user_id, case.currency, LookState.AGREES, agreed)
    await record_agreements(connection, [look], run_id=new_id())


def _snapshot(case: _Case, *, available: int, reserved: int, version: int) -> Snapshot:
    """The ledger's side; what is reserved is for withdrawals that no PSP has spoken of."""
    return Snapshot(
        user_id=case.user_id,
        currency=case.currency,
        available=available,
        held=0,
        reserved=reserved,
        version=version,
        unreported=reserved,
        accepted=(),
        unsettled=0,
    )


async def _put_times_right(connection: asyncpg.Connection[Any], seeded: Seeded) -> None:
    """The tables stamp rows with the clock; this week is over, so its times are put in after."""
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("UPDATE postings SET recorded_at = event_at")
    await connection.execute(
        "UPDATE discrepancy_events AS e SET at = r.started_at + interval '8 seconds'"
        " FROM runs AS r WHERE e.actor = 'run:' || r.run_id::text"
    )
    await connection.execute("SET session_replication_role = origin")
    await connection.execute(
        "UPDATE run_discrepancies AS s SET seen_at = r.started_at + interval '8 seconds'"
        " FROM runs AS r WHERE r.run_id = s.run_id"
    )
    await connection.execute(
        "UPDATE discrepancies AS d SET last_seen_at = r.started_at + interval '8 seconds'"
        " FROM runs AS r WHERE r.run_id = d.last_run_id"
    )
    for case in _CASES:
        await connection.execute(
            "UPDATE discrepancies SET status = $2, assignee = $3 WHERE user_id = $1",
            *(case.user_id, case.status, case.assignee),
        )
    await connection.execute(
        "UPDATE checks SET agreed_version = 3, agreed_at = $1 WHERE user_id = any($2::text [])",
        *(seeded.now - 4 * _HOUR, list(_LIVELY)),
    )
