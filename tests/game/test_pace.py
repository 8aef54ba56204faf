"""The pace of a key: processes that know nothing of each other share it by the headers alone."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.game import RateLimits
from recon.game.pace import Pace, Priority

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def told(limit: int, remaining: int, reset_s: int) -> RateLimits:
    return RateLimits(limit, remaining, reset_s, NOON)


@dataclass
class Game:
    """Fixed windows as the contract's headers describe them, in virtual time."""

    limit: int
    window_s: float
    ends_s: float = 0.0
    used: int = 0
    served: int = 0
    refused: int = 0

    def take(self, at_s: float, *, counted: bool) -> tuple[bool, RateLimits]:
        if at_s >= self.ends_s:
            self.ends_s, self.used = at_s + self.window_s, 0
        self.used += 1
        ok = self.used <= self.limit
        self.served += ok and counted
        self.refused += counted and not ok
        reset_s = max(1, math.ceil(self.ends_s - at_s))
        return ok, told(self.limit, max(0, self.limit - self.used), reset_s)


@dataclass(eq=False)
class Process:
    """A service process that always has something to ask, so many calls at a time."""

    priority: Priority
    at_once: int
    pace: Pace = field(default_factory=Pace)
    sent: int = 0
    wakes_s: float = math.inf


def run(game: Game, processes: list[Process], until_s: float, *, count_from_s: float = 0.0) -> None:
    """Let the processes ask as much as their pace allows, with latencies of 4 to 60 ms."""
    dice = random.Random(1)  # noqa: S311 - repeatable, no secret
    events: list[tuple[float, int, str, Process, tuple[float, bool, RateLimits | None]]] = []
    numbers = count()

    def at(
        s: float,
        kind: str,
        process: Process,
        what: tuple[float, bool, RateLimits | None] = (0.0, True, None),
    ) -> None:
        heapq.heappush(events, (s, next(numbers), kind, process, what))

    for process in processes:
        at(dice.random() / 10, "wake", process)
    while events[0][0] < until_s:
        now_s, _, kind, process, (sent_s, ok, limits) = heapq.heappop(events)
        if kind == "arrive":
            ok, limits = game.take(now_s, counted=now_s >= count_from_s)
            at(now_s + dice.uniform(0.002, 0.03), "end", process, (sent_s, ok, limits))
            continue
        if kind == "end":
            process.pace.answered(limits, sent_s=sent_s, now_s=now_s)
            if not ok and limits is not None:
                process.pace.refused(float(limits.reset_s), now_s)
        else:
            process.wakes_s = math.inf
        while process.pace.under_way < process.at_once:
            ready_s = process.pace.ready_at(process.priority, now_s)
            if ready_s > now_s:
                if ready_s < process.wakes_s - 0.0005:
                    process.wakes_s = max(ready_s, now_s + 0.0005)
                    at(process.wakes_s, "wake", process)
                break
            process.pace.sent(process.priority, now_s)
            process.sent += now_s >= count_from_s
            at(now_s + dice.uniform(0.002, 0.03), "arrive", process, (now_s, True, None))


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize(("limit", "window_s"), [(30, 1.0), (300, 10.0), (1000, 60.0)])
def test_processes_share_a_keys_quota_by_the_headers_alone(
    limit: int, window_s: float, processes: int
) -> None:
    game = Game(limit, window_s)
    asking = [Process(Priority.SWEEP, at_once=32) for _ in range(processes)]

    # Not of the first windows, in which nobody knows anything.
    run(game, asking, until_s=12 * window_s, count_from_s=2 * window_s)

    allowed = limit * 10
    assert game.refused <= allowed * 0.01
    assert game.served >= allowed * 0.6  # four fifths are the sweep's share; waking up costs some
    assert min(p.sent for p in asking) >= 0.4 * max(p.sent for p in asking)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_that_bet_all_at_once_use_the_quota_and_hardly_overdraw_it(
    processes: int,
) -> None:
    game = Game(limit=50, window_s=1.0)
    asking = [Process(Priority.BET, at_once=20) for _ in range(processes)]

    run(game, asking, until_s=20.0, count_from_s=3.0)

    assert game.served >= 0.9 * 17 * 50
    assert game.refused <= 0.05 * game.served


def test_a_process_that_joins_takes_its_share_from_the_others() -> None:
    game = Game(limit=300, window_s=10.0)
    first, second = (Process(Priority.SWEEP, at_once=32) for _ in range(2))

    run(game, [first], until_s=30.0, count_from_s=20.0)
    alone = first.sent
    game, first = Game(limit=300, window_s=10.0), Process(Priority.SWEEP, at_once=32)
    run(game, [first, second], until_s=30.0, count_from_s=20.0)

    assert alone == pytest.approx(276, abs=12)  # nine tenths of 300
    assert first.sent == pytest.approx(120, abs=12)
    assert second.sent == pytest.approx(120, abs=12)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    limit=st.integers(1, 6000),
    left=st.integers(0, 6000),
    reset_s=st.integers(1, 120),
    after_s=st.floats(0, 130),
    bursts=st.lists(st.sampled_from(list(Priority)), max_size=40),
)
def test_a_higher_priority_is_never_ready_later_and_nobody_waits_past_the_window(
    limit: int, left: int, reset_s: int, after_s: float, bursts: list[Priority]
) -> None:
    pace = Pace()
    pace.sent(Priority.BET, 100.0)
    pace.answered(told(limit, min(left, limit), reset_s), sent_s=100.0, now_s=100.01)
    for priority in bursts:
        pace.sent(priority, 100.01)
        pace.not_sent()
    now_s = 100.01 + after_s

    ready = [pace.ready_at(priority, now_s) for priority in Priority]

    assert ready == sorted(ready)
    assert now_s <= ready[0]
    assert ready[-1] <= now_s + max(reset_s, 1.0)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(limit=st.integers(1, 200), left=st.integers(0, 200), asks=st.integers(1, 300))
