"""The lanes of what compares: in order, none starved, and what one leaves the next has."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from recon.game import RateLimits
from recon.game.pace import Pace, Priority
from recon.game.turns import Turnstile

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMIT, WINDOW_S = 100, 10.0
"""Ten calls a second, of which the sweep may use eight."""
LATENCY_S = 0.03
STEP_S = 0.01
SUSPECT, CHANGED, SWEEP = Priority.SUSPECT, Priority.CHANGED, Priority.SWEEP


class Key:
    """A key at a game of fixed windows, on a clock that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pace = Pace()
        self.turns = Turnstile(self.pace, monotonic=lambda: self.now_s)
        self.served: Counter[Priority] = Counter()
        self.waited_s: dict[Priority, list[float]] = {priority: [] for priority in Priority}
        self.refused = 0
        self._answers: deque[tuple[float, float]] = deque()
        self._ends_s = 0.0
        self._used = 0

    async def call(self, priority: Priority) -> None:
        asked_s = self.now_s
        await self.turns.take(priority, "r")
        self.served[priority] += 1
        self.waited_s[priority].append(self.now_s - asked_s)
        self._answers.append((self.now_s + LATENCY_S, self.now_s))

    def answer(self) -> None:
        """The game answers those calls that have been under way for long enough."""
        while self._answers and self._answers[0][0] <= self.now_s:
            _, sent_s = self._answers.popleft()
            if self.now_s >= self._ends_s:
                self._ends_s, self._used = self.now_s + WINDOW_S, 0
            self._used += 1
            self.refused += self._used > LIMIT
            reset_s = max(1, math.ceil(self._ends_s - self.now_s))
            limits = RateLimits(LIMIT, max(0, LIMIT - self._used), reset_s, NOON)
            self.pace.answered(limits, sent_s=sent_s, now_s=self.now_s)


async def play(
    seconds: float, *, rates: Mapping[Priority, float], always: Mapping[Priority, int]
) -> Key:
    """Let calls come at these rates a second, and of others always so many wait."""
    key, tasks, steps = Key(), set[asyncio.Task[None]](), round(seconds / STEP_S)
    waiting: Counter[Priority] = Counter()
    due = dict.fromkeys(rates, 0.0)

    def come(priority: Priority) -> None:
        task = asyncio.create_task(key.call(priority))
        waiting[priority] += 1
        tasks.add(task)
        task.add_done_callback(lambda _: waiting.subtract([priority]))
        task.add_done_callback(tasks.discard)

    for _ in range(steps):
        key.now_s += STEP_S
        for priority, rate in rates.items():
            due[priority] += rate * STEP_S
            if due[priority] >= 1:
                due[priority] -= 1
                come(priority)
        for priority, many in always.items():
            for _ in range(many - waiting[priority]):
                come(priority)
        key.answer()
        key.turns.pump()
        for _ in range(3):
            await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return key


async def test_what_the_higher_lanes_leave_is_the_sweeps() -> None:
    """One suspect and two changed wallets a second, and a sweep without end, for two minutes."""
    key = await play(120.0, rates={SUSPECT: 1.0, CHANGED: 2.0}, always={SWEEP: 32})

    assert key.served[SUSPECT] == pytest.approx(120, abs=2)
    assert key.served[CHANGED] == pytest.approx(240, abs=4)
    assert key.served[SWEEP] >= 500  # of 600 that are left of its eight a second
    assert key.refused == 0
    # A suspect waits for no more than the turn of the moment, though 32 of the sweep are there.
    assert sorted(key.waited_s[SUSPECT])[60] <= 0.3
    assert sorted(key.waited_s[CHANGED])[120] <= 0.5


async def test_when_all_want_more_than_there_is_the_order_holds_and_nobody_starves() -> None:
    """Each lane could use the whole key by itself, for four minutes: 2,400 calls are allowed."""
    key = await play(240.0, rates={}, always={SUSPECT: 8, CHANGED: 32, SWEEP: 32})

    total = sum(key.served.values())
    assert total >= 1800
    assert key.refused == 0
    # Seven turns in eight are the suspects', the eighth is of whoever has waited longest.
    assert key.served[SUSPECT] / total == pytest.approx(7 / 8, abs=0.02)
    assert key.served[CHANGED] / total >= 0.05
    assert key.served[SWEEP] / total >= 0.05


async def test_what_changed_goes_before_the_sweep_that_still_moves_on() -> None:
    key = await play(120.0, rates={}, always={CHANGED: 32, SWEEP: 32})

    total = sum(key.served.values())
    assert key.served[CHANGED] / total >= 0.8
    assert key.served[SWEEP] / total >= 0.06
