"""Where an explanation's facts come from, beside what the runs' own tests show."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from recon.clock import format_time, new_id, now
from recon.ledger import rules
from recon.money import Money
from recon.payments import Direction, ExpectedPayment
from recon.reconciliation import Cause, Finding
from recon.settlements import Account, ImportOptions, import_settlement
from recon.webhooks import register_payment

if TYPE_CHECKING:
    from tests.reconciliation.conftest import World


async def settle_here(world: World, state: str, *, payout: str | None = None) -> str:
    """A bet of 10.00 of u_1, as it is settled here; its ticket."""
    bet_id = new_id()
    paid = None if payout is None else Decimal(Money.parse(payout, "GBP").minor)
    async with world.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO bets (user_id, bet_id, caller_key, round_id, currency, amount, state,"
            " hold_body, hold_key, confirm_key, release_key, cashout_key, ticket_id, payout,"
            " payout_transaction_id, placed_at, settled_at, created_at, updated_at, reason)"
            " VALUES ('u_1', $1, $3, 'r_1', 'GBP', 1000, $2, '', $1, $1, $1, $1, $3, $4, $5,"
            " now(), now(), now(), now(), 'seeded')",
            *(bet_id, state, f"t-{bet_id}", paid, None if paid is None else f"tx-{bet_id}"),
        )
    return f"t-{bet_id}"


def bet_there(world: World, ticket: str, status: str, payout: str | None) -> None:
    """The same bet as the game has it, its payout completed."""
    transaction = None if payout is None else f"tx-{ticket}"
    world.game.bets[ticket] = {
        "ticket_id": ticket,
        "hold_id": "h",
        "round_id": "r_1",
        "user_id": "u_1",
        "amount": "10.00",
        "currency": "GBP",
        "auto_cashout": None,
        "status": status,
        "cashout_multiplier": None,
        "payout_transaction_id": transaction,
        "placed_at": format_time(now()),
    }
    if transaction is not None:
        world.game.payouts[transaction] = {
            "transaction_id": transaction,
            "ticket_id": ticket,
            "amount": payout,
            "currency": "GBP",
            "status": "completed",
            "completed_at": format_time(now()),
        }


@pytest.mark.parametrize(
    ("here", "booked", "there", "paid", "shown", "expected"),
    [
        ("lost", None, "cashed_out", "35.00", "135.00", (Cause.MISSED_PAYOUT, 35_00)),
        ("lost", None, "void", None, "110.00", (Cause.MISSED_PAYOUT, 10_00)),
        ("cashed_out", "20.00", "cashed_out", "25.00", "105.00", (Cause.AMOUNT_MISMATCH, 5_00)),
        ("cashed_out", "20.00", "lost", None, "80.00", (Cause.MISSED_PAYOUT, -20_00)),
    ],
)
async def test_a_bet_that_both_sides_have_settled_otherwise_is_named(
    world: World,
    here: str,
    booked: str | None,
    there: str,
    paid: str | None,
    shown: str,
    expected: tuple[Cause, int],
) -> None:
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "100.00")
    await world.run()
    ticket = await settle_here(world, here, payout=booked)
    bet_there(world, ticket, there, paid)
    world.game.set("u_1", shown)

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference, found.unexplained) == (*expected, 0)
    assert (found.evidence[0].root, found.evidence[0].finding) == ("round r_1", Finding.SETTLED)
    assert found.confidence >= 95
    assert found.looked_at[-1] == (
        "1 bets settled since both sides last agreed, each asked of the game"
    )


@pytest.mark.parametrize(
    ("here", "there", "paid", "shown", "expected"),
    [
        ("lost", "cashed_out", "35.00", "135.00", (Cause.MISSED_PAYOUT, 35_00)),
        # Rejected: it was never booked here that the game took the stake.
        ("rejected", "lost", None, "90.00", (Cause.UNRESOLVED_BET, -10_00)),
    ],
)
async def test_what_the_game_says_after_people_have_ruled_is_a_difference_with_a_name(
    world: World, here: str, there: str, paid: str | None, shown: str, expected: tuple[Cause, int]
) -> None:
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "100.00")
    ticket = await settle_here(world, here)
    bet_there(world, ticket, there, paid)
    if here == "rejected":
        # People ruled without a ticket: the game knows the bet by its key.
        await world.pool.execute("UPDATE bets SET ticket_id = NULL, placed_at = NULL")
        key = await world.pool.fetchval("SELECT hold_key FROM bets")
        world.game.by_key[str(key)] = world.game.bets[ticket]
    await world.pool.execute("UPDATE bets SET reason = 'settled_by_hand'")
    # Both sides agreed on it first.
    await world.run()
    world.game.set("u_1", shown)

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference, found.unexplained) == (*expected, 0)
    assert "as people ruled" in found.evidence[0].summary
    assert found.evidence[0].finding is Finding.RULED


async def test_settled_bets_are_asked_about_only_where_nothing_else_explains(world: World) -> None:
    await world.deposit("u_1", "100.00")
    ticket = await settle_here(world, "lost")
    bet_there(world, ticket, "lost", None)
    world.game.set("u_1", "0.00")

    await world.run()
    (found,) = await world.found()

    assert (found.cause, world.game.asked_bets) == (Cause.MISSING_GAME_UPDATE, [])


async def test_an_adjustment_whose_cause_came_in_by_itself_counts_twice(world: World) -> None:
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "100.00")
    await world.run()
    world.game.set("u_1", "120.00")
    twenty = Money.parse("20.00", "GBP")
    correction = rules.adjustment("u_1", twenty, adjustment_id=new_id(), event_at=now())
    await world.book(correction)
    # The webhook that was thought to be lost.
    await world.deposit("u_1", "20.00")

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference, found.unexplained) == (Cause.DUPLICATE, -20_00, 0)
    assert found.evidence[0].summary.startswith("adjustment of 20.00 GBP (adjustments")
    assert found.evidence[0].summary.endswith("a PSP has reported as much since")
    assert found.evidence[0].finding is Finding.ADJUSTED
    assert [one.evidence[0].cause for one in found.alternatives] == []


@pytest.mark.parametrize(
    ("happened", "cause"),
    [
        # The payment that was adjusted for: the webhook was an hour late.
        (timedelta(hours=-1), Cause.DUPLICATE),
        # Another payment of the same amount, of which the game has not heard.
        (timedelta(hours=1), Cause.MISSING_GAME_UPDATE),
    ],
)
async def test_what_came_in_after_both_agreed_over_its_adjustment_counts_twice_if_it_is_older(
    world: World, happened: timedelta, cause: Cause
) -> None:
    await world.deposit("u_1", "100.00")
    twenty = Money.parse("20.00", "GBP")
    adjusted_at = now()
    correction = rules.adjustment("u_1", twenty, adjustment_id=new_id(), event_at=adjusted_at)
    await world.book(correction)
    world.game.set("u_1", "120.00")
    assert (await world.run()).wallets.agreed == 1
    await world.book(
        rules.fact_for_player(
            "u_1",
            twenty,
            kind="deposit.succeeded",
            source="psp:stripe",
            key="pi_late:deposit",
            event_at=adjusted_at + happened,
        )
    )

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference, found.unexplained) == (cause, -20_00, 0)
    assert found.confidence >= 70


async def test_a_withdrawal_that_was_adjusted_for_and_then_paid_from_its_reserve_counts_twice(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    ten = Money.parse("10.00", "GBP")
    expected = ExpectedPayment("w_1", "stripe", Direction.WITHDRAWAL, "u_1", "10.00", "GBP")
    registered = await register_payment(world.pool, expected)
    assert registered.hold_id is not None
    paid_at = now()
    # The game has paid it, and the PSP has told the game alone.
    world.game.set("u_1", "90.00")
    await world.book(rules.adjustment("u_1", -ten, adjustment_id=new_id(), event_at=now()))
    assert (await world.run()).wallets.agreed == 1
    await world.book(
        rules.reservation_paid(
            "u_1",
            ten,
            hold_id=registered.hold_id,
            source="psp:stripe",
            key="po_late:paid",
            event_at=paid_at,
        )
    )
    await world.pool.execute("UPDATE payments SET state = 'paid', payment_id = 'po_late'")

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference, found.unexplained) == (Cause.DUPLICATE, 10_00, 0)
    assert found.evidence[0].finding is Finding.ADJUSTED


async def test_a_payout_that_was_adjusted_for_and_then_booked_counts_twice(world: World) -> None:
    await world.deposit("u_1", "100.00")
    twenty = Money.parse("20.00", "GBP")
    completed_at = now()
    await world.book(rules.adjustment("u_1", twenty, adjustment_id=new_id(), event_at=now()))
    world.game.set("u_1", "120.00")
    assert (await world.run()).wallets.agreed == 1
    await world.book(rules.payout("u_1", twenty, bet_id=new_id(), event_at=completed_at))

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference, found.unexplained) == (Cause.DUPLICATE, -20_00, 0)
    assert found.evidence[0].summary.endswith("a bet has paid as much since")


async def test_two_things_that_are_as_likely_are_both_said_and_neither_is_chosen(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "120.00")
    await register(world, "ref-1", "deposit", "20.00")
    await register(world, "wd-1", "withdrawal", "20.00")
    async with world.pool.acquire() as connection:
        await connection.execute(
            "UPDATE payments SET state = 'accepted', updated_at = clock_timestamp() - $1::interval"
            " WHERE reference = 'wd-1'",
            timedelta(days=8),
        )

    await world.run()
    (found,) = await world.found()

    # 40.00 more than 80.00: both of them. 20.00 more would have been either.
    assert (found.difference, found.unexplained, len(found.evidence)) == (40_00, 0, 2)
    world.game.set("u_1", "100.00")
    await world.run()
    (found,) = await world.found()
    assert (found.difference, found.cause, found.explained) == (20_00, Cause.UNEXPLAINED, 0)
    said = [(one.confidence, one.evidence[0].id) for one in found.alternatives]
    assert sorted(name for _, name in said) == ["ref-1", "wd-1"]
    assert all(40 <= percent < 50 for percent, _ in said)
    assert found.looked_at[-1].startswith("either of: payment ")


async def test_what_both_sides_have_told_is_explained_where_the_rest_is_not(world: World) -> None:
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "100.00")
    await world.run()
    ticket = await settle_here(world, "lost")
    bet_there(world, ticket, "cashed_out", "35.00")
    # And 7.13 more, of which nobody knows anything.
    world.game.set("u_1", "142.13")

    await world.run()
    (found,) = await world.found()

    assert (found.difference, found.explained, found.unexplained) == (42_13, 35_00, 7_13)
    assert (found.cause, len(found.evidence)) == (Cause.MISSED_PAYOUT, 1)


async def register(world: World, reference: str, direction: str, amount: str) -> None:
    told: dict[str, Any] = {
        "reference": reference,
        "endpoint": "stripe",
        "direction": direction,
        "user_id": "u_1",
        "amount": amount,
        "currency": "GBP",
    }
    await register_payment(world.pool, msgspec.convert(told, ExpectedPayment))


async def settle(world: World, reference: str) -> None:
    """The PSP's settlement file has a deposit of 20.00."""
    settled = (
        "reference,amount,currency,settled_at,kind\n"
        f"{reference},20.00,GBP,{format_time(now())},deposit\n"
    )
    await import_settlement(
        world.pool,
        io.BytesIO(settled.encode()),
        name="june.csv",
        account=Account(endpoint="stripe", provider="standard-webhooks"),
        options=ImportOptions(columns={}, grace=timedelta(days=5)),
        actor="ana",
    )