def test_no_more_leave_at_once_than_the_game_said_remain(limit: int, left: int, asks: int) -> None:
    pace = Pace()
    left = min(left, limit)
    pace.sent(Priority.BET, 0.0)
    pace.answered(told(limit, left, 30), sent_s=0.0, now_s=0.05)

    sent = 0
    for _ in range(asks):
        if pace.ready_at(Priority.CASH_OUT, 0.06) > 0.06:
            break
        pace.sent(Priority.CASH_OUT, 0.06)
        sent += 1

    assert sent == min(left, asks)


def test_retry_after_stops_every_priority_and_halves_the_pace_once_a_window() -> None:
    pace = Pace()
    for _ in range(3):
        pace.sent(Priority.BET, 0.0)
    for _ in range(3):
        pace.answered(told(100, 0, 7), sent_s=0.0, now_s=0.1)
        pace.refused(7.0, 0.1)

    assert pace.share == 0.5
    assert {pace.ready_at(priority, 1.0) for priority in Priority} == {7.1}


def test_after_a_429_bursts_are_halved_as_the_pace_is() -> None:
    pace = Pace()

    def at_once(now_s: float) -> int:
        pace.sent(Priority.BET, now_s)
        pace.answered(told(100, 100, 10), sent_s=now_s, now_s=now_s)
        calls = 0
        while pace.ready_at(Priority.BET, now_s) <= now_s:
            pace.sent(Priority.BET, now_s)
            calls += 1
        for _ in range(calls):
            pace.not_sent()
        return calls

    before = at_once(0.0)
    pace.refused(10.0, 0.0)
    after = at_once(20.0)

    assert (before, pace.share) == (50, 0.5)
    assert 24 <= after <= 26


def test_retry_after_wins_over_the_end_of_the_window() -> None:
    pace = Pace()
    for _ in range(2):
        pace.sent(Priority.BET, 0.0)
    pace.answered(told(60, 0, 60), sent_s=0.0, now_s=0.1)
    pace.answered(told(60, 0, 60), sent_s=0.0, now_s=0.1)
    pace.refused(2.0, 0.1)

    assert {pace.ready_at(priority, 0.1) for priority in Priority} == {2.1}
    # One call finds out whether that is so; the others wait for its answer.
    pace.sent(Priority.BET, 2.1)
    assert pace.ready_at(Priority.CASH_OUT, 2.1) > 60
    pace.answered(told(60, 59, 60), sent_s=2.1, now_s=2.2)
    assert pace.ready_at(Priority.CASH_OUT, 2.2) == 2.2


def test_a_429_that_names_no_time_is_followed_by_the_end_of_the_window() -> None:
    pace = Pace()
    pace.sent(Priority.BET, 0.0)
    pace.answered(told(60, 0, 30), sent_s=0.0, now_s=0.0)
    pace.refused(None, 0.0)

    assert pace.ready_at(Priority.CASH_OUT, 5.0) == 30.0


def test_the_pace_comes_back_by_a_tenth_for_each_window_without_a_429() -> None:
    pace = Pace()
    pace.sent(Priority.BET, 0.0)
    pace.answered(told(100, 0, 10), sent_s=0.0, now_s=0.0)
    pace.refused(10.0, 0.0)
    shares = []

    for window in range(1, 8):
        now_s = 10.0 * window + 0.5
        pace.sent(Priority.BET, now_s)
        pace.answered(told(100, 99, 10), sent_s=now_s, now_s=now_s + 0.1)
        shares.append(round(pace.share, 3))

    assert shares == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0]


def test_a_503_holds_everybody_back_until_its_time_or_until_the_game_serves_again() -> None:
    pace = Pace()
    pace.sent(Priority.BET, 0.0)
    pace.sent(Priority.BET, 0.0)
    pace.answered(None, sent_s=0.0, now_s=0.1)
    pace.unavailable(5.0, 0.1)
    held = pace.ready_at(Priority.CASH_OUT, 1.0)
    pace.answered(None, sent_s=0.0, now_s=1.5)
    pace.served()

    assert held == 5.1
    assert pace.ready_at(Priority.CASH_OUT, 1.5) == 1.5


def test_before_the_first_answer_only_a_few_calls_are_under_way() -> None:
    pace = Pace()
    for _ in range(8):
        assert pace.ready_at(Priority.SWEEP, 0.0) == 0.0
        pace.sent(Priority.SWEEP, 0.0)

    assert pace.ready_at(Priority.CASH_OUT, 0.0) == math.inf
    pace.answered(None, sent_s=0.0, now_s=0.1)
    assert pace.ready_at(Priority.CASH_OUT, 0.1) == 0.1  # a game that names no limit has none


def test_a_burst_of_cash_outs_leaves_at_once_and_the_sweep_gives_way() -> None:
    pace = Pace()
    pace.sent(Priority.SWEEP, 0.0)
    pace.answered(told(600, 600, 60), sent_s=0.0, now_s=0.0)

    for _ in range(60):
        assert pace.ready_at(Priority.CASH_OUT, 0.1) == 0.1
        pace.sent(Priority.CASH_OUT, 0.1)

    # 60 calls are six seconds' worth of ten a second.
    assert pace.ready_at(Priority.SWEEP, 0.1) == pytest.approx(6.1, abs=0.6)
