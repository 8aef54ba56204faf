"""What may be behind a difference is gathered once, from everywhere, and is true as it is said."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from recon.clock import format_time, new_id, now
from recon.game import GameClient, RetryPolicy
from recon.ledger import rules
from recon.money import Money
from recon.payments import ExpectedPayment
from recon.reconciliation import Cause, Finding
from recon.reconciliation.account import Account as AccountOf
from recon.reconciliation.account import account_for
from recon.reconciliation.look import look
from recon.settlements import Account, ImportOptions, import_settlement
from recon.webhooks import register_payment
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import pytest

    from recon.db import Pool
    from tests.reconciliation.conftest import World


GONE = "http://127.0.0.1:9"
"""The port that throws away what it gets, where anybody listens at all."""


def minor(amount: str) -> Decimal:
    return Decimal(Money.parse(amount, "GBP").minor)


async def account(world: World, *, since: datetime | None = None) -> AccountOf:
    """What is said of u_1's pounds, if they differ now."""
    seen = await look(world.reconciler, "u_1", "GBP")
    assert seen.comparison is not None
    return await account_for(world.reconciler, seen.comparison, since=since)


def told(found: AccountOf) -> tuple[Cause, list[tuple[str, int]], int]:
    """The cause, the facts by kind and amount, and what is left."""
    explanation = found.explanation
    facts = [(fact.kind, fact.amount) for fact in explanation.evidence]
    assert explanation.explained + explanation.unexplained == found.meant.difference
    return explanation.cause, facts, explanation.unexplained


async def register(
    world: World, reference: str, direction: str, amount: str, *, state: str = "registered"
) -> None:
    wanted: dict[str, Any] = {
        "reference": reference,
        "endpoint": "stripe",
        "direction": direction,
        "user_id": "u_1",
        "amount": amount,
        "currency": "GBP",
    }
    await register_payment(world.pool, msgspec.convert(wanted, ExpectedPayment))
    async with world.pool.acquire() as connection:
        await connection.execute(
            "UPDATE payments SET state = $2, updated_at = clock_timestamp() WHERE reference = $1",
            *(reference, state),
        )


async def report(
    world: World,
    kind: str,
    amount: str,
    *,
    payment_id: str = "pi_1",
    effect_id: str | None = None,
    reference: str | None = None,
    ago: timedelta = timedelta(0),
) -> UUID:
    """A delivery about u_1 that could not be booked."""
    delivery_id = new_id()
    async with world.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO deliveries (endpoint, event_id, delivery_id, provider, received_at,"
            " body_sha256, content_sha256, headers, verified_by, event_type, kind, payment_id,"
            " effect_id, reference, user_id, currency, amount, state, reason)"
            " VALUES ('stripe', $1, $2, 'stripe', clock_timestamp() - $8::interval, '', '', '{}',"
            " 'v1', $3, $3, $4, $5, $6, 'u_1', 'GBP', $7, 'quarantined', 'of the test')",
            *(str(delivery_id), delivery_id, kind, payment_id, effect_id, reference),
            *(minor(amount), ago),
        )
    return delivery_id


async def moved(world: World, effect: str, amount: str, *, payment_id: str = "pi_1") -> None:
    """That a movement is in u_1's book, beside its posting."""
    async with world.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO movements (endpoint, object_id, effect, delivery_id, payment_id, user_id,"
            " currency, amount, event_at)"
            " VALUES ('stripe', $1, $2, $3, $1, 'u_1', 'GBP', $4, now())",
            *(payment_id, effect, new_id(), minor(amount)),
        )


async def settle(world: World, *lines: str) -> None:
    """A settlement file of stripe's: reference, amount, when."""
    rows = [f"{line.split()[0]},{line.split()[1]},GBP,{line.split()[2]},deposit" for line in lines]
    text = "\n".join(["reference,amount,currency,settled_at,kind", *rows, ""])
    await import_settlement(
        world.pool,
        io.BytesIO(text.encode()),
        name="june.csv",
        account=Account(endpoint="stripe", provider="standard-webhooks"),
        options=ImportOptions(columns={}, grace=timedelta(days=5)),
        actor="ana",
    )


