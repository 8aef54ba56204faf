"""The circuit breaker: when it opens, that one call probes, and that 4xx never opens it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from recon.game import (
    AnswerLostError,
    BreakerPolicy,
    GameCircuitOpen,
    GameOutcomeUnknown,
    GameRefused,
    GameUnavailable,
    RetryPolicy,
    hold_body,
)
from recon.game.admission import Admission
from recon.game.breaker import Breaker, BreakerState
from recon.game.pace import Priority
from recon.money import Money

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from tests.game.conftest import Rig

    OpenRig = Callable[..., Awaitable[Rig]]

BODY = hold_body("r_77", Money(1000, "GBP"), Decimal("2.50"))
ONCE = RetryPolicy(attempts=1)
QUICK = BreakerPolicy(failures=3, standing_s=0.0, open_s=0.2, longest_s=1.0)


def test_it_opens_at_the_fifth_failure_in_a_row_that_has_stood_a_second() -> None:
    breaker = Breaker()
    opened = [
        breaker.failed(began_s=at, now_s=at + 0.01, is_probe=False)
        for at in (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0)
    ]

    assert opened == [False] * 6 + [True]
    assert not breaker.may_pass(1.5)
    assert breaker.may_pass(2.01)


def test_a_hiccup_that_hits_fifty_calls_at_once_opens_nothing() -> None:
    breaker = Breaker()

    opened = [breaker.failed(began_s=0.0, now_s=0.2, is_probe=False) for _ in range(50)]

    assert not any(opened)


def test_timeouts_have_stood_since_they_were_sent() -> None:
    breaker = Breaker()

    opened = [breaker.failed(began_s=0.0, now_s=5.0, is_probe=False) for _ in range(5)]

    assert opened == [False] * 4 + [True]


def test_what_was_sent_before_the_game_came_back_opens_nothing_again() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(began_s=0.0, now_s=1.0, is_probe=False)
    assert breaker.take_probe(2.0)
    breaker.answered(is_probe=True, began_s=2.0)

    # Forty more that were on their way into the same silence time out together.
    late = [breaker.failed(began_s=0.9, now_s=5.9, is_probe=False) for _ in range(40)]
    assert not any(late)
    new = [breaker.failed(began_s=6.0, now_s=7.1, is_probe=False) for _ in range(5)]
    assert new == [False] * 4 + [True]


class Machine(RuleBasedStateMachine):
    """Any order of calls, ends and time: one probe at most, and only its word counts when open."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(BreakerPolicy(failures=2, standing_s=0.0, open_s=1.0, longest_s=4.0))
        self.now_s = 0.0
        self.probes = 0
        self.in_a_row = 0

    @rule(seconds=st.floats(0.01, 3.0))
    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def answer(self) -> None:
        before = self.breaker.state
        self.breaker.answered(is_probe=False)
        self.in_a_row = 0
        assert self.breaker.state is before

    @rule()
    def fail(self) -> None:
        before = self.breaker.state
        opened = self.breaker.failed(began_s=self.now_s, now_s=self.now_s, is_probe=False)
        if before is BreakerState.CLOSED:
            self.in_a_row += 1
            assert opened == (self.in_a_row >= 2)
        else:
            assert not opened
            assert self.breaker.state is before

    @rule()
    def take_probe(self) -> None:
        allowed = self.breaker.may_pass(self.now_s)
        closed = self.breaker.state is BreakerState.CLOSED
        taken = self.breaker.take_probe(self.now_s)
        assert taken == (allowed and not closed)
        self.probes += taken

    @precondition(lambda self: self.probes == 1)
    @rule(end=st.sampled_from(["answered", "failed", "lost"]))
    def end_probe(self, end: str) -> None:
        self.probes = 0
        if end == "answered":
            self.breaker.answered(is_probe=True)
            self.in_a_row = 0
            assert self.breaker.state is BreakerState.CLOSED
        elif end == "failed":
            self.breaker.failed(began_s=self.now_s, now_s=self.now_s, is_probe=True)
            assert not self.breaker.may_pass(self.now_s)
            assert self.breaker.wait_s(self.now_s) <= 4.0
        else:
            self.breaker.probe_lost()
            assert self.breaker.may_pass(self.now_s)

    @invariant()
    def one_probe(self) -> None:
        assert self.probes <= 1
        assert (self.breaker.state is BreakerState.HALF_OPEN) == (self.probes == 1)


TestMachine = Machine.TestCase
TestMachine.settings = settings(derandomize=True, max_examples=60, deadline=None)


@settings(derandomize=True, max_examples=20, deadline=None)
@given(failed=st.integers(1, 12))
def test_each_failed_probe_doubles_the_wait_up_to_the_longest(failed: int) -> None:
    breaker = Breaker(BreakerPolicy(failures=1, standing_s=0.0, open_s=1.0, longest_s=30.0))
    breaker.failed(began_s=0.0, now_s=0.0, is_probe=False)
    now_s = 0.0
    for _ in range(failed):
        now_s += breaker.wait_s(now_s)
        assert breaker.take_probe(now_s)
        breaker.failed(began_s=now_s, now_s=now_s, is_probe=True)

    assert breaker.wait_s(now_s) == pytest.approx(min(2.0**failed, 30.0))