@pytest.mark.parametrize(("in_file", "kind"), [(False, "payment"), (True, "settlement")])
async def test_a_deposit_that_failed_by_the_psps_report_may_have_come_after_all(
    world: World, kind: str, *, in_file: bool
) -> None:
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "100.00")
    await world.run()
    await register(world, "ref-1", "deposit", "20.00")
    await world.pool.execute("UPDATE payments SET state = 'failed', updated_at = now()")
    if in_file:
        await settle(world, "ref-1")
    world.game.set("u_1", "120.00")

    await world.run()
    (found,) = await world.found()

    (fact,) = found.evidence
    assert (found.cause, fact.kind, fact.amount) == (Cause.MISSING_WEBHOOK, kind, 20_00)
    assert fact.finding is Finding.FAILED_HERE


async def test_what_a_settlement_file_has_and_we_have_not_is_named_by_its_line(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "100.00")
    await world.run()
    await register(world, "ref-1", "deposit", "20.00")
    await register(world, "ref-2", "deposit", "20.00")
    await settle(world, "ref-2")
    world.game.set("u_1", "120.00")

    await world.run()
    (found,) = await world.found()

    (fact,) = found.evidence
    assert (found.cause, found.difference, found.unexplained) == (Cause.MISSING_WEBHOOK, 20_00, 0)
    assert (fact.kind, fact.root) == ("settlement", "stripe")
    # The other registered deposit of as much fits as well, and nobody has said that it was paid.
    assert found.confidence > 90
    assert "1 findings of settlement files" in found.looked_at