async def bet(world: World, state: str = "placing", *, amount: str = "10.00") -> tuple[UUID, UUID]:
    """A bet of u_1 without a ticket that has long been left to people, and its hold's key."""
    bet_id, hold_key = new_id(), new_id()
    async with world.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO bets (user_id, bet_id, caller_key, round_id, currency, amount, state,"
            " hold_body, hold_key, confirm_key, release_key, cashout_key, reason, settled_at,"
            " created_at, updated_at) VALUES ('u_1', $1, $4, 'r_1', 'GBP', $5, $2, '', $3, $3, $3,"
            " $3, 'round_closed', CASE WHEN $2 = 'rejected' THEN now() END, now(), now())",
            *(bet_id, state, hold_key, str(bet_id), minor(amount)),
        )
    return bet_id, hold_key


def bet_there(world: World, key: UUID, *, amount: str = "10.00", status: str = "active") -> None:
    """What the hold's key led to at the game."""
    world.game.by_key[str(key)] = {
        "ticket_id": f"t-{key}",
        "hold_id": "h",
        "round_id": "r_1",
        "user_id": "u_1",
        "amount": amount,
        "currency": "GBP",
        "auto_cashout": None,
        "status": status,
        "cashout_multiplier": None,
        "payout_transaction_id": None,
        "placed_at": format_time(now()),
    }


async def test_a_deposit_that_four_sources_tell_of_is_counted_once(world: World) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "ref-1", "deposit", "20.00")
    await report(world, "deposit.succeeded", "20.00", reference="ref-1")
    await report(world, "deposit.succeeded", "20.00", reference="ref-1")
    await settle(world, f"ref-1 20.00 {format_time(now())}")

    world.game.set("u_1", "120.00")
    once = await account(world)
    world.game.set("u_1", "140.00")
    twice = await account(world)

    assert told(once) == (Cause.MISSING_WEBHOOK, [("delivery", 20_00)], 0)
    assert (once.explanation.notes, once.explanation.confidence) == ([], 99)
    assert told(twice) == (Cause.MISSING_WEBHOOK, [("delivery", 20_00)], 20_00)


async def test_a_line_missing_in_the_file_and_its_posting_are_one_payment(world: World) -> None:
    await world.deposit("u_1", "100.00")
    await world.book(
        rules.fact_for_player(
            "u_1",
            Money.parse("20.00", "GBP"),
            kind="deposit.succeeded",
            source="psp:stripe",
            key="pi_1:deposit",
            event_at=now(),
        )
    )
    async with world.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO settlement_findings (user_id, finding_id, endpoint, file_id, kind, about,"
            " payment_id, booked_currency, booked_amount, settled_at, detail) VALUES"
            " ('u_1', $1, 'stripe', $1, 'missing_there', 'deposit', 'pi_1', 'GBP', 2000, now(),"
            " 'booked and in no file')",
            new_id(),
        )

    world.game.set("u_1", "100.00")
    once = await account(world)
    world.game.set("u_1", "80.00")
    twice = await account(world)

    assert told(once) == (Cause.MISSING_GAME_UPDATE, [("settlement", -20_00)], 0)
    # 20.00 of the file and 20.00 of the posting would make it.
    assert told(twice)[0] is Cause.UNEXPLAINED


async def test_a_part_of_a_deposit_that_is_refunded_is_no_mismatch(world: World) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "ref-1", "deposit", "100.00")
    await report(world, "deposit.refunded", "5.00", effect_id="re_1", reference="ref-1")
    await report(world, "deposit.refunded", "7.00", effect_id="re_2", reference="ref-1")

    world.game.set("u_1", "88.00")
    both = await account(world)
    world.game.set("u_1", "95.00")
    one = await account(world)

    facts = [("delivery", -5_00), ("delivery", -7_00)]
    assert (told(both)[0], sorted(told(both)[1], reverse=True)) == (Cause.MISSING_WEBHOOK, facts)
    assert told(one) == (Cause.MISSING_WEBHOOK, [("delivery", -5_00)], 0)


async def test_what_undoes_a_movement_that_neither_side_has_explains_nothing(
    world: World,
) -> None:
    await world.deposit("u_1", "37.00")
    await world.deposit("u_1", "63.00")
    for kind in (
        "deposit.failed",
        "deposit.chargeback_reversed",
        "deposit.refund_failed",
        "withdrawal.returned",
    ):
        await report(world, kind, "20.00")

    for shown in ("80.00", "120.00"):
        world.game.set("u_1", shown)
        assert told(await account(world))[0] is Cause.UNEXPLAINED


