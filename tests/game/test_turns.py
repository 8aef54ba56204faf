"""The queue at a key: priorities, no starvation, bounds, and callers that go away."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.game import GameBusy, RateLimits
from recon.game.pace import Pace, Priority
from recon.game.turns import Turnstile

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Key:
    """A turnstile on a clock turned by hand, whose game lets one call in at a time."""

    def __init__(self, most_waiting: int = 1000) -> None:
        self.now_s = 0.0
        self.pace = Pace()
        self.turns = Turnstile(self.pace, monotonic=lambda: self.now_s, most_waiting=most_waiting)
        self.order: list[str] = []
        self.use_up()

    def use_up(self) -> None:
        """The window is used up for 60 s."""
        self.tell(0)

    def tell(self, remaining: int) -> None:
        """An answer says that so much remains of 4; more than before: a new window."""
        self.pace.sent(Priority.BET, self.now_s)
        limits = RateLimits(4, remaining, 60, NOON)
        self.pace.answered(limits, sent_s=self.now_s, now_s=self.now_s)

    def ask(self, priority: Priority, name: str = "") -> asyncio.Task[None]:
        async def turn() -> None:
            await self.turns.take(priority, "r")
            self.order.append(name or priority.name)

        return asyncio.create_task(turn())

    async def let_in(self, calls: int) -> None:
        """So many calls may leave, one after the other."""
        for _ in range(calls):
            self.now_s += 0.001
            self.tell(1)
            self.turns.pump()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.pace.not_sent()
            self.use_up()


async def asked(*tasks: asyncio.Task[None]) -> None:
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_money_in_flight_goes_before_suspects_before_what_changed_before_the_sweep() -> None:
    key = Key()
    tasks = [key.ask(priority) for priority in reversed(Priority)]
    await asked(*tasks)

    await key.let_in(6)

    assert key.order == ["CASH_OUT", "BET", "SETTLEMENT", "SUSPECT", "CHANGED", "SWEEP"]


async def test_one_turn_in_eight_goes_to_whoever_has_waited_longest() -> None:
    key = Key()
    tasks = [key.ask(Priority.SWEEP), *(key.ask(Priority.CASH_OUT) for _ in range(20))]
    await asked(*tasks)

    await key.let_in(8)

    assert key.order == ["CASH_OUT"] * 7 + ["SWEEP"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    lanes=st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=40),
    gone=st.sets(st.integers(0, 39)),
)
async def test_everybody_gets_a_turn_whatever_comes_before_and_whoever_goes_away(
    lanes: list[Priority], gone: set[int]
) -> None:
    key = Key()
    tasks = [key.ask(priority, str(n)) for n, priority in enumerate(lanes)]
    await asyncio.sleep(0)
    for n in gone:
        if n < len(tasks):
            tasks[n].cancel()
    await asyncio.sleep(0)
    stayed = {str(n) for n in range(len(lanes)) if n not in gone}

    turns = 0
    while len(key.order) < len(stayed):
        # A cash-out comes for every turn: without ageing the others would wait for ever.
        tasks.append(key.ask(Priority.CASH_OUT, "x"))
        await asyncio.sleep(0)
        await key.let_in(1)
        key.order = [name for name in key.order if name != "x"]
        turns += 1
        assert turns <= 8 * (len(stayed) + 1)

    assert set(key.order) == stayed
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert key.turns.waiting == 0
    assert key.pace.under_way == 0


async def test_a_full_lane_sends_away_with_a_time_and_other_lanes_do_not_suffer() -> None:
    key = Key(most_waiting=3)
    sweep = [key.ask(Priority.SWEEP) for _ in range(3)]
    await asked(*sweep)

    with pytest.raises(GameBusy) as caught:
        await key.turns.take(Priority.SWEEP, "r7")
    cash_out = key.ask(Priority.CASH_OUT)
    await asked(cash_out)

    assert caught.value.request_id == "r7"
    assert caught.value.code == "game_busy"
    # In 60 s the window is another, of which the three who wait take three quarters.
    assert caught.value.retry_after_s == 105
    await key.let_in(4)
    assert key.order[0] == "CASH_OUT"


async def test_a_bet_that_is_sent_away_is_told_when_those_before_it_will_have_left() -> None:
    """Not when the sweep would: 30 of 98 calls that bets may make in the coming 49 s."""
    key = Key(most_waiting=30)
    key.pace = Pace()
    key.turns = Turnstile(key.pace, monotonic=lambda: key.now_s, most_waiting=30)
    key.pace.sent(Priority.BET, 0.0)
    key.pace.answered(RateLimits(100, 100, 49, NOON), sent_s=0.0, now_s=0.0)
    key.pace.unavailable(4.0, 0.0)  # nobody leaves for now
    bets = [key.ask(Priority.BET) for _ in range(30)]
    sweep = [key.ask(Priority.SWEEP) for _ in range(30)]
    await asked(*bets, *sweep)

    with pytest.raises(GameBusy) as bet:
        await key.turns.take(Priority.BET, "r")
    with pytest.raises(GameBusy) as last:
        await key.turns.take(Priority.SWEEP, "r")

    assert bet.value.retry_after_s == 15
    assert last.value.retry_after_s == 32  # 60 of the 92 that the sweep may
    for task in (*bets, *sweep):
        task.cancel()
    await asyncio.gather(*bets, *sweep, return_exceptions=True)


async def test_nobody_waits_for_a_retry_after_that_is_longer_than_their_patience() -> None:
    key = Key()
    key.pace.refused(90.0, key.now_s)

    with pytest.raises(GameBusy) as caught:
        await key.turns.take(Priority.BET, "r")
    sweep = key.ask(Priority.SWEEP)
    await asked(sweep)

    assert caught.value.retry_after_s == 90
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)


async def test_a_turn_that_comes_as_its_caller_goes_is_the_next_ones() -> None:
    key = Key()
    first, second = key.ask(Priority.BET, "first"), key.ask(Priority.BET, "second")
    await asked(first, second)

    key.now_s += 0.001
    key.tell(1)
    key.turns.pump()  # the turn is first's from now on
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.sleep(0)

    assert second.done()
    assert key.order == ["second"]
    assert key.pace.under_way == 1


async def test_who_is_sent_away_gets_the_error_and_no_turn() -> None:
    key = Key()
    tasks = [key.ask(Priority.SWEEP) for _ in range(3)]
    await asked(*tasks)

    key.turns.send_away(lambda: GameBusy("no", wait_s=2.0, status=None, request_id="r"))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [GameBusy] * 3
    assert (key.turns.waiting, key.pace.under_way) == (0, 0)


async def test_whatever_happens_every_turn_is_accounted_for() -> None:
    dice = random.Random(5)  # noqa: S311 - repeatable, no secret
    key = Key()
    tasks: list[asyncio.Task[None]] = []
    for _ in range(400):
        tasks.append(key.ask(dice.choice(list(Priority))))
        if dice.random() < 0.4:
            dice.choice(tasks).cancel()
        if dice.random() < 0.5:
            await asyncio.sleep(0)
        if dice.random() < 0.4:
            key.now_s += 0.001
            key.tell(dice.randrange(1, 4) + key.pace.under_way)
            key.turns.pump()
            key.use_up()
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    granted = sum(outcome is None for outcome in outcomes)
    assert granted > 50
    assert (key.turns.waiting, key.pace.under_way) == (0, granted)


async def test_a_call_that_need_not_wait_costs_microseconds() -> None:
    """The controller's own cost for a call: turn, answer's word, next."""
    calls, best_s = 2000, float("inf")
    key = Key()
    for _ in range(5):
        key.now_s += 120.0
        limits = RateLimits(10_000_000, 9_000_000, 60, NOON)
        began_s = thread_time()
        for _ in range(calls):
            key.now_s += 0.001
            await key.turns.take(Priority.CASH_OUT, "r")
            key.pace.answered(limits, sent_s=key.now_s, now_s=key.now_s)
            key.turns.pump()
        best_s = min(best_s, thread_time() - began_s)

    cost_us = best_s / calls * 1e6
    print(f"\nrate controller: {cost_us:.1f} µs a call")  # noqa: T201 - the number is what it is for
    assert (
        cost_us < 500
    )  # about eight; its own time only, on a machine that may be ten times as slow
