"""What is wrong with the books is found and named, whichever table it is in."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id, now
from recon.ledger import Entry, post, rules, verify_books
from recon.money import Money

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.ledger.verify import Fault

TABLES = ("postings", "holds", "hold_resolutions", "movements")


async def write(pool: Pool, *entries: Entry) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await post(connection, entries)


async def tamper(owner: Pool, statement: str, *arguments: object) -> list[tuple[str, str, str]]:
    """Change what can only grow, as its owner could; (check, player, detail) of the faults."""
    async with owner.acquire() as connection:
        for table in TABLES:
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await connection.execute(statement, *arguments)
    faults: list[Fault] = (await verify_books(owner)).faults
    return [(fault.check, fault.user_id, fault.detail) for fault in faults]


@pytest.fixture
async def played(pool: Pool, owner: Pool) -> Pool:
    """The books of a player with 10.00, who lost 4.00 and has 3.00 on hold; taken in as a
    movement. In their owner's hands.
    """
    lost, held = new_id(), new_id()

    def gbp(text: str) -> Money:
        return Money.parse(text, "GBP")

    deposit = rules.fact_for_player(
        "u_7",
        gbp("10.00"),
        kind="deposit.succeeded",
        source="psp:stripe",
        key="p1:deposit",
        event_at=now(),
    )
    await write(pool, deposit)
    await write(pool, rules.stake_held("u_7", gbp("4.00"), bet_id=lost, event_at=now()))
    await write(pool, rules.stake_captured("u_7", gbp("4.00"), bet_id=lost, event_at=now()))
    await write(pool, rules.stake_held("u_7", gbp("3.00"), bet_id=held, event_at=now()))
    delivery = new_id()
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO movements (endpoint, object_id, effect, delivery_id, payment_id, user_id,"
            " currency, amount, event_at)"
            " VALUES ('stripe', 'p1', 'deposit', $1, 'p1', 'u_7', 'GBP', $2, $3)",
            *(delivery, Decimal(1000), now()),
        )
        await connection.execute(
            "INSERT INTO deliveries (endpoint, event_id, delivery_id, provider, received_at, body,"
            " body_sha256, content_sha256, headers, verified_by, event_type, kind, payment_id,"
            " user_id, currency, amount, event_at, state)"
            " VALUES ('stripe', 'evt_1', $1, 'stripe', $2, '{}', sha256('{}'), sha256('{}'), '{}',"
            " 'key:0:00000000', 'deposit.succeeded', 'deposit.succeeded', 'p1', 'u_7', 'GBP', 1000,"
            " $2, 'booked')",
            *(delivery, now()),
        )
    assert (await verify_books(pool)).ok
    return owner


async def test_a_movement_of_another_amount_than_its_posting(played: Pool) -> None:
    found = await tamper(played, "UPDATE movements SET amount = 1001")
    # Its posting and its delivery say otherwise too, each by itself.
    assert [check for check, _, _ in found[1:]] == ["psp posting", "delivery"]
    assert found[:1] == [
        (
            "movement",
            "u_7",
            "deposit p1 at stripe was taken in as 1001 GBP and booked as 1000 GBP",
        )
    ]


async def test_a_movement_of_another_currency_than_its_posting(played: Pool) -> None:
    found = await tamper(played, "UPDATE movements SET currency = 'EUR'")
    # Its posting and its delivery say otherwise too, each by itself.
    assert [check for check, _, _ in found[1:]] == ["psp posting", "delivery"]
    assert found[:1] == [
        (
            "movement",
            "u_7",
            "deposit p1 at stripe was taken in as 1000 EUR and booked as 1000 GBP",
        )
    ]


async def test_a_movement_that_is_not_booked(played: Pool) -> None:
    assert await tamper(played, "UPDATE movements SET object_id = 'p2'") == [
        ("movement", "u_7", "deposit p2 at stripe was taken in and has no posting"),
        (
            "psp posting",
            "u_7",
            "posting 1 books 1000 as p1:deposit of psp:stripe, and no such movement was taken in",
        ),
    ]


async def test_a_resolution_at_a_posting_of_another_hold(played: Pool) -> None:
    # The lost stake's hold is said to be captured by the posting that opened the other.
    found = await tamper(played, "UPDATE hold_resolutions SET version = 4")

    assert [(check, user) for check, user, _ in found] == [("hold postings", "u_7")] * 2


async def test_a_resolution_that_no_posting_made(played: Pool) -> None:
    found = await tamper(
        played,
        "INSERT INTO hold_resolutions (user_id, hold_id, outcome, version, resolved_at)"
        " SELECT user_id, hold_id, 'voided', 9, opened_at FROM holds WHERE version = 4",
    )

    assert ("hold postings", "u_7") in [(check, user) for check, user, _ in found]


async def test_a_hold_of_another_amount_than_its_posting(played: Pool) -> None:
    # Equal and opposite, so that the sum of what is on hold still is what the wallet says.
    found = await tamper(played, "UPDATE holds SET amount = 500 WHERE version = 2")

    assert [(check, user) for check, user, _ in found] == [("hold postings", "u_7")] * 2


async def test_a_posting_that_names_a_hold_which_nothing_tells_of(played: Pool) -> None:
    found = await tamper(played, "DELETE FROM hold_resolutions")

    assert {(check, user) for check, user, _ in found} == {
        ("holds", "u_7"),
        ("hold postings", "u_7"),
    }


@pytest.mark.usefixtures("played")
async def test_money_of_a_psp_that_was_never_taken_in(pool: Pool) -> None:
    forged = rules.fact_for_player(
        *("u_8", Money.parse("7.00", "GBP")),
        kind="deposit.succeeded",
        source="psp:stripe",
        key="p9:deposit",
        event_at=now(),
    )
    await write(pool, forged)

    assert [(one.check, one.user_id, one.detail) for one in (await verify_books(pool)).faults] == [
        (
            "psp posting",
            "u_8",
            "posting 1 books 700 as p9:deposit of psp:stripe, and no such movement was taken in",
        )
    ]


async def test_a_wallet_with_money_and_no_posting(played: Pool) -> None:
    statement = "INSERT INTO wallets (user_id, currency, available) VALUES ('u_9', 'GBP', $1)"
    ((check, user, said),) = await tamper(played, statement, Decimal(1_000_000))

    assert (check, user) == ("wallet", "u_9")
    assert said.startswith("wallet says 1000000/0/0 at version 0, its postings say ")


async def test_a_wallet_that_was_opened_and_has_nothing_is_no_fault(played: Pool) -> None:
    statement = "INSERT INTO wallets (user_id, currency) VALUES ('u_9', 'GBP')"

    assert await tamper(played, statement) == []


async def test_amounts_that_are_no_number(played: Pool) -> None:
    await tamper(played, "UPDATE wallets SET available = 'NaN'")
    found = await tamper(
        played,
        "ALTER TABLE postings DROP CONSTRAINT postings_amount_check;"
        " UPDATE postings SET amount = 'NaN', available_after = 'NaN', held_after = 'NaN',"
        " reserved_after = 'NaN'",
    )

    assert {"wallet", "posting"} <= {check for check, _, _ in found}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("user_id = 'u_8'", "says 1000 GBP of u_8 and is booked"),
        ("amount = 999", "says 999 GBP of u_7 and is booked"),
        ("currency = 'EUR'", "says 1000 EUR of u_7 and is booked"),
        ("payment_id = 'p2'", "says 1000 GBP of u_7 and is booked"),
        ("state = 'ignored'", "says 1000 GBP of u_7 and is ignored"),
    ],
)
@pytest.mark.usefixtures("played")
async def test_a_delivery_that_the_service_made_say_something_else(
    pool: Pool, change: str, said: str
) -> None:
    await pool.execute(f"UPDATE deliveries SET {change}")  # noqa: S608 - ours

    ((check, user, detail),) = [
        (one.check, one.user_id, one.detail) for one in (await verify_books(pool)).faults
    ]
    assert (check, user) == ("delivery", "u_7")
    assert detail.startswith("deposit p1 at stripe is 1000 GBP of u_7, its delivery ")
    assert detail.endswith(said)


@pytest.mark.usefixtures("played")
async def test_a_delivery_said_to_be_booked_of_which_nothing_moved(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO deliveries SELECT endpoint, 'evt_2', gen_random_uuid(), provider, received_at,"
        " body, body_sha256, content_sha256, headers, verified_by, event_type, kind, payment_id,"
        " effect_id, reference, user_id, currency, amount, event_at, state FROM deliveries"
    )

    (fault,) = (await verify_books(pool)).faults
    assert (fault.check, fault.user_id) == ("delivery", "u_7")
    assert fault.detail.endswith(" is booked, and nothing of it has moved")


async def test_a_movement_without_its_delivery(played: Pool) -> None:
    assert await tamper(played, "DELETE FROM deliveries") == [
        ("delivery", "u_7", "deposit p1 at stripe has no delivery")
    ]