async def test_what_undoes_a_booked_movement_explains_that_the_game_has_undone_it(
    world: World,
) -> None:
    await world.deposit("u_1", "37.00")
    await world.deposit("u_1", "63.00")
    await moved(world, "paid", "20.00")
    await report(world, "withdrawal.returned", "20.00")
    world.game.set("u_1", "120.00")

    assert told(await account(world)) == (Cause.MISSING_WEBHOOK, [("delivery", 20_00)], 0)


async def test_a_second_report_of_booked_money_differs_by_what_it_says_beyond_it(
    world: World,
) -> None:
    await world.deposit("u_1", "37.00")
    await world.deposit("u_1", "63.00")
    await moved(world, "deposit", "20.00")
    await report(world, "deposit.succeeded", "20.00")
    world.game.set("u_1", "120.00")
    the_same = await account(world)
    await report(world, "deposit.succeeded", "25.00")
    world.game.set("u_1", "105.00")
    another = await account(world)

    assert told(the_same) == (Cause.UNEXPLAINED, [], 20_00)
    assert told(another) == (Cause.AMOUNT_MISMATCH, [("delivery", 5_00)], 0)


async def test_the_report_that_an_accepted_withdrawal_is_paid_makes_no_difference(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "wd-1", "withdrawal", "50.00", state="accepted")
    await report(world, "withdrawal.paid", "50.00", payment_id="po_1", reference="wd-1")
    await register(world, "ref-1", "deposit", "20.00")
    world.game.set("u_1", "70.00")

    found = await account(world)

    assert (found.meant.difference, told(found)) == (
        20_00,
        (Cause.MISSING_WEBHOOK, [("payment", 20_00)], 0),
    )


async def test_a_withdrawal_that_the_comparison_allows_for_is_no_evidence_besides(
    world: World,
) -> None:
    await world.deposit("u_1", "41.00")
    await world.deposit("u_1", "60.00")
    await register(world, "wd-1", "withdrawal", "50.00", state="accepted")
    # 51.00 is here; at the game 151.00: as if the 50.00 were there twice.
    world.game.set("u_1", "151.00")

    assert told(await account(world))[0] is Cause.UNEXPLAINED


async def test_money_on_hold_is_not_explained_by_payments(world: World) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "ref-1", "deposit", "10.00")
    world.game.set("u_1", "100.00", held="10.00")

    found = await account(world)

    assert told(found) == (Cause.UNEXPLAINED, [], 10_00)
    assert all("bets" in place for place in found.looked_at)


async def test_a_stake_on_hold_that_the_game_has_taken_is_named_by_its_bet(world: World) -> None:
    await world.deposit("u_1", "100.00")
    bet_id, key = await bet(world)
    stake = Money.parse("10.00", "GBP")
    await world.book(rules.stake_held("u_1", stake, bet_id=bet_id, event_at=now()))
    bet_there(world, key)
    world.game.set("u_1", "90.00")

    found = await account(world)

    assert (found.meant.available_difference, found.meant.held_difference) == (0, -10_00)
    assert told(found) == (Cause.UNRESOLVED_BET, [("bet", -10_00)], 0)
    assert found.explanation.confidence >= 90


