"""Runs: nothing in order is reported, everything wrong is, and what was not compared is said."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from recon.clock import new_id
from recon.game import GameClient
from recon.money import Money, format_minor
from recon.payments import ExpectedPayment
from recon.reconciliation import Cause, RunScope, RunState, Status, list_runs, run_here, start_run
from recon.webhooks import register_payment
from tests.reconciliation.conftest import GRACE

if TYPE_CHECKING:
    from tests.reconciliation.conftest import World


async def test_wallets_that_agree_make_a_clean_run(world: World) -> None:
    for number in range(30):
        await world.deposit(f"u_{number:02}", f"{number + 1}.00")
        world.game.set(f"u_{number:02}", f"{number + 1}.00")

    run = await world.run()

    assert run.state is RunState.FINISHED
    assert (run.wallets.total, run.wallets.compared, run.wallets.agreed) == (30, 30, 30)
    assert await world.found() == []


async def test_a_deposit_that_never_reached_the_game_is_named_with_its_amount(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    await world.deposit("u_1", "7.35")
    world.game.set("u_1", "10.00")

    run = await world.run()
    (found,) = await world.found()

    assert run.wallets.discrepant == 1
    assert (found.cause, found.difference, found.explained, found.unexplained) == (
        Cause.MISSING_GAME_UPDATE,
        -735,
        -735,
        0,
    )
    assert [fact.id for fact in found.evidence] == ["u_1:GBP:2"]


async def test_a_registered_deposit_that_only_the_game_has_is_a_missing_webhook(
    world: World,
) -> None:
    await register(world, "ref-1", "deposit", "u_new", "25.00")
    world.game.set("u_new", "25.00")

    await world.run(RunScope.CHANGED)
    (found,) = await world.found()

    assert (found.cause, found.difference) == (Cause.MISSING_WEBHOOK, 2500)
    assert [(fact.kind, fact.id) for fact in found.evidence] == [("payment", "ref-1")]


async def test_which_of_two_equal_deposits_it_was_is_left_open_in_what_was_looked_at(
    world: World,
) -> None:
    await register(world, "ref-1", "deposit", "u_new", "25.00")
    await register(world, "ref-2", "deposit", "u_new", "25.00")
    world.game.set("u_new", "25.00")

    await world.run(RunScope.CHANGED)
    (found,) = await world.found()

    assert (found.cause, [fact.id for fact in found.evidence]) == (
        Cause.MISSING_WEBHOOK,
        ["ref-2"],
    )
    assert found.looked_at[-1] == "either of: payment ref-2; payment ref-1"


@pytest.mark.parametrize("credited", ["50.00", "62.00"])
async def test_an_amount_that_does_not_match_is_found_whichever_the_game_credited(
    world: World, credited: str
) -> None:
    await register(world, "ref-1", "deposit", "u_1", "50.00")
    await quarantine(world, "ref-1", "u_1", "62.00")
    world.game.set("u_1", credited)

    await world.run(RunScope.CHANGED)
    (found,) = await world.found()

    (fact,) = found.evidence
    assert (found.cause, found.unexplained) == (Cause.AMOUNT_MISMATCH, 0)
    assert (fact.kind, format_minor(fact.amount, "GBP")) == ("delivery", credited)
    assert "62.00" in fact.summary
    assert "50.00" in fact.summary


async def test_a_deposit_that_the_game_counted_twice_is_a_duplicate(world: World) -> None:
    await world.deposit("u_1", "10.00")
    await world.deposit("u_1", "7.35")
    world.game.set("u_1", "24.70")

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference) == (Cause.DUPLICATE, 735)


async def test_what_nothing_explains_is_unexplained_and_says_what_was_looked_at(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "9.99")

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.explained, found.unexplained) == (Cause.UNEXPLAINED, 0, -1)
    assert "1 postings from the first, of payments, payouts and adjustments" in found.looked_at


async def test_a_withdrawal_on_its_way_is_no_alarm_whether_or_not_the_game_was_told(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    await world.deposit("u_2", "100.00")
    await register(world, "wd-1", "withdrawal", "u_1", "30.00")
    await register(world, "wd-2", "withdrawal", "u_2", "30.00")
    async with world.pool.acquire() as connection:
        await connection.execute("UPDATE payments SET state = 'accepted' WHERE reference = 'wd-2'")
    world.game.set("u_1", "100.00")
    world.game.set("u_2", "70.00")

    run = await world.run()

    assert (run.wallets.agreed, await world.found()) == (2, [])


async def test_an_accepted_withdrawal_is_taken_for_paid_after_seven_days(world: World) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "wd-1", "withdrawal", "u_1", "30.00")
    world.game.set("u_1", "100.00")
    await accepted(world, "6 days 23 hours")
    young = await world.run()

    await accepted(world, "7 days 1 hour")
    old = await world.run()
    (found,) = await world.found()

    assert (young.wallets.agreed, old.wallets.discrepant) == (1, 1)
    assert (found.cause, found.difference, found.unexplained) == (
        Cause.MISSING_GAME_UPDATE,
        30_00,
        0,
    )
    assert [(fact.kind, fact.id) for fact in found.evidence] == [("payment", "wd-1")]


async def test_what_the_game_once_showed_as_taken_hides_no_difference_later(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "wd-1", "withdrawal", "u_1", "30.00")
    await accepted(world, "1 hour")
    world.game.set("u_1", "70.00")
    taken = await world.run()

    # The very amount of the withdrawal too much, which could have been that it is still there.
    world.game.set("u_1", "100.00")
    later = await world.run()

    assert (taken.wallets.agreed, later.wallets.discrepant) == (1, 1)


async def test_a_withdrawal_accepted_after_that_may_again_be_there_or_not(world: World) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "wd-1", "withdrawal", "u_1", "30.00")
    await accepted(world, "1 hour")
    world.game.set("u_1", "70.00")
    await world.run()
    await register(world, "wd-2", "withdrawal", "u_1", "20.00")
    async with world.pool.acquire() as connection:
        await connection.execute(
            "UPDATE payments SET state = 'accepted', updated_at = clock_timestamp()"
            " WHERE reference = 'wd-2'"
        )

    for shown in ("70.00", "50.00"):
        world.game.set("u_1", shown)
        assert (await world.run()).wallets.agreed == 1
    assert await world.found() == []


async def test_an_accepted_withdrawal_never_distorts_what_else_is_missing(world: World) -> None:
    for user, shown in (("u_1", "170.00"), ("u_2", "200.00")):
        await world.deposit(user, "100.00")
        await register(world, f"wd-{user}", "withdrawal", user, "30.00")
        await register(world, f"dep-{user}", "deposit", user, "100.00")
        world.game.set(user, shown)
    async with world.pool.acquire() as connection:
        await connection.execute(
            "UPDATE payments SET state = 'accepted' WHERE direction = 'withdrawal'"
        )

    await world.run()

    found = {one.user_id: (one.cause, one.difference) for one in await world.found()}
    # The game has taken the withdrawal of one and not of the other; each lacks one webhook.
    assert found == {
        "u_1": (Cause.MISSING_WEBHOOK, 100_00),
        "u_2": (Cause.MISSING_WEBHOOK, 100_00),
    }


async def test_a_withdrawal_that_only_the_game_knows_paid_is_a_missing_webhook(
    world: World,
) -> None:
    await world.deposit("u_1", "100.00")
    await register(world, "wd-1", "withdrawal", "u_1", "30.00")
    world.game.set("u_1", "70.00")

    await world.run()
    (found,) = await world.found()

    assert (found.cause, found.difference) == (Cause.MISSING_WEBHOOK, -3000)
    assert (found.ledger_available, found.ledger_reserved) == (7000, 3000)


async def test_a_difference_that_goes_away_within_the_grace_period_is_never_reported(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "0.00")

    async def the_update_comes() -> None:
        await asyncio.sleep(0.15)
        world.game.set("u_1", "10.00")

    run, _ = await asyncio.gather(world.run(), the_update_comes())

    assert (run.wallets.agreed, await world.found(*Status)) == (1, [])


async def test_an_answer_on_its_way_is_no_time_for_which_the_difference_stood(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "0.00")
    real, answers = GameClient.balance, 0

    async def balance(*asked: Any, **how: Any) -> Any:  # noqa: ANN401 - passed through
        nonlocal answers
        said = await real(*asked, **how)
        answers += 1
        if answers == 3:  # the first two are the sweep's
            world.game.set("u_1", "10.00")
            await asyncio.sleep(GRACE.total_seconds())
        return said

    monkeypatch.setattr(GameClient, "balance", balance)

    run = await world.run()

    assert (run.wallets.agreed, await world.found(*Status)) == (1, [])


async def test_a_difference_that_changes_starts_the_ladder_again(world: World) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "1.00")

    async def the_game_catches_up_slowly() -> None:
        for cents in range(2, 10):
            await asyncio.sleep(0.2)
            world.game.set("u_1", f"{cents}.00")
        await asyncio.sleep(0.2)
        world.game.set("u_1", "10.00")

    run, _ = await asyncio.gather(world.run(), the_game_catches_up_slowly())

    assert (run.wallets.agreed, await world.found(*Status)) == (1, [])


async def test_a_busy_wallet_whose_game_is_always_a_little_late_is_no_alarm(
    world: World,
) -> None:
    """The same amount at the same pace, each seen by the game within the grace period."""

    async def lives() -> None:
        for number in range(1, 26):
            await world.deposit("u_1", "1.00")
            await asyncio.sleep(0.15)
            world.game.set("u_1", f"{number}.00")

    world.game.set("u_1", "0.00")
    await world.deposit("u_2", "5.00")
    world.game.set("u_2", "3.00")
    living = asyncio.create_task(lives())
    await asyncio.sleep(0.05)
    await world.run()
    await living
    await world.run(RunScope.USERS, "u_1")

    assert [one.user_id for one in await world.found(*Status)] == ["u_2"]


async def test_a_wallet_that_agrees_again_clears_its_discrepancy(world: World) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "0.00")
    await world.run()
    await world.run()
    (seen_twice,) = await world.found()

    world.game.set("u_1", "10.00")
    run = await world.run(RunScope.CHANGED)
    (cleared,) = await world.found(*Status)

    assert (seen_twice.occurrences, run.wallets.agreed) == (2, 1)
    assert (cleared.discrepancy_id, cleared.status) == (seen_twice.discrepancy_id, Status.CLEARED)


async def test_a_run_says_what_is_new_persists_has_healed_and_has_come_back(world: World) -> None:
    for user in ("u_1", "u_2", "u_3"):
        await world.deposit(user, "10.00")
        world.game.set(user, "10.00")
    shown = (
        {"u_1": "0.00", "u_2": "10.00", "u_3": "10.00"},
        {"u_1": "0.00", "u_2": "7.00", "u_3": "10.00"},
        {"u_1": "10.00", "u_2": "6.00", "u_3": "10.00"},
        {"u_1": "0.00", "u_2": "6.00", "u_3": "1.00"},
    )

    told, totals = [], []
    for balances in shown:
        for user, balance in balances.items():
            world.game.set(user, balance)
        run = await world.run()
        changes = run.changes
        totals.append(run.totals)
        told.append((changes.opened, changes.persisting, changes.reopened, changes.healed))

    assert told == [(1, 0, 0, 0), (1, 1, 0, 0), (0, 1, 0, 1), (1, 1, 1, 0)]
    assert [[(one.currency, one.discrepancies, one.net) for one in run] for run in totals] == [
        [("GBP", 1, -10_00)],
        [("GBP", 2, -13_00)],
        [("GBP", 1, -4_00)],
        [("GBP", 3, -23_00)],
    ]
    by_user = {one.user_id: one.occurrences for one in await world.found()}
    assert by_user == {"u_1": 3, "u_2": 3, "u_3": 1}


async def test_a_difference_that_returns_reopens_its_record_and_another_one_does_not(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    seen = []
    for shown in ("0.00", "10.00", "0.00", "10.00", "4.00"):
        world.game.set("u_1", shown)
        await world.run()
        seen += [(one.discrepancy_id, one.difference) for one in await world.found()]

    first, again, other = seen
    assert first == again
    assert other[0] != first[0]
    assert (first[1], other[1]) == (-10_00, -6_00)


async def test_a_game_that_does_not_answer_makes_a_run_incomplete_and_no_discrepancy(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    await world.deposit("u_2", "10.00")
    world.game.set("u_1", "10.00")
    world.game.set("u_2", "99.00")
    world.game.broken.add("u_2")

    run = await world.run()

    assert run.state is RunState.INCOMPLETE
    assert (run.wallets.agreed, run.wallets.not_compared) == (1, 1)
    assert await world.found() == []


async def test_a_wallet_that_a_run_lost_makes_it_incomplete(world: World) -> None:
    for user in ("u_1", "u_2", "u_3"):
        await world.deposit(user, "10.00")
        world.game.set(user, "10.00")
    run_id = await start_run(
        world.pool, RunScope.USERS, trigger="test", users=["u_1", "u_2", "u_3"], queued=False
    )
    async with world.pool.acquire() as connection:
        await connection.execute("DELETE FROM run_wallets WHERE user_id = 'u_2'")

    run = await run_here(world.reconciler, run_id)

    assert (run.state, run.reason) == (RunState.INCOMPLETE, "some wallets were not reached")
    assert (run.wallets.total, run.wallets.compared, run.wallets.not_compared) == (3, 2, 1)


async def test_a_wallet_opened_while_a_run_of_all_is_on_its_way_counts_as_well(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    await world.deposit("u_3", "10.00")
    run_id = await start_run(world.pool, RunScope.ALL, trigger="test", queued=False)
    await world.deposit("u_2", "10.00")
    for user in ("u_1", "u_2", "u_3"):
        world.game.set(user, "10.00")

    run = await run_here(world.reconciler, run_id)

    assert (run.state, run.wallets.total, run.wallets.compared) == (RunState.FINISHED, 3, 3)


async def test_a_player_unknown_to_the_game_is_reported_only_where_there_is_money(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    await register(world, "ref-2", "deposit", "u_2", "5.00")

    run = await world.run()
    (found,) = await world.found()

    assert (run.wallets.agreed, run.wallets.discrepant) == (1, 1)
    assert (found.user_id, found.game_as_of, found.cause) == (
        "u_1",
        None,
        Cause.MISSING_GAME_UPDATE,
    )


async def test_held_money_is_compared_with_held(world: World) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "10.00", held="2.50")

    await world.run()
    (found,) = await world.found()

    assert (found.difference, found.held_difference) == (250, 250)


async def test_a_tolerance_counts_as_none_and_only_in_its_currency(world: World) -> None:
    for currency in ("EUR", "GBP"):
        await world.deposit("u_1", "10.00", currency)
        world.game.set("u_1", "10.05", currency=currency)

    await world.run()
    (found,) = await world.found()

    assert (found.currency, format_minor(found.difference, "GBP")) == ("GBP", "0.05")


async def test_a_dry_run_counts_and_leaves_nothing_behind(world: World) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "0.00")

    run = await world.run(dry=True)

    assert (run.wallets.discrepant, await world.found(*Status)) == (1, [])


async def test_a_run_of_changed_wallets_asks_only_for_those(world: World) -> None:
    for number in range(5):
        await world.deposit(f"u_{number}", "1.00")
        world.game.set(f"u_{number}", "1.00")
    await world.run(RunScope.CHANGED)
    # As if it had been a minute ago: a run looks back a minute further than the one before it.
    async with world.pool.acquire() as connection:
        await connection.execute("UPDATE runs SET started_at = started_at + interval '1 minute'")
    world.game.asked.clear()
    await world.deposit("u_3", "1.00")
    world.game.set("u_3", "2.00")

    run = await world.run(RunScope.CHANGED)

    assert (run.wallets.agreed, set(world.game.asked)) == (1, {"u_3"})


async def accepted(world: World, ago: str) -> None:
    """The PSP accepted every withdrawal so long ago, and has told nothing since."""
    async with world.pool.acquire() as connection:
        await connection.execute(
            "UPDATE payments SET state = 'accepted', updated_at = clock_timestamp() - $1::text"
            "::interval WHERE direction = 'withdrawal'",
            ago,
        )


async def quarantine(world: World, reference: str, user: str, amount: str) -> None:
    """As if the PSP had reported an amount that is not the registered one."""
    async with world.pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO deliveries (
                endpoint, event_id, delivery_id, provider, received_at, body_sha256,
                content_sha256, headers, verified_by, event_type, kind, reference, user_id,
                currency, amount, state, reason
            )
            VALUES (
                'stripe', $1, $2, 'stripe', clock_timestamp(), '', '', '{}', 'v1',
                'payment_intent.succeeded', 'deposit.succeeded', $3, $4, 'GBP', $5,
                'quarantined', 'amount_mismatch'
            )
            """,
            *(f"evt-{reference}", new_id(), reference, user),
            Decimal(Money.parse(amount, "GBP").minor),
        )


