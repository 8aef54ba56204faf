"""Postings: idempotent, guarded, ordered, provable."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest
from msgspec.structs import replace

from recon.clock import new_id, now
from recon.db import load
from recon.ledger import (
    Entry,
    HoldResolvedError,
    InsufficientBalanceError,
    Outcome,
    post,
    post_one,
    read_entries,
    read_wallet,
    read_wallet_or_none,
    rules,
    verify_books,
)
from recon.money import Money

if TYPE_CHECKING:
    from datetime import datetime

    from recon.db import Pool


def gbp(text: str) -> Money:
    return Money.parse(text, "GBP")


def deposit(user: str, text: str, key: str) -> Entry:
    return rules.fact_for_player(
        user, gbp(text), kind="deposit.succeeded", source="test", key=key, event_at=now()
    )


async def write(pool: Pool, *entries: Entry) -> list[Outcome]:
    async with pool.acquire() as connection, connection.transaction():
        return [posted.outcome for posted in await post(connection, entries)]


async def available(pool: Pool, user: str) -> str:
    async with pool.acquire() as connection:
        wallet = await read_wallet(connection, user, "GBP")
    return str(Money(wallet.available, "GBP"))


async def test_an_entry_posted_twice_moves_money_once(pool: Pool) -> None:
    first = await write(pool, deposit("u_7", "20.00", "p1:deposit"))
    again = await write(pool, deposit("u_7", "20.00", "p1:deposit"))

    assert (first, again) == ([Outcome.POSTED], [Outcome.REPEATED])
    assert await available(pool, "u_7") == "20.00"


async def test_another_amount_under_the_same_key_is_a_conflict(pool: Pool) -> None:
    await write(pool, deposit("u_7", "20.00", "p1:deposit"))

    assert await write(pool, deposit("u_7", "21.00", "p1:deposit")) == [Outcome.CONFLICT]
    assert await available(pool, "u_7") == "20.00"


async def test_one_refused_member_leaves_its_neighbours_posted(pool: Pool) -> None:
    await write(pool, deposit("u_1", "5.00", "p1:deposit"))

    outcomes = await write(
        pool,
        deposit("u_2", "7.00", "p2:deposit"),
        rules.stake_held("u_1", gbp("6.00"), bet_id=new_id(), event_at=now()),
        deposit("u_1", "1.00", "p3:deposit"),
        rules.stake_held("u_1", gbp("6.00"), bet_id=new_id(), event_at=now()),
        rules.stake_held("nobody", gbp("6.00"), bet_id=new_id(), event_at=now()),
    )

    assert outcomes == [
        Outcome.POSTED,
        Outcome.INSUFFICIENT,
        Outcome.POSTED,
        Outcome.POSTED,
        Outcome.INSUFFICIENT,
    ]
    assert await available(pool, "u_1") == "0.00"
    async with pool.acquire() as connection:
        assert await read_wallet_or_none(connection, "nobody", "GBP") is None
    assert (await verify_books(pool)).ok


async def test_a_hundred_stakes_at_once_never_take_more_than_there_is(pool: Pool) -> None:
    await write(pool, deposit("u_7", "10.00", "p1:deposit"))

    async def stake() -> bool:
        entry = rules.stake_held("u_7", gbp("1.00"), bet_id=new_id(), event_at=now())
        try:
            async with pool.acquire() as connection, connection.transaction():
                await post_one(connection, entry)
        except InsufficientBalanceError:
            return False
        return True

    placed = await asyncio.gather(*(stake() for _ in range(100)))

    assert sum(placed) == 10
    assert await available(pool, "u_7") == "0.00"
    assert (await verify_books(pool)).ok


async def test_a_hold_is_resolved_at_most_once(pool: Pool) -> None:
    bet = new_id()
    await write(pool, deposit("u_7", "10.00", "p1:deposit"))
    await write(pool, rules.stake_held("u_7", gbp("4.00"), bet_id=bet, event_at=now()))
    await write(pool, rules.stake_captured("u_7", gbp("4.00"), bet_id=bet, event_at=now()))

    with pytest.raises(HoldResolvedError):
        async with pool.acquire() as connection, connection.transaction():
            await post_one(
                connection, rules.stake_voided("u_7", gbp("4.00"), bet_id=bet, event_at=now())
            )
    assert await available(pool, "u_7") == "6.00"


async def test_a_fact_of_a_psp_may_overdraw_and_a_stake_may_not(pool: Pool) -> None:
    await write(pool, deposit("u_7", "10.00", "p1:deposit"))
    chargeback = rules.fact_against_player(
        "u_7",
        gbp("12.50"),
        kind="deposit.charged_back",
        source="test",
        key="d1:chargeback",
        event_at=now(),
    )

    assert await write(pool, chargeback) == [Outcome.POSTED]
    assert await available(pool, "u_7") == "-2.50"


async def test_the_database_itself_refuses_an_overdrawing_stake(pool: Pool) -> None:
    await write(pool, deposit("u_7", "1.00", "p1:deposit"))
    unguarded = rules.stake_held("u_7", gbp("2.00"), bet_id=new_id(), event_at=now())

    with pytest.raises(asyncpg.CheckViolationError, match="postings_overdraft_check"):
        await write(pool, replace(unguarded, guarded=False))
    assert await available(pool, "u_7") == "1.00"


async def test_the_database_itself_refuses_an_overdrawing_adjustment(pool: Pool) -> None:
    await write(pool, deposit("u_7", "1.00", "p1:deposit"))
    taken = rules.adjustment("u_7", Money(-2_00, "GBP"), adjustment_id=new_id(), event_at=now())

    with pytest.raises(asyncpg.CheckViolationError, match="postings_overdraft_check"):
        await write(pool, replace(taken, guarded=False))
    assert await available(pool, "u_7") == "1.00"


async def test_an_adjustment_may_lift_a_wallet_that_stays_overdrawn(pool: Pool) -> None:
    await write(pool, deposit("u_7", "1.00", "p1:deposit"))
    chargeback = rules.fact_against_player(
        "u_7",
        gbp("12.50"),
        kind="deposit.charged_back",
        source="test",
        key="d1:chargeback",
        event_at=now(),
    )
    given = rules.adjustment("u_7", gbp("2.00"), adjustment_id=new_id(), event_at=now())

    assert await write(pool, chargeback, given) == [Outcome.POSTED] * 2
    assert await available(pool, "u_7") == "-9.50"


async def test_a_clock_that_steps_back_never_puts_a_posting_before_the_one_it_follows(
    pool: Pool, owner: Pool
) -> None:
    await write(pool, deposit("u_7", "1.00", "p1:deposit"), deposit("u_8", "1.00", "p2:deposit"))
    # As if the clock of the node that failed had been an hour ahead.
    async with owner.acquire() as connection:
        await connection.execute(
            """
            ALTER TABLE postings DISABLE TRIGGER postings_append_only;
            UPDATE postings SET recorded_at = recorded_at + interval '1 hour'
            WHERE user_id = 'u_7';
            ALTER TABLE postings ENABLE TRIGGER postings_append_only;
            UPDATE wallets SET posted_at = posted_at + interval '1 hour' WHERE user_id = 'u_7';
            """
        )

    await write(pool, deposit("u_7", "2.00", "p3:deposit"))
    await write(pool, deposit("u_8", "2.00", "p4:deposit"))

    async with pool.acquire() as connection:
        later, earlier = await read_entries(connection, "u_7", "GBP")
        (other, _) = await read_entries(connection, "u_8", "GBP")
    assert later.recorded_at >= earlier.recorded_at > now() + timedelta(minutes=59)
    assert other.recorded_at <= now()
    assert (await verify_books(pool)).ok


async def test_postings_that_wait_for_a_wallet_have_the_time_at_which_all_are_held(
    pool: Pool, owner: Pool
) -> None:
    await write(pool, deposit("u_7", "1.00", "p1:deposit"))
    async with owner.acquire() as holder, holder.transaction():
        await holder.execute("SELECT FROM wallets WHERE user_id = 'u_7' FOR UPDATE")
        writing = asyncio.create_task(
            write(pool, deposit("u_1", "2.00", "p2:deposit"), deposit("u_7", "2.00", "p3:deposit"))
        )
        await asyncio.sleep(0.1)
        released = await holder.fetchval("SELECT clock_timestamp()")
    await writing

    # Whoever looks for what is new takes it that a posting is committed soon after its time.
    async with pool.acquire() as connection:
        for user in ("u_1", "u_7"):
            newest = (await read_entries(connection, user, "GBP"))[0]
            assert newest.recorded_at > released, user


@pytest.mark.parametrize("table", ["postings", "idempotency", "holds", "hold_resolutions"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_what_is_written_cannot_be_taken_away(
    pool: Pool, owner: Pool, table: str, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await pool.execute(statement.format(table))
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await owner.execute(statement.format(table))


async def test_a_wallet_is_known_as_of_any_instant(pool: Pool) -> None:
    instants = []
    for number in range(1, 4):
        await write(pool, deposit("u_7", f"{number}.00", f"p{number}:deposit"))
        instants.append(now())

    async with pool.acquire() as connection:
        then = [(await read_wallet(connection, "u_7", "GBP", at=at)).available for at in instants]
        entries = await read_entries(connection, "u_7", "GBP", at=instants[1])

    assert then == [100, 300, 600]
    assert [(entry.version, entry.available_after) for entry in entries] == [(2, 300), (1, 100)]


async def test_a_wallet_with_a_long_past_is_read_as_of_any_instant_without_going_through_it(
    pool: Pool,
) -> None:
    instants: list[datetime] = [now()]
    for number in range(1, 34):
        await write(pool, deposit("u_7", "1.00", f"p{number}:deposit"))
        instants.append(now())

    async with pool.acquire() as connection:
        assert await read_wallet_or_none(connection, "u_7", "GBP", at=instants[0]) is None
        for version, at in enumerate(instants[1:], start=1):
            wallet = await read_wallet(connection, "u_7", "GBP", at=at)
            entries = await read_entries(connection, "u_7", "GBP", at=at, limit=2)
            assert (wallet.version, wallet.available) == (version, version * 100)
            assert [one.version for one in entries] == [version, version - 1][:version]
        below = await read_entries(
            connection, "u_7", "GBP", at=instants[20], before_version=11, limit=1
        )
        plan = await connection.fetch(
            f"EXPLAIN (ANALYZE, COSTS OFF) {load('recon.ledger', 'wallet_at')}",
            *("u_7", "GBP", instants[1]),
        )
    assert [one.version for one in below] == [10]
    filtered = [row[0] for row in plan if "Rows Removed by Filter" in row[0]]
    assert all(int(line.rpartition(":")[2]) <= 6 for line in filtered), filtered


async def test_amounts_of_eighteen_decimals_and_past_64_bits_are_exact(pool: Pool) -> None:
    wei = Money.parse("123456789012.345678901234567891", "ETH")
    entry = rules.fact_for_player(
        "u_7", wei, kind="deposit.succeeded", source="test", key="e1:deposit", event_at=now()
    )
    await write(pool, entry)

    async with pool.acquire() as connection:
        wallet = await read_wallet(connection, "u_7", "ETH")
    assert wallet.available == 123456789012345678901234567891


async def test_verify_names_the_wallet_that_does_not_add_up(pool: Pool, owner: Pool) -> None:
    await write(pool, deposit("u_7", "20.00", "p1:deposit"))
    await owner.execute("UPDATE wallets SET available = 2100 WHERE user_id = 'u_7'")

    verified = await verify_books(pool)

    assert not verified.ok
    assert [(fault.check, fault.user_id) for fault in verified.faults] == [("wallet", "u_7")]
    assert "2100" in verified.faults[0].detail
    assert "2000" in verified.faults[0].detail


async def test_verify_names_a_posting_smuggled_past_the_function(pool: Pool, owner: Pool) -> None:
    await write(pool, deposit("u_7", "20.00", "p1:deposit"))
    forgery = (
        "INSERT INTO postings SELECT user_id, currency, 2, debit, credit, amount, kind, source,"
        " 'forged', null, event_at, recorded_at, 4000, 0, 0 FROM postings"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(forgery)
    await owner.execute(forgery)

    checks = {fault.check for fault in (await verify_books(pool)).faults}

    assert checks == {"wallet", "idempotency"}


async def test_a_wallet_that_is_ahead_of_the_clock_takes_no_other_along(
    pool: Pool, owner: Pool
) -> None:
    await write(pool, deposit("u_1", "5.00", "p1:deposit"), deposit("u_2", "5.00", "p2:deposit"))
    ahead = now() + timedelta(days=1)
    await owner.execute("UPDATE wallets SET posted_at = $1 WHERE user_id = 'u_1'", ahead)

    await write(pool, deposit("u_1", "1.00", "p3:deposit"), deposit("u_2", "1.00", "p4:deposit"))

    times = dict(await pool.fetch("SELECT user_id, posted_at FROM wallets"))
    assert times["u_1"] == ahead
    assert times["u_2"] < now()


async def test_what_is_not_a_number_is_no_amount(pool: Pool) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="postings_amount_check"):
        await pool.execute(
            "SELECT FROM ledger_post(ARRAY[ROW("
            "'u_1', 'GBP', 'clearing', 'available', 'NaN', 'k', 's', 'k', '', now(), false, "
            "NULL, NULL)::ledger_entry])"
        )
