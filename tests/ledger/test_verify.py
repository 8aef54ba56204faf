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
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO movements (endpoint, object_id, effect, delivery_id, payment_id, user_id,"
            " currency, amount, event_at)"
            " VALUES ('stripe', 'p1', 'deposit', $1, 'p1', 'u_7', 'GBP', $2, $3)",
            *(new_id(), Decimal(1000), now()),
        )
    assert (await verify_books(pool)).ok
    return owner


async def test_a_movement_of_another_amount_than_its_posting(played: Pool) -> None:
    assert await tamper(played, "UPDATE movements SET amount = 1001") == [
        (
            "movement",
            "u_7",
            "deposit p1 at stripe was taken in as 1001 GBP and booked as 1000 GBP",
        )
    ]


async def test_a_movement_of_another_currency_than_its_posting(played: Pool) -> None:
    assert await tamper(played, "UPDATE movements SET currency = 'EUR'") == [
        (
            "movement",
            "u_7",
            "deposit p1 at stripe was taken in as 1000 EUR and booked as 1000 GBP",
        )
    ]


async def test_a_movement_that_is_not_booked(played: Pool) -> None:
    assert await tamper(played, "UPDATE movements SET object_id = 'p2'") == [
        ("movement", "u_7", "deposit p2 at stripe was taken in and has no posting")
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
