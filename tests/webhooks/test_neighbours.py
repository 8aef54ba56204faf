"""Many at once: what cannot be booked is quarantined by itself, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
from msgspec.structs import replace

from recon.clock import new_id, now
from recon.db import open_pool
from recon.ledger import post_one, rules
from recon.money import Money
from recon.webhooks import receive, verify_call
from recon.webhooks.book import book
from recon.webhooks.errors import IntakeUnavailableError
from recon.webhooks.model import Kind
from recon.webhooks.receive import receive_each
from recon.webhooks.rules import _RULES as RULES
from recon.webhooks.rules import deposits as rules_of_deposits
from tests.webhooks.conftest import (
    ENDPOINTS,
    T0,
    adyen_body,
    item,
    payment_intent,
    stripe_body,
    stripe_headers,
)

if TYPE_CHECKING:
    import pytest

    from recon.webhooks import Delivery
    from recon.webhooks.model import Event
    from recon.webhooks.rules import Decision, Known
    from tests.webhooks.conftest import Door


def deposits(*payments: tuple[str, str, int]) -> list[Delivery]:
    """Verified Stripe deposits of (payment, player, minor units)."""
    made = []
    for payment_id, user, amount in payments:
        shown = payment_intent(payment_id, amount=amount, charge=None, user_id=user)
        body = stripe_body("payment_intent.succeeded", shown)
        made += verify_call(ENDPOINTS["stripe"], stripe_headers(body), body, now())
    return made


async def test_a_batch_is_booked_in_one_commit(door: Door) -> None:
    await receive(
        door.pool, deposits(("pi_1", "u_7", 2000), ("pi_2", "u_8", 500), ("pi_3", "u_7", 1))
    )

    assert (await door.available("u_7"), await door.available("u_8")) == ("20.01", "5.00")
    assert await door.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM deliveries") == 1


async def test_any_number_of_deliveries_takes_the_same_number_of_statements(
    database_url: str,
) -> None:
    async with open_pool(database_url, max_size=1) as pool:
        counted: list[str] = []
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: counted.append(query.query))
        counts = []
        for size in (2, 1, 40):  # the first also asks what the types are
            counted.clear()
            wanted = [(f"pi_{size}_{number}", f"u_{number}", 100) for number in range(size)]
            await receive(pool, deposits(*wanted))
            await pool.execute("SELECT 'the loggers are called soon'")
            counts.append(len(counted))

    assert counts[1] == counts[2] < 15


async def test_any_number_of_retold_events_is_compared_in_the_same_number_of_statements(
    database_url: str,
) -> None:
    async with open_pool(database_url, max_size=1) as pool:
        counted: list[str] = []
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: counted.append(query.query))
        counts = []
        for size in (2, 1, 40):
            wanted = [(f"pi_{size}_{number}", f"u_{number}", 100) for number in range(size)]
            brought = deposits(*wanted)
            await receive(pool, brought)
            # The PSP's own list has the same events in other bytes.
            listed = [
                replace(
                    one,
                    delivery_id=new_id(),
                    verified_by="api:00000000",
                    body=one.body + b" ",
                    content_sha256=bytes(32),
                )
                for one in brought
            ]
            await pool.execute("SELECT 'the loggers are called soon'")
            counted.clear()
            outcomes = await receive(pool, listed)
            assert {outcome.state for outcome in outcomes} == {"repeated"}
            await pool.execute("SELECT 'the loggers are called soon'")
            counts.append(len(counted))

    assert counts[1] == counts[2] < 15


async def test_a_member_that_the_ledger_refuses_is_quarantined_by_itself(door: Door) -> None:
    # Cannot happen under the locks; were it to happen, this is how it would look.
    taken = rules.fact_for_player(
        "u_7",
        Money(1, "GBP"),
        kind="deposit.succeeded",
        source="psp:stripe",
        key="pi_1:deposit",
        event_at=T0,
    )
    async with door.pool.acquire() as connection, connection.transaction():
        await post_one(connection, taken)
    outcomes = await receive(
        door.pool, deposits(("pi_0", "u_6", 2000), ("pi_1", "u_7", 2000), ("pi_2", "u_8", 2000))
    )

    assert [outcome.state for outcome in outcomes] == ["booked", "quarantined", "booked"]
    assert [case.reason for case in await door.cases()] == ["the ledger says conflict"]
    assert await door.available("u_7") == "0.01"
    door.planted.append(
        "posting 1 books 1 as pi_1:deposit of psp:stripe, and no such movement was taken in"
    )
    assert await door.available("u_8") == "20.00"


async def test_a_sleeper_whose_movement_is_taken_keeps_whom_it_waited_for_from_nothing(
    door: Door,
) -> None:
    # A refund waits for its deposit; meanwhile it is told of another payment, and booked there.
    waits = await door.standard("deposit.refunded", "p1", user=None, effect_id="rf")
    told = await door.standard("deposit.refunded", "p2", user="u_8", effect_id="rf")

    arrived = await door.standard("deposit.succeeded", "p1", user="u_7")

    assert (waits, told, arrived) == ("waiting", "booked", "booked")
    assert await door.available("u_7") == "20.00"
    assert await door.available("u_8") == "-20.00"
    assert [kept.state for kept in await door.inbox()] == ["booked", "booked", "waiting"]


async def test_a_member_that_the_database_refuses_is_quarantined_by_itself(door: Door) -> None:
    most = 10**38 - 1
    outcomes = await receive(
        door.pool,
        deposits(("pi_0", "u_7", most), ("pi_1", "u_7", most), ("pi_2", "u_8", 2000)),
    )

    assert [outcome.state for outcome in outcomes] == ["booked", "quarantined", "booked"]
    (case,) = await door.cases()
    assert case.reason == "the database says NumericValueOutOfRangeError"


async def test_crossing_stories_of_the_same_players_end_exact_and_never_lock_up(
    door: Door,
) -> None:
    for number in range(4):
        await door.register(f"order-{number}", endpoint="adyen", user=f"u_{number % 2}")
    bodies = []
    for number in range(4):
        other = 3 - number
        bodies += [
            adyen_body(
                item("REFUND", f"RF{other}", original=f"PSP{other}", value=500, reference="none"),
                item(psp_reference=f"PSP{number}", reference=f"order-{number}"),
                item("CHARGEBACK", f"D{other}", original=f"PSP{other}", reference="none"),
            )
        ] * 3
    answers = await asyncio.gather(*(door.post("adyen", body) for body in bodies))

    assert {answer.status for answer in answers} == {200}
    # Each of two players: two deposits of 20.00, two refunds of 5.00, two chargebacks of 20.00.
    assert [await door.available(user) for user in ("u_0", "u_1")] == ["-10.00", "-10.00"]
    assert {kept.state for kept in await door.inbox()} == {"booked"}


async def test_a_player_whom_somebody_holds_keeps_no_neighbour_from_being_booked(
    door: Door, owner_url: str
) -> None:
    await receive(door.pool, deposits(*((f"pi_{n}", f"u_{n}", 100) for n in range(8))))
    holder = await asyncpg.connect(owner_url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT FROM wallets WHERE user_id = 'u_3' FOR UPDATE")
            again = [(f"pi_again_{n}", f"u_{n}", 100) for n in range(8)]
            outcomes = await receive_each(door.pool, deposits(*again))
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert await holder.fetchval(waiting) == 0
    finally:
        await holder.close()

    assert [isinstance(outcome, IntakeUnavailableError) for outcome in outcomes] == [
        number == 3 for number in range(8)
    ]
    assert [await door.available(f"u_{n}") for n in range(8)] == [
        "1.00" if n == 3 else "2.00" for n in range(8)
    ]
    await receive(door.pool, deposits(*again))
    assert [await door.available(f"u_{n}") for n in range(8)] == ["2.00"] * 8


async def test_a_fault_of_ours_in_one_member_quarantines_it_and_books_its_neighbours(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = rules_of_deposits.succeeded

    def faulty(event: Event, known: Known) -> Decision:
        if event.payment_id == "pi_1":
            raise ZeroDivisionError
        return rule(event, known)

    monkeypatch.setitem(RULES, Kind.DEPOSIT_SUCCEEDED, faulty)
    outcomes = await receive(
        door.pool, deposits(("pi_0", "u_6", 2000), ("pi_1", "u_7", 2000), ("pi_2", "u_8", 2000))
    )

    assert [outcome.state for outcome in outcomes] == ["booked", "quarantined", "booked"]
    assert outcomes[1].reason == "an error of ours: ZeroDivisionError"
    assert await door.available("u_7") == "0.00"


async def test_what_is_answered_is_durable_also_where_the_role_asks_for_less(
    database_url: str,
) -> None:
    async with open_pool(database_url, max_size=1) as pool, pool.acquire() as connection:
        await connection.execute("SET synchronous_commit = off")
        async with connection.transaction():
            await book(connection, deposits(("pi_1", "u_7", 2000)), refused={})
            assert await connection.fetchval("SHOW synchronous_commit") == "on"