async def fail(rig: Rig, times: int) -> None:
    for _ in range(times):
        with pytest.raises(GameUnavailable):
            await rig.client.state()


async def test_while_open_nothing_is_sent_and_callers_fail_at_once(open_rig: OpenRig) -> None:
    rig = await open_rig(retry=ONCE, breaker=BreakerPolicy(failures=3, standing_s=0.0, open_s=30.0))
    rig.game.will(rig.game.refuses(500, "internal_error"))
    await fail(rig, 3)

    with pytest.raises(GameCircuitOpen) as bet:
        await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)
    with pytest.raises(GameCircuitOpen):
        await rig.client.state()

    assert len(rig.game.seen) == 3
    assert len(rig.attempts) == 3  # what was not sent is no attempt
    assert bet.value.code == "game_unavailable"
    assert 28 <= bet.value.retry_after_s <= 30


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (429, "rate_limited")])
async def test_no_refusal_opens_it(open_rig: OpenRig, status: int, code: str) -> None:
    rig = await open_rig(retry=ONCE, breaker=QUICK)
    rig.game.will(rig.game.refuses(status, code, Retry_After="0"))

    for _ in range(10):
        with pytest.raises((GameRefused, GameUnavailable)) as caught:
            await rig.client.state()
        assert not isinstance(caught.value, GameCircuitOpen)

    assert len(rig.game.seen) == 10


async def test_of_many_callers_one_probes_and_its_answer_lets_all_in(open_rig: OpenRig) -> None:
    rig = await open_rig(retry=ONCE, breaker=QUICK)
    rig.game.will(rig.game.refuses(503, "unavailable"))
    await fail(rig, 3)
    rig.game.seen.clear()
    go = asyncio.Event()

    async def when_told(request: web.Request) -> web.StreamResponse:
        await go.wait()
        return await rig.game.says(200, rig.game.state())(request)

    rig.game.will(when_told)
    await asyncio.sleep(0.21)
    callers = [asyncio.create_task(rig.client.state()) for _ in range(20)]
    for refused in asyncio.as_completed(callers, timeout=60):
        with pytest.raises(GameCircuitOpen):
            await refused
        if sum(task.done() for task in callers) == 19:
            break
    go.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)

    assert len(rig.game.seen) == 1
    assert sum(isinstance(outcome, GameCircuitOpen) for outcome in outcomes) == 19
    assert (await rig.client.state()).round_id == "r_77"


async def test_what_may_do_harm_is_let_in_by_no_race_while_it_is_open() -> None:
    now_s = 0.0
    admission = Admission(lambda: now_s, BreakerPolicy(failures=1, standing_s=0.0, open_s=1.0))
    lost = await admission.enter(Priority.BET, "r1", may_probe=False)
    admission.unanswered(lost, AnswerLostError("reset"))
    now_s = 2.0  # a probe is due

    with pytest.raises(GameCircuitOpen):
        await admission.enter(Priority.BET, "r2", may_probe=False)
    probe = await admission.enter(Priority.SETTLEMENT, "r3", may_probe=True)

    assert probe.is_probe


async def test_a_bet_is_never_the_probe(open_rig: OpenRig) -> None:
    rig = await open_rig(retry=ONCE, breaker=QUICK)
    rig.game.will(rig.game.refuses(503, "unavailable"))
    await fail(rig, 3)
    rig.game.seen.clear()
    await asyncio.sleep(0.21)

    with pytest.raises(GameCircuitOpen):  # still down: the question ahead fails, nothing is risked
        await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)
    assert [seen.method for seen in rig.game.seen] == ["GET"]
    await asyncio.sleep(0.41)
    rig.game.will(rig.game.says(200, rig.game.state()), rig.game.says(201, rig.game.hold()))
    held = await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

    assert held.hold_id == "h_1"
    assert [seen.method for seen in rig.game.seen] == ["GET", "GET", "POST"]


async def test_a_probe_whose_caller_goes_away_leaves_it_to_the_next(open_rig: OpenRig) -> None:
    rig = await open_rig(retry=ONCE, breaker=QUICK)
    rig.game.will(rig.game.refuses(503, "unavailable"))
    await fail(rig, 3)
    arrived = asyncio.Event()

    async def stall(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(60)
        raise AssertionError

    rig.game.will(stall, rig.game.says(200, rig.game.state()))
    await asyncio.sleep(0.21)
    probe = asyncio.create_task(rig.client.state())
    await arrived.wait()
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)

    assert (await rig.client.state()).round_id == "r_77"


async def test_a_lost_answer_stays_unknown_even_if_it_opens_the_breaker(open_rig: OpenRig) -> None:
    rig = await open_rig(breaker=BreakerPolicy(failures=1, standing_s=0.0, open_s=30.0))
    rig.game.will(rig.game.refuses(500, "internal_error"))

    with pytest.raises(GameOutcomeUnknown):
        await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)
    with pytest.raises(GameCircuitOpen):
        await rig.client.hold("u_1001", idempotency_key="k2", body=BODY)

    assert len(rig.game.seen) == 1