async def test_a_stake_on_hold_that_the_game_knows_nothing_of_is_named_by_its_bet(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    bet_id, _ = await bet(world)
    stake = Money.parse("10.00", "GBP")
    await world.book(rules.stake_held("u_1", stake, bet_id=bet_id, event_at=now()))
    world.game.set("u_1", "100.00")

    assert told(await account(world)) == (Cause.UNRESOLVED_BET, [("bet", 10_00)], 0)


async def test_a_bet_that_is_rejected_here_and_placed_there_is_found_by_its_key(
    world: World,
) -> None:
    await world.deposit("u_1", "37.00")
    await world.deposit("u_1", "63.00")
    _, key = await bet(world, "rejected")
    bet_there(world, key)
    world.game.set("u_1", "90.00")

    assert told(await account(world)) == (Cause.UNRESOLVED_BET, [("bet", -10_00)], 0)


async def test_a_stake_of_another_amount_at_the_game_is_a_mismatch(world: World) -> None:
    await world.deposit("u_1", "37.00")
    await world.deposit("u_1", "63.00")
    _, key = await bet(world, "rejected", amount="10.00")
    bet_there(world, key, amount="12.34")
    async with world.pool.acquire() as connection:
        # As a bet that was lost: its stake is the game's.
        await connection.execute(
            "UPDATE bets SET state = 'lost', ticket_id = 't-1', placed_at = now(), reason = NULL"
        )
    world.game.bets["t-1"] = world.game.by_key[str(key)] | {
        "ticket_id": "t-1",
        "status": "lost",
    }
    world.game.set("u_1", "97.66")

    assert told(await account(world)) == (Cause.AMOUNT_MISMATCH, [("bet", -2_34)], 0)


async def test_the_game_is_asked_about_so_many_bets_and_no_more(world: World) -> None:
    await world.deposit("u_1", "100.00")
    for _ in range(25):
        await bet(world, "rejected")
    async with world.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO bets (user_id, bet_id, caller_key, round_id, currency, amount, state,"
            " hold_body, hold_key, confirm_key, release_key, cashout_key, created_at, updated_at)"
            " SELECT 'u_1', id, id, 'r_1', 'GBP', 1000, 'placing', '', id, id, id, id, now(), now()"
            " FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 600)) AS n"
        )
    world.game.set("u_1", "0.01")

    found = await account(world)

    assert len(world.game.asked_bets) == 40
    assert found.looked_at[-1] == ("25 bets settled in the last day, 20 of them asked of the game")
    assert (
        "the newest 500 bets whose outcome is not booked, 20 of them asked of the game"
        in found.looked_at
    )


async def test_a_bet_that_was_played_is_asked_about_before_many_that_were_rejected(
    world: World,
) -> None:
    await world.deposit("u_1", "41.00")
    await world.deposit("u_1", "60.00")
    _, key = await bet(world, "rejected")
    async with world.pool.acquire() as connection:
        await connection.execute(
            "UPDATE bets SET state = 'lost', ticket_id = 't-1', placed_at = now(), reason = NULL"
        )
    bet_there(world, key, status="void")
    world.game.bets["t-1"] = world.game.by_key[str(key)] | {"ticket_id": "t-1"}
    for _ in range(25):
        await bet(world, "rejected")
    world.game.set("u_1", "111.00")

    assert told(await account(world)) == (Cause.MISSED_PAYOUT, [("bet", 10_00)], 0)


async def test_what_the_game_did_not_answer_for_is_not_said_to_be_looked_at(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    for _ in range(5):
        await bet(world)
    world.game.set("u_1", "0.01")
    seen = await look(world.reconciler, "u_1", "GBP")
    assert seen.comparison is not None
    retry = RetryPolicy(attempts=1, total_s=0.2, base_s=0.01, cap_s=0.02)

    async with GameClient(GONE, "ck_sandbox_test", "sk_sandbox_test", retry=retry) as gone:
        found = await account_for(replace(world.reconciler, game=gone), seen.comparison)

    assert (
        "5 bets whose outcome is not booked, each asked of the game, which answered for 0"
        in found.looked_at
    )


async def test_a_payment_among_thousands_of_bets_is_still_found(world: World, owner: Pool) -> None:
    await world.deposit("u_1", "20.00")
    await world.deposit("u_1", "63.00")
    async with owner.acquire() as connection:
        await connection.execute(
            "INSERT INTO postings"
            " SELECT 'u_1', 'GBP', n, 'held', 'game', 100, 'bet.placed', 'bets', 'b' || n,"
            "  NULL, now(), now(), 8300, 0, 0 FROM generate_series(3, 3000) AS n"
        )
        await connection.execute("UPDATE wallets SET version = 3000")
    world.game.set("u_1", "63.00")

    found = await account(world)

    assert told(found) == (Cause.MISSING_GAME_UPDATE, [("posting", -20_00)], 0)
    assert "2 postings from the first, of payments, payouts and adjustments" in found.looked_at


async def test_what_the_game_counts_again_after_both_had_agreed_is_found(world: World) -> None:
    await world.deposit("u_1", "20.00")
    await world.deposit("u_1", "63.00")
    await Cases(world.pool).agree("u_1")
    world.game.set("u_1", "103.00")

    found = await account(world)

    assert told(found) == (Cause.DUPLICATE, [("posting", 20_00)], 0)
    assert found.explanation.evidence[0].finding is Finding.TWICE_THERE
    assert (
        "0 postings since version 2 and 2 older ones, of payments, payouts and adjustments"
        in found.looked_at
    )


async def test_a_difference_that_stands_is_not_explained_by_what_came_later(world: World) -> None:
    await world.deposit("u_1", "20.00")
    world.game.set("u_1", "0.00")
    await world.run()
    (before,) = await world.found()
    await world.deposit("u_1", "20.00")
    world.game.set("u_1", "20.00")

    # Another deposit of as much, which the game has got.
    found = await account(world)

    assert [fact.id for fact in before.evidence] == ["u_1:GBP:1"]
    assert [fact.id for fact in found.explanation.evidence] == ["u_1:GBP:1"]


async def test_a_file_of_tomorrow_explains_today(world: World, owner: Pool) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "ref-1", "deposit", "20.00")
    await settle(world, f"ref-1 20.00 {format_time(now() + timedelta(hours=20))}")
    async with owner.acquire() as connection:
        await connection.execute(
            "UPDATE settlement_findings SET found_at = clock_timestamp() - interval '1 hour'"
        )
    world.game.set("u_1", "120.00")

    await world.run()
    (found,) = await world.found()

    # What is found has happened, so it is not still under way.
    assert (found.cause, found.evidence[0].kind) == (Cause.MISSING_WEBHOOK, "settlement")


async def test_a_difference_is_told_of_though_explaining_it_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("recon.reconciliation.account.explain_look", fail)
    await world.deposit("u_1", "100.00")
    world.game.set("u_1", "70.00")

    run = await world.run()
    (found,) = await world.found()

    assert (run.wallets.discrepant, found.difference, found.unexplained) == (1, -30_00, -30_00)
    assert found.cause is Cause.UNEXPLAINED
    assert found.looked_at[-1] == ("not everything could be looked at: an unforeseen error of ours")


async def test_an_adjustment_is_not_doubted_for_what_had_been_booked_before_it(
    world: World,
) -> None:
    await world.deposit("u_1", "20.00")
    correction = rules.adjustment(
        "u_1", Money.parse("20.00", "GBP"), adjustment_id=new_id(), event_at=now()
    )
    await world.book(correction)
    world.game.set("u_1", "20.00")

    found = await account(world)

    # Either the deposit never reached the game, or it has no money like that of the adjustment.
    assert told(found)[0] is Cause.UNEXPLAINED
    assert sorted(one.evidence[0].cause for one in found.explanation.alternatives) == [
        Cause.DUPLICATE,
        Cause.MISSING_GAME_UPDATE,
    ]


async def test_one_payment_that_two_endpoints_have_booked_is_a_duplicate_here(
    world: World,
) -> None:
    for endpoint in ("stripe_uk", "stripe_eu"):
        await world.book(
            rules.fact_for_player(
                "u_1",
                Money.parse("20.00", "GBP"),
                kind="deposit.succeeded",
                source=f"psp:{endpoint}",
                key="pi_1:deposit",
                event_at=now(),
            )
        )
    world.game.set("u_1", "20.00")

    found = await account(world)

    assert told(found) == (Cause.DUPLICATE, [("posting", -20_00)], 0)
    assert found.explanation.evidence[0].id == "u_1:GBP:2"
    assert found.explanation.evidence[0].finding is Finding.TWICE_HERE


async def test_the_newest_reports_are_looked_at_where_there_are_too_many(
    world: World, owner: Pool
) -> None:
    await world.deposit("u_1", "100.00")
    async with owner.acquire() as connection:
        await connection.execute(
            "INSERT INTO deliveries (endpoint, event_id, delivery_id, provider, received_at,"
            " body_sha256, content_sha256, headers, verified_by, event_type, kind, payment_id,"
            " user_id, currency, amount, state) SELECT 'stripe', 'e' || n,"
            " ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,"
            " 'stripe', now() - interval '1 year', '', '', '{}', 'v1', 'x', 'deposit.succeeded',"
            " 'old' || n, 'u_1', 'EUR', 100, 'quarantined' FROM generate_series(1, 600) AS n"
        )
    await report(world, "deposit.succeeded", "20.00")
    world.game.set("u_1", "120.00")

    found = await account(world)

    assert told(found) == (Cause.MISSING_WEBHOOK, [("delivery", 20_00)], 0)
    assert "the newest 500 deliveries that could not be booked" in found.looked_at