async def test_runs_are_listed_by_when_they_began_whatever_their_ids_are(world: World) -> None:
    # A run that a caller named has an id without time.
    ids = [UUID(int=number) for number in (9, 3, 7)]
    for run_id in ids:
        await start_run(world.pool, RunScope.ALL, trigger="test", queued=False, run_id=run_id)

    async with world.pool.acquire() as connection:
        first = await list_runs(connection, limit=2)
        rest = await list_runs(connection, before=first[-1].run_id, limit=2)

    assert [run.run_id for run in [*first, *rest]] == ids[::-1]


async def register(world: World, reference: str, direction: str, user: str, amount: str) -> None:

    expected = msgspec.convert(
        {
            "reference": reference,
            "endpoint": "stripe",
            "direction": direction,
            "user_id": user,
            "amount": amount,
            "currency": "GBP",
        },
        ExpectedPayment,
    )
    await register_payment(world.pool, expected)


async def test_a_wallet_that_we_stumble_over_makes_its_run_incomplete_and_not_endless(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence that some code of ours cannot read, for example."""
    for user in ("u_1", "u_2"):
        await world.deposit(user, "1.00")
    world.game.set("u_1", "5.00")
    world.game.set("u_2", "1.00")

    async def stumble(*_: object) -> None:
        raise ZeroDivisionError

    climbing = import_module("recon.reconciliation.climb")
    monkeypatch.setattr(climbing, "account_for", stumble)
    monkeypatch.setattr(climbing, "_LEASE", timedelta(seconds=0.2))
    world.reconciler = replace(world.reconciler, grace=timedelta(seconds=0.1))
    run = await world.run()

    assert run.state is RunState.INCOMPLETE
    assert (run.wallets.agreed, run.wallets.not_compared) == (1, 1)
    assert await world.found() == []
