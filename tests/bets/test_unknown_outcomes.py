"""What was sent into the dark: the money stays held, the resolver asks, nothing is done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recon.bets import unsettled_bets_of

if TYPE_CHECKING:
    from tests.bets.conftest import World

HOLD = "POST /api/v1/bets/holds"
CONFIRM = "/confirm"
CASH_OUT = "/cashout"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", [HOLD, CONFIRM])
async def test_an_unknown_bet_stays_held_and_is_placed_while_its_round_takes_bets(
    world: World, call: str, when: str
) -> None:
    await world.deposit("100.00")
    world.network.lose(call, when)

    bet = await world.place()

    assert bet.state == "placing"
    assert await world.ledger() == ("90.00", "10.00")
    tick = await world.resolve()
    assert (tick.claimed, tick.moved) == (1, 1)
    assert (await world.bet(bet)).state == "placed"
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")
    for path in ("/holds", "/confirm"):
        sent = world.network.calls(path)
        assert len({(o.headers["Idempotency-Key"], o.body) for o in sent}) == 1
    assert len(world.sandbox.book.holds) == len(world.sandbox.book.bets) == 1


@pytest.mark.parametrize("call", [HOLD, CONFIRM])
async def test_an_unknown_bet_that_never_came_to_be_is_given_back_after_its_round(
    world: World, call: str
) -> None:
    await world.deposit("100.00")
    world.network.lose(call, "before")
    bet = await world.place()
    world.fly()

    await world.resolve()

    after = await world.bet(bet)
    assert (after.state, after.reason) == ("rejected", "round_closed")
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_an_unknown_hold_of_a_closed_round_is_released_at_the_game(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(HOLD, "after")
    bet = await world.place()
    world.fly()
    assert world.at_game() == ("90.00", "10.00")

    await world.resolve()

    assert (await world.bet(bet)).state == "rejected"
    assert len(world.network.calls("/release")) == 1
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_an_unknown_confirm_that_took_effect_is_found_after_the_round(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(CONFIRM, "after")
    bet = await world.place()
    world.end_round()

    await world.resolve()
    assert (await world.bet(bet)).state == "placed"
    await world.resolve()

    assert (await world.bet(bet)).state == "lost"
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_a_hold_is_not_sent_again_once_its_round_is_closed(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(HOLD, "before")
    await world.place()
    world.fly()

    await world.resolve()

    assert len(world.network.calls("/holds")) == 1


async def test_while_the_game_is_silent_the_stake_stays_held(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(HOLD, "before")
    bet = await world.place()
    world.network.always.append(("/api/v1/", "refused"))

    for _ in range(5):
        tick = await world.resolve(after_s=60)
        assert (tick.reachable, tick.moved) == (False, 0)

    assert (await world.bet(bet)).state == "placing"
    assert await world.ledger() == ("90.00", "10.00")


async def test_a_question_that_is_not_answered_concludes_nothing(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(HOLD, "after")
    bet = await world.place()
    world.fly()
    world.network.always.append(("idempotency_key=", "after"))

    for looks in (2, 3, 4):
        tick = await world.resolve(after_s=5)
        assert (tick.claimed, tick.moved) == (1, 0)
        assert (await world.bet(bet)).looks == looks

    assert await world.ledger() == ("90.00", "10.00")


async def test_a_release_of_unknown_outcome_keeps_our_hold_until_it_is_known(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(HOLD, "after")
    bet = await world.place()
    world.fly()
    world.network.lose("/release", "after")

    await world.resolve()
    assert ((await world.bet(bet)).state, await world.ledger()) == ("placing", ("90.00", "10.00"))
    await world.resolve()

    assert (await world.bet(bet)).state == "rejected"
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_a_bet_of_unknown_outcome_is_in_flight_for_reconciliation(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(CONFIRM, "after")
    bet = await world.place()

    async with world.pool.acquire() as connection:
        (unsettled,) = await unsettled_bets_of(connection, "u_1", "GBP", now=world.clock.now)
        world.clock.passed_s += 3601
        (later,) = await unsettled_bets_of(connection, "u_1", "GBP", now=world.clock.now)

    assert (unsettled.bet_id, unsettled.state) == (bet.bet_id, "placing")
    assert str(unsettled.amount) == "10.00"
    assert (unsettled.calls_in_flight, later.calls_in_flight) == (True, False)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_unknown_cash_out_is_made_once_under_its_key(world: World, when: str) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly(seconds=2)
    world.network.lose(CASH_OUT, when)

    asked = await world.cash_out(bet)
    assert asked.state == "cashing_out"
    assert await world.ledger() == ("90.00", "0.00")
    await world.resolve()
    world.end_round()
    await world.resolve(after_s=10)

    paid = await world.bet(bet)
    (payout,) = world.sandbox.book.payouts.values()
    assert paid.state == "cashed_out"
    assert paid.payout_transaction_id == payout.transaction_id
    assert paid.payout is not None
    assert paid.payout.minor == payout.amount_minor > 1000
    sent = world.network.calls(CASH_OUT)
    assert {o.headers["Idempotency-Key"] for o in sent} == {str(bet.cashout_key)}
    assert await world.ledger() == world.at_game()


async def test_an_unknown_cash_out_that_came_too_late_is_a_loss(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    world.network.lose(CASH_OUT, "before")
    await world.cash_out(bet)
    world.end_round()

    await world.resolve()

    assert (await world.bet(bet)).state == "lost"
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_a_second_cash_out_while_the_first_is_unknown_sends_nothing(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    world.network.lose(CASH_OUT, "after")
    await world.cash_out(bet)

    again = await world.cash_out(bet)

    assert again.state == "cashing_out"
    assert len(world.network.calls(CASH_OUT)) == 1


async def test_what_the_game_cannot_tell_for_an_hour_is_shown_to_people_once(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    found = world.sandbox.book.bets.pop(bet.ticket_id)
    world.end_round()

    for _ in range(4):
        await world.resolve(after_s=2000)

    (case,) = await world.pool.fetch("SELECT kind, reference, user_id, amount FROM cases")
    assert tuple(case) == ("unresolved_bet", str(bet.bet_id), "u_1", 1000)
    async with world.pool.acquire() as connection:
        (unsettled,) = await unsettled_bets_of(connection, "u_1", "GBP")
    assert (unsettled.state, unsettled.calls_in_flight) == ("placed", False)
    world.sandbox.book.bets[found.ticket_id] = found
