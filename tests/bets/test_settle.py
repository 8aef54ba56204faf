"""What becomes of bets that are in play: cashed out by a call or by themselves, lost, void."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.bets import (
    BetNotActiveError,
    BetNotFoundError,
    CashOutRefusedError,
    GameUnreachableError,
    resolve_all,
    settled_bets_of,
    unsettled_bets_of,
)
from recon.clock import new_id
from recon.ledger import read_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.bets import Bet
    from tests.bets.conftest import World


async def in_play(world: World, *, auto: str | None = None) -> Bet:
    await world.deposit("100.00")
    bet: Bet = await world.place(world.wish("10.00", auto=auto))
    return bet


async def test_a_payout_is_booked_only_when_it_is_completed(world: World) -> None:
    bet = await in_play(world)
    world.fly(seconds=5)

    asked = await world.cash_out(bet)

    (payout,) = world.sandbox.book.payouts.values()
    assert (asked.state, asked.payout_transaction_id) == ("cashing_out", payout.transaction_id)
    for _ in range(3):
        await world.resolve(after_s=0.5)
        assert payout.status == "pending"
        assert await world.ledger() == ("90.00", "0.00")
    async with world.pool.acquire() as connection:
        (unsettled,) = await unsettled_bets_of(connection, "u_1", "GBP")
    assert unsettled.payout is not None
    assert unsettled.payout.minor == payout.amount_minor
    world.end_round()
    await world.resolve(after_s=5)
    paid = await world.bet(bet)
    assert (paid.state, paid.payout) == ("cashed_out", unsettled.payout)
    assert paid.cashout_multiplier is not None
    assert paid.payout is not None
    assert paid.payout.minor == int(1000 * paid.cashout_multiplier)
    assert await world.ledger() == world.at_game()


async def test_a_payout_that_is_completed_at_once_is_booked_at_once(world: World) -> None:
    bet = await in_play(world)
    world.fly()

    def finish(outgoing: object) -> None:
        if str(getattr(outgoing, "target", "")).endswith("/cashout"):
            world.end_round()

    world.network.on_answer = finish
    paid = await world.cash_out(bet)

    assert paid.state == "cashed_out"
    assert await world.ledger() == world.at_game()


async def test_a_loss_moves_nothing_more(world: World) -> None:
    bet = await in_play(world)
    world.end_round()

    await world.resolve()

    lost = await world.bet(bet)
    assert (lost.state, lost.due_at, lost.payout) == ("lost", None, None)
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")
    async with world.pool.acquire() as connection:
        entries = await read_entries(connection, "u_1", "GBP")
    assert [e.kind for e in entries] == ["bet.placed", "bet.held", "deposit.succeeded"]


async def test_an_auto_cash_out_is_paid_without_any_call(world: World) -> None:
    bet = await in_play(world, auto="2.00")
    world.end_round()

    await world.resolve()

    paid = await world.bet(bet)
    assert (paid.state, str(paid.payout)) == ("cashed_out", "20.00")
    assert await world.ledger() == world.at_game() == ("110.00", "0.00")
    assert world.network.calls("/cashout") == []


async def test_an_auto_cash_out_is_seen_as_soon_as_its_target_is_passed(world: World) -> None:
    bet = await in_play(world, auto="1.10")
    world.fly(seconds=5)

    await world.resolve(after_s=0)

    assert (await world.bet(bet)).state == "cashing_out"
    assert await world.ledger() == ("90.00", "0.00")


async def test_a_target_above_the_crash_is_a_loss(world: World) -> None:
    bet = await in_play(world, auto="10.00")
    world.end_round()

    await world.resolve()

    assert (await world.bet(bet)).state == "lost"


@pytest.mark.parametrize("flying", [False, True])
async def test_a_void_round_gives_the_stake_back(world: World, flying: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bet = await in_play(world)
    if flying:
        world.fly()
    world.sandbox.engine.cancel_current(world.sandbox.timeline.catch_up())

    await world.resolve()

    assert (await world.bet(bet)).state == "void"
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_a_round_cancelled_after_the_cash_out_returns_the_stake_instead(world: World) -> None:
    bet = await in_play(world)
    world.fly()
    await world.cash_out(bet)
    world.sandbox.engine.cancel_current(world.sandbox.timeline.catch_up())

    await world.resolve()

    void = await world.bet(bet)
    assert (void.state, void.payout) == ("void", None)
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_a_payout_that_failed_is_for_people(world: World) -> None:
    bet = await in_play(world)
    world.fly()
    await world.cash_out(bet)
    (payout,) = world.sandbox.book.payouts.values()
    payout.status = "failed"

    await world.resolve()

    resting = await world.bet(bet)
    assert (resting.state, resting.reason, resting.due_at) == ("cashing_out", "payout_failed", None)
    (case,) = await world.pool.fetch("SELECT kind, reference, amount FROM cases")
    assert tuple(case) == ("payout_failed", str(bet.bet_id), 1000)
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_bets_of_the_running_round_are_not_asked_for(world: World) -> None:
    await in_play(world)
    await world.place(world.wish("10.00", auto="2.00"))
    before = len(world.network.sent)

    tick = await world.resolve()
    world.fly(seconds=0.5)
    await world.resolve()

    assert tick.due == 0
    assert {o.target for o in world.network.sent[before:]} == {"/api/v1/game/state"}


async def test_nothing_due_asks_the_game_nothing(world: World) -> None:
    tick = await world.resolve()

    assert (tick.due, world.network.sent) == (0, [])


async def test_a_cash_out_below_the_target_leaves_the_bet_in_play(world: World) -> None:
    bet = await in_play(world, auto="2.00")
    world.fly(seconds=0.5)

    with pytest.raises(CashOutRefusedError) as refused:
        await world.cash_out(bet)

    assert refused.value.code == "below_auto_cashout"
    after = await world.bet(bet)
    assert (after.state, after.ticket_id) == ("placed", bet.ticket_id)
    assert after.cashout_key != bet.cashout_key
    world.end_round()
    await world.resolve()
    assert (await world.bet(bet)).state == "cashed_out"


async def test_a_cash_out_before_the_round_flies_can_be_made_later(world: World) -> None:
    bet = await in_play(world)
    with pytest.raises(BetNotActiveError):
        await world.cash_out(bet)
    world.fly()

    asked = await world.cash_out(bet)

    assert asked.state == "cashing_out"
    assert asked.payout_transaction_id in world.sandbox.book.payouts


async def test_a_cash_out_after_the_crash_is_told_of_the_loss(world: World) -> None:
    bet = await in_play(world)
    world.end_round()

    with pytest.raises(BetNotActiveError, match="it is lost"):
        await world.cash_out(bet)

    assert (await world.bet(bet)).state == "lost"


async def test_a_cash_out_that_the_target_forestalled_gets_its_payout(world: World) -> None:
    bet = await in_play(world, auto="1.10")
    world.end_round()

    paid = await world.cash_out(bet)

    assert (paid.state, str(paid.payout)) == ("cashed_out", "11.00")


async def test_a_cash_out_that_never_left_us_keeps_the_bet_and_its_key(world: World) -> None:
    bet = await in_play(world)
    world.fly()
    world.network.always.append(("/cashout", "refused"))

    with pytest.raises(GameUnreachableError):
        await world.cash_out(bet)

    after = await world.bet(bet)
    assert (after.state, after.cashout_key) == ("placed", bet.cashout_key)


async def test_ten_cash_outs_at_once_are_one(world: World) -> None:
    bet = await in_play(world)
    world.fly()

    answers = await asyncio.gather(*(world.cash_out(bet) for _ in range(10)))

    assert {a.state for a in answers} == {"cashing_out"}
    assert len(world.network.calls("/cashout")) == 1
    assert len(world.sandbox.book.payouts) == 1


async def test_a_bet_that_is_not_there_cannot_be_cashed_out(world: World) -> None:
    with pytest.raises(BetNotFoundError):
        await world.cash_out(type("Nobody", (), {"bet_id": new_id()})())


async def test_two_resolvers_settle_each_bet_once(world: World) -> None:
    await world.deposit("200.00")
    for _ in range(20):
        await world.place(world.wish("10.00", auto="2.00"))
    world.end_round()
    world.clock.passed_s += 1

    ticks = await asyncio.gather(world.resolve(after_s=0), world.resolve(after_s=0))

    assert sum(tick.claimed for tick in ticks) == 20
    assert sum(tick.moved for tick in ticks) == 20
    assert await world.ledger() == world.at_game() == ("400.00", "0.00")


async def test_settled_bets_are_told_newest_first_since_an_instant(world: World) -> None:
    first = await in_play(world, auto="2.00")
    world.end_round()
    await world.resolve()
    between = world.clock.now() + timedelta(seconds=1)
    second = await world.place()
    world.end_round()
    await world.resolve()

    async with world.pool.acquire() as connection:
        both = await settled_bets_of(
            connection, "u_1", "GBP", since=between - timedelta(hours=1), limit=10
        )
        late = await settled_bets_of(connection, "u_1", "GBP", since=between, limit=10)

    assert [(b.bet_id, b.state) for b in both] == [
        (second.bet_id, "lost"),
        (first.bet_id, "cashed_out"),
    ]
    assert [b.bet_id for b in late] == [second.bet_id]
    assert str(both[1].payout) == "20.00"


async def test_a_bet_that_the_game_does_not_answer_about_keeps_no_other_waiting(
    world: World,
) -> None:
    stuck = await in_play(world)
    world.end_round()
    question = f"GET /api/v1/bets/{stuck.ticket_id}"
    end = world.network.hanging[question] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(resolve_all(world.pool, world.game, now=world.clock.now, patience_s=0.05))
        await _until(lambda: world.network.asked(question))
        try:
            later = await world.place(world.wish("5.00"))
            world.end_round()
            await _until(lambda: world.network.asked(f"GET /api/v1/bets/{later.ticket_id}"))
        finally:
            end.set_result(None)

    assert (await world.bet(stuck)).state == (await world.bet(later)).state == "lost"


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - behind a socket
            await asyncio.sleep(0.01)
