"""A week of an operator's life, written through the ledger and the tables that runs write.

Amounts are chosen so that sums can be told by hand: see `EXPECTED`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from recon.clock import new_id
from recon.ledger import post_one, rules
from recon.money import Money
from recon.reconciliation import Cause, Evidence
from recon.reconciliation.compare import Comparison, GameSays, Snapshot, compare
from recon.reconciliation.explain import explain
from recon.reconciliation.record import record_agreements, record_discrepancy
from recon.reconciliation.look import Look, LookState

if TYPE_CHECKING:
    import asyncpg

    from recon.db import Pool

__all__ = ["Seeded", "seed_week"]

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


@dataclass
class Seeded:
    """What was written: discrepancies by the player they are about, runs from the oldest."""

    now: datetime
    discrepancies: dict[str, UUID] = field(default_factory=dict)
    runs: list[UUID] = field(default_factory=list)


@dataclass(frozen=True)
class _Case:
    """A wallet that differs: since when, by how much, and what speaks for it."""

    user_id: str
    currency: str
    balance: str
    difference: str
    since: timedelta
    cause: Cause
    status: str = "open"
    assignee: str | None = None
    told: str = ""
    parts: tuple[str, ...] = ()


_CASES: Final = (
    _Case(
        "u_48213",
        "GBP",
        "240.00",
        "20.00",
        3 * _HOUR,
        Cause.MISSING_WEBHOOK,
        told="deposit dep-77120 of 20.00 GBP at stripe_uk is registered: no webhook has told its outcome",
    ),
    _Case(
        "u_10077",
        "GBP",
        "1310.50",
        "-75.00",
        30 * _HOUR,
        Cause.MISSING_GAME_UPDATE,
        assignee="nora",
        status="investigating",
        told="deposit.succeeded of 75.00 GBP (psp:adyen_eu 8835:deposit) is booked here; it never reached the game",
    ),
    _Case("u_90911", "EUR", "85.10", "15.55", 26 * _HOUR, Cause.UNEXPLAINED),
    _Case(
        "u_33100",
        "EUR",
        "402.00",
        "-12.00",
        80 * _HOUR,
        Cause.AMOUNT_MISMATCH,
        assignee="maker",
        told="deposit.succeeded from adyen_eu says 62.00 EUR, registered was 50.00; quarantined: amount_mismatch",
    ),
    _Case(
        "u_71554",
        "GBP",
        "18.25",
        "60.00",
        5 * _MINUTE,
        Cause.MISSED_PAYOUT,
        told="payout tx_5501 of 60.00 for bet 0192 is completed at the game and not booked here",
    ),
    _Case(
        "u_20466",
        "USD",
        "5000.00",
        "-1250.00",
        9 * 24 * _HOUR,
        Cause.UNEXPLAINED,
        status="awaiting_approval",
    ),
    _Case(
        "u_55008",
        "JPY",
        "30000",
        "1500",
        2 * _HOUR,
        Cause.DUPLICATE,
        told="deposit.succeeded of 1500 JPY (psp:standard p_88:deposit) is booked here; the game counted it twice",
    ),
    _Case(
        "u_64019",
        "GBP",
        "77.00",
        "-5.00",
        50 * _HOUR,
        Cause.UNRESOLVED_BET,
        told="bet 01920f of 5.00 is placing: its outcome is not known",
    ),
    _Case(
        "u_81230",
        "GBP",
        "610.00",
        "32.50",
        20 * _MINUTE,
        Cause.MISSING_WEBHOOK,
        told="deposit dep-77180 of 25.00 GBP at stripe_uk is registered: no webhook has told its outcome",
        parts=("25.00", "7.50"),
    ),
)


async def seed_week(pool: Pool, *, now: datetime | None = None) -> Seeded:
    """Runs every six hours for a week, their discrepancies, and the wallets behind them."""
    seeded = Seeded(now or datetime.now(UTC))
    async with pool.acquire() as connection:
        for user_id in ("u_48213", "u_81230"):
            await _life_of_a_wallet(connection, user_id, seeded.now)
        for case in _CASES:
            if case.user_id not in {"u_48213", "u_81230"}:
                await _deposit(
                    connection, case.user_id, case.balance, case.currency, seeded.now - case.since
                )
        for number in range(28, -1, -1):
            at = seeded.now - 6 * _HOUR * number - 2 * _MINUTE
            await _run(connection, seeded, at, last=number == 0)
        await _backdate(connection, seeded)
    return seeded


async def _life_of_a_wallet(
    connection: asyncpg.Connection[Any], user_id: str, now: datetime
) -> None:
    """Deposits, a bet that was lost, one that was won, a withdrawal on its way."""
    begun = now - 5 * _HOUR

    def money(text: str) -> Money:
        return Money.parse(text, "GBP")

    lost, won, hold = new_id(), new_id(), new_id()
    balance = "250.00" if user_id == "u_48213" else "620.00"
    entries = [
        rules.fact_for_player(
            user_id, money(balance), kind="deposit.succeeded", source="psp:stripe_uk",
            key=f"pi_{user_id}:deposit", event_at=begun,
        ),
        rules.stake_held(user_id, money("10.00"), bet_id=lost, event_at=begun + 8 * _MINUTE),
        rules.stake_captured(user_id, money("10.00"), bet_id=lost, event_at=begun + 9 * _MINUTE),
        rules.stake_held(user_id, money("5.00"), bet_id=won, event_at=begun + 70 * _MINUTE),
        rules.stake_captured(user_id, money("5.00"), bet_id=won, event_at=begun + 71 * _MINUTE),
        rules.payout(user_id, money("11.50"), bet_id=won, event_at=begun + 72 * _MINUTE),
        rules.withdrawal_reserved(
            user_id, money("6.50"), reference=f"wd-{user_id}", hold_id=hold,
            event_at=begun + 100 * _MINUTE,
        ),
    ]  # fmt: skip
    for entry in entries:
        await post_one(connection, entry)
    await connection.execute(
        "INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount, state,"
        " registered_at) VALUES ($1, 'stripe_uk', 'deposit', $2, 'GBP', $3, 'registered', $4)",
        "dep-77120" if user_id == "u_48213" else "dep-77180",
        user_id,
        Decimal(2000 if user_id == "u_48213" else 2500),
        now - 3 * _HOUR - _MINUTE,
    )


async def _deposit(
    connection: asyncpg.Connection[Any], user_id: str, amount: str, currency: str, at: datetime
) -> None:
    entry = rules.fact_for_player(
        user_id,
        Money.parse(amount, currency),
        kind="deposit.succeeded",
        source="psp:adyen_eu",
        key=f"{user_id}:deposit",
        event_at=at - _HOUR,
    )
    await post_one(connection, entry)


async def _run(
    connection: asyncpg.Connection[Any], seeded: Seeded, at: datetime, *, last: bool
) -> None:
    """One run as a worker leaves it: what it saw recorded, then its counts and its end."""
    run_id = new_id()
    seeded.runs.append(run_id)
    seen = [case for case in _CASES if seeded.now - case.since < at]
    past = _past_drift(len(seeded.runs))
    await connection.execute(
        "INSERT INTO runs (run_id, scope, trigger, state, started_at, finished_at, total,"
        " compared, agreed, discrepant, in_flight) VALUES ($1, 'changed', 'schedule', 'finished',"
        " $2, $3, $4, $4, $5, $6, 1)",
        run_id,
        at,
        at + timedelta(seconds=11.4 if last else 9.2),
        10_000,
        9_999 - len(seen) - len(past),
        len(seen) + len(past),
    )
    for case in seen:
        await _see(connection, seeded, run_id, case, at)
    for case in past:
        await _see(connection, seeded, run_id, case, at)
        await _clear(connection, case)


def _past_drift(number: int) -> list[_Case]:
    """Differences of runs long over: each is cleared again by the next look."""
    pounds = (0, 40, 25, 0, 130, 60, 0, 0, 15, 90, 20, 0, 35, 10)[number % 14]
    if not pounds or number > 26:
        return []
    explained = number % 3 != 1
    return [
        _Case(
            f"u_past{number}", "GBP", "100.00", f"{pounds}.00", 7 * 24 * _HOUR,
            Cause.MISSING_WEBHOOK if explained else Cause.UNEXPLAINED,
            told="a deposit whose webhook came late" if explained else "",
        )
    ]  # fmt: skip


async def _see(
    connection: asyncpg.Connection[Any], seeded: Seeded, run_id: UUID, case: _Case, at: datetime
) -> None:
    wallet = await connection.fetchrow(
        "SELECT available, held, reserved, version FROM wallets WHERE user_id = $1", case.user_id
    )
    available = (
        int(wallet["available"]) if wallet else Money.parse(case.balance, case.currency).minor
    )
    difference = Money.parse(case.difference, case.currency).minor
    snapshot = Snapshot(
        user_id=case.user_id,
        currency=case.currency,
        available=available,
        held=0,
        reserved=int(wallet["reserved"]) if wallet else 0,
        version=wallet["version"] if wallet else 1,
        unreported=0,
        accepted=(),
        calls_in_flight=0,
        unsettled=0,
    )
    look = compare(snapshot, GameSays(available + difference, 0, at), tolerance=0)
    since = seeded.now - case.since if not case.user_id.startswith("u_past") else at
    seeded.discrepancies[case.user_id] = await record_discrepancy(
        connection,
        run_id,
        look,
        explain(difference, _facts(case, since)),
        looked_at=[
            "2 registered payments whose outcome no PSP has told",
            "0 deliveries that could not be booked",
            "41 postings since version 317",
            "1 bets whose outcome is not booked, each asked of the game",
        ],
        since=since,
    )


def _facts(case: _Case, since: datetime) -> list[Evidence]:
    if case.cause is Cause.UNEXPLAINED:
        return []
    amounts = case.parts or (case.difference,)
    kinds = ("payment", "posting")
    return [
        Evidence(
            kind=kinds[place],
            id=("dep-77120" if case.user_id == "u_48213" else "dep-77180")
            if place == 0
            else f"{case.user_id}:{case.currency}:6",
            amount=Money.parse(amount, case.currency).minor,
            at=since - _MINUTE * (1 - place),
            summary=case.told
            if place == 0
            else "bet.payout of 7.50 GBP (bets 0192:payout) is booked here; the game counted it twice",
            cause=case.cause if place == 0 else Cause.DUPLICATE,
        )
        for place, amount in enumerate(amounts)
    ]


async def _clear(connection: asyncpg.Connection[Any], case: _Case) -> None:
    snapshot = Snapshot(case.user_id, case.currency, 10000, 0, 0, 1, 0, (), 0, 0)
    agreed: Comparison = compare(snapshot, GameSays(10000, 0, None), tolerance=0)
    look = Look(case.user_id, case.currency, LookState.AGREES, agreed)
    await record_agreements(connection, [look], actor="run:later")


async def _backdate(connection: asyncpg.Connection[Any], seeded: Seeded) -> None:
    """Put the times where they belong: the tables stamp most of them with the clock."""
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("UPDATE postings SET recorded_at = event_at")
    await connection.execute(
        "UPDATE discrepancy_events AS e SET at = r.started_at + interval '8 seconds' FROM runs AS r"
        " WHERE e.actor = 'run:' || r.run_id::text"
    )
    await connection.execute(
        "UPDATE discrepancies AS d SET last_seen_at = r.started_at + interval '8 seconds'"
        " FROM runs AS r WHERE r.run_id = d.last_run_id"
    )
    await connection.execute("SET session_replication_role = origin")
    for case in _CASES:
        await connection.execute(
            "UPDATE discrepancies SET status = $2, assignee = $3 WHERE user_id = $1",
            *(case.user_id, case.status, case.assignee),
        )
    await connection.execute(
        "INSERT INTO checks (user_id, currency, agreed_version, agreed_at, checked_at, unsettled)"
        " VALUES ('u_48213', 'GBP', 4, $1, $1, true) ON CONFLICT (user_id, currency)"
        " DO UPDATE SET agreed_version = 4, agreed_at = $1",
        seeded.now - 4 * _HOUR,
    )
