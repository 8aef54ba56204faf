"""News makes bets due, and nothing else: what is concluded, the game's answers alone say."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from recon.app import run_worker
from recon.bets import BetState, wake_bets
from recon.clock import new_id
from recon.settings import Settings
from tests.bets.test_degraded import open_breaker

if TYPE_CHECKING:
    from collections.abc import Collection

    from recon.bets import Bet
    from recon.game import Answer, Outgoing
    from tests.bets.conftest import World


async def wake(
    world: World,
    *,
    tickets: Collection[str | None] = (),
    ended: Collection[str] = (),
    paid: Collection[str] = (),
    everything: bool = False,
) -> int:
    return await wake_bets(
        world.pool,
        tickets=[str(ticket) for ticket in tickets],
        ended=ended,
        paid=paid,
        everything=everything,
        now=world.clock.now,
    )


async def awaits_payout(world: World) -> Bet:
    """A bet whose payout was asked for in vain so often that the next look is seconds away."""
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    bet = await world.cash_out(bet)
    assert bet.state is BetState.CASHING_OUT
    for _ in range(4):
        await world.resolve(after_s=0.0)
        await world.pool.execute("UPDATE bets SET due_at = $1", world.clock.now())
    await world.resolve(after_s=0.0)
    bet = await world.bet(bet)
    assert bet.due_at is not None
    assert bet.due_at - world.clock.now() > timedelta(seconds=2)
    return bet


@pytest.mark.parametrize("by", ["tickets", "paid", "everything"])
async def test_a_payout_that_is_told_of_is_asked_for_now(world: World, by: str) -> None:
    bet = await awaits_payout(world)
    world.end_round()
    await world.pool.execute("UPDATE bets SET due_at = $1", world.clock.now() + timedelta(hours=1))
    assert (await world.resolve(after_s=0.0)).due == 0

    told = {
        "tickets": {"tickets": [bet.ticket_id]},
        "paid": {"paid": [bet.round_id]},
        "everything": {"everything": True},
    }[by]
    assert await wake(world, **told) == 1  # type: ignore[arg-type]

    assert (await world.resolve(after_s=0.0)).moved == 1
    assert (await world.bet(bet)).state is BetState.CASHED_OUT


async def test_what_is_told_wrongly_costs_a_question_and_books_nothing(world: World) -> None:
    bet = await awaits_payout(world)
    before = await world.ledger()

    assert await wake(world, tickets=[bet.ticket_id]) == 1  # as if it had been completed
    assert (await world.resolve(after_s=0.0)).moved == 0

    assert await world.ledger() == before
    assert (await world.bet(bet)).state is BetState.CASHING_OUT


async def test_news_of_others_wakes_nobody(world: World) -> None:
    bet = await awaits_payout(world)

    assert await wake(world) == 0
    assert await wake(world, tickets=["another"], ended=["another"], paid=["another"]) == 0
    # A payout is not decided by the end of its round.
    assert await wake(world, ended=[bet.round_id]) == 0


async def test_the_end_of_a_round_wakes_its_bets_in_play(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    assert await wake(world, ended=[bet.round_id]) == 1

    assert (await world.bet(bet)).due_at == world.clock.now()


async def test_a_bet_whose_call_may_be_on_its_way_keeps_its_claim(world: World) -> None:
    """Nobody else may send for it meanwhile, however loud the news is."""
    await world.deposit("100.00")
    placed = await world.place()
    real, held, go = world.network.send, asyncio.Queue[str](), asyncio.Event()

    async def slow(outgoing: Outgoing) -> Answer:
        if outgoing.method == "POST":
            held.put_nowait(outgoing.target)
            await go.wait()
        return await real(outgoing)

    world.network.send = slow  # type: ignore[method-assign]
    placing = asyncio.create_task(world.place())
    await held.get()
    world.fly()
    cashing = asyncio.create_task(world.cash_out(placed))
    await held.get()
    before = await world.bets()
    assert {bet.state for bet in before} == {BetState.PLACING, BetState.CASHING_OUT}

    told = {"tickets": [placed.ticket_id], "ended": [placed.round_id], "paid": [placed.round_id]}
    assert await wake(world, **told, everything=True) == 0

    assert await world.bets() == before
    go.set()
    await asyncio.gather(placing, cashing, return_exceptions=True)


async def left_unknown(world: World) -> list[Bet]:
    """A bet and a cash-out whose answers were lost, and whose next look is an hour away."""
    await world.deposit("100.00")
    placed = await world.place()
    world.network.lose("/confirm", "after")
    placing = await world.place()
    world.fly()
    world.network.lose("/cashout", "after")
    cashing = await world.cash_out(placed)
    assert (placing.state, placing.ticket_id) == (BetState.PLACING, None)
    assert (cashing.state, cashing.payout_transaction_id) == (BetState.CASHING_OUT, None)
    await world.pool.execute("UPDATE bets SET due_at = $1", world.clock.now() + timedelta(hours=1))
    return [placing, cashing]


async def test_a_bet_left_unknown_that_nobody_works_on_is_asked_for_now(world: World) -> None:
    placing, cashing = await left_unknown(world)
    assert (await world.resolve(after_s=0.0)).due == 0

    assert await wake(world, ended=[placing.round_id]) == 1  # the cash-out is not decided by it
    assert await wake(world, everything=True) == 1
    assert (await world.resolve(after_s=0.0)).moved >= 1

    assert (await world.bet(placing)).state is BetState.PLACED
    assert (await world.bet(cashing)).payout_transaction_id is not None


async def test_who_claims_a_bet_takes_it_out_of_its_rest(world: World) -> None:
    """The resolver, and whoever cashes out: what they are about is theirs until they conclude."""
    placing, _ = await left_unknown(world)
    await wake(world, everything=True)
    real, held, go = world.network.send, asyncio.Event(), asyncio.Event()

    async def slow(outgoing: Outgoing) -> Answer:
        if "idempotency_key=" in outgoing.target:
            held.set()
            await go.wait()
        return await real(outgoing)

    world.network.send = slow  # type: ignore[method-assign]
    resolving = asyncio.create_task(world.resolve(after_s=0.0))
    await held.wait()

    await wake(world, everything=True)

    claimed = await world.bet(placing)
    go.set()
    await resolving
    assert claimed.due_at is not None
    assert claimed.due_at > world.clock.now()
    assert (await world.bet(placing)).state is BetState.PLACED


async def test_once_the_game_is_back_bets_left_unknown_do_not_wait_for_their_time(
    world: World, database_url: str
) -> None:
    """By the service's own jobs: the breaker's closing is news."""
    world.clock.ticking = True  # the jobs live by the machine's clock
    placing, cashing = await left_unknown(world)
    settings = Settings(
        database_url=SecretStr(database_url), game_stream=False, reconcile_every=None
    )
    jobs = asyncio.create_task(run_worker(settings, world.pool, world.game))
    try:
        await open_breaker(world)
        await asyncio.sleep(1.5)  # some ticks of the jobs
        asleep = [(await world.bet(bet)).state for bet in (placing, cashing)]

        world.network.always.clear()
        world.clock.passed_s += 60.0
        await world.game.state()  # whoever calls first finds it there
        async with asyncio.timeout(60):
            while (  # noqa: ASYNC110 - another task settles them
                (await world.bet(placing)).state is BetState.PLACING
                or (await world.bet(cashing)).payout_transaction_id is None
            ):
                await asyncio.sleep(0.02)
    finally:
        jobs.cancel()
        await asyncio.gather(jobs, return_exceptions=True)

    assert asleep == [BetState.PLACING, BetState.CASHING_OUT]


async def test_a_conclusion_from_before_the_news_does_not_count(world: World) -> None:
    """The payout completes while somebody is told that it is pending."""
    bet = await awaits_payout(world)
    await world.pool.execute("UPDATE bets SET due_at = $1", world.clock.now())
    real = world.network.real
    woken: list[int] = []

    async def send(outgoing: Outgoing) -> Answer:
        answer = await real.send(outgoing)
        if "/payouts/" in outgoing.target and not woken:
            world.end_round()
            woken.append(await wake(world, tickets=[bet.ticket_id]))
        return answer

    world.network.real = SimpleNamespace(send=send)  # type: ignore[assignment]
    await world.resolve(after_s=0.0)
    assert (woken, (await world.bet(bet)).state) == ([1], BetState.CASHING_OUT)
    await world.resolve(after_s=0.0)

    assert (await world.bet(bet)).state is BetState.CASHED_OUT


async def test_two_that_wake_the_same_bets_at_once_do_not_stop_each_other(world: World) -> None:
    await world.deposit("100.00")
    bets = [await world.place(world.wish("1.00"), key=f"k/{new_id()}") for _ in range(20)]
    names = [bet.ticket_id for bet in bets]

    async def one(order: list[str | None]) -> int:
        return sum([await wake(world, tickets=order) for _ in range(10)])

    woken = await asyncio.gather(one(names), one(names[::-1]), one(names))

    assert sum(woken) == 20
