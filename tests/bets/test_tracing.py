"""A caller's trace goes on at the game, in every call that its request leads to and in no other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from recon.http.request_ids import request_id_middleware
from recon.http.tracing import Trace, read_trace
from tests.bets.calling import body, once, serving

if TYPE_CHECKING:
    from tests.bets.conftest import World

ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def headers_of(*given: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(given))


@pytest.mark.parametrize(
    ("parent", "flags"),
    [
        (f"00-{ID}-{SPAN}-01", 1),
        (f"00-{ID}-{SPAN}-00", 0),
        (f"00-{ID}-{SPAN}-ff", 3),
        (f"cc-{ID}-{SPAN}-01", 1),
        (f"cc-{ID}-{SPAN}-01-what-the-future-holds", 1),
    ],
)
def test_a_trace_is_read(parent: str, flags: int) -> None:
    assert read_trace(headers_of(("traceparent", parent))) == Trace(ID, flags, None)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        f"ff-{ID}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01-more",
        f"cc-{ID}-{SPAN}-01more",
        f"00-{ID}-{SPAN}-1",
        f" 00-{ID}-{SPAN}-01",
        f"cc-{ID}-{SPAN}-01-\x00",
    ],
)
def test_what_is_no_trace_is_none(parent: str) -> None:
    assert read_trace(headers_of(("traceparent", parent))) is None


def test_two_traces_are_none() -> None:
    twice = ("traceparent", f"00-{ID}-{SPAN}-01")

    assert read_trace(headers_of(twice, twice)) is None


@pytest.mark.parametrize(
    ("states", "passed_on"),
    [
        (("a=1", "b=2"), "a=1,b=2"),
        (("a=\x01",), None),
        (("a=" + "x" * 511,), None),
        (("",), None),
    ],
)
def test_what_tracing_systems_say_is_passed_on(
    states: tuple[str, ...], passed_on: str | None
) -> None:
    parent = ("traceparent", f"00-{ID}-{SPAN}-01")
    trace = read_trace(headers_of(parent, *(("tracestate", state) for state in states)))

    assert trace == Trace(ID, 1, passed_on)


async def test_the_calls_for_a_bet_are_spans_of_their_own_in_its_callers_trace(
    world: World,
) -> None:
    world.clock.ticking = True
    await world.deposit("100.00")
    async with serving(world, world.game, middlewares=[request_id_middleware]) as api:
        traced = once() | {"traceparent": f"00-{ID}-{SPAN}-01", "tracestate": "lobby=7"}
        placed = await api.post("/api/v1/bets", json=body(world), headers=traced)
        assert (placed.status, placed.headers["traceparent"]) == (201, traced["traceparent"])
        sent = [one.headers for one in world.network.sent]

        world.network.sent.clear()
        await api.post("/api/v1/bets", json=body(world), headers=once())

    spans = [re.fullmatch(rf"00-{ID}-([0-9a-f]{{16}})-01", one["traceparent"]) for one in sent]
    assert len(sent) >= 2
    assert len({span and span.group(1) for span in spans} - {None, SPAN}) == len(sent)
    assert {one["tracestate"] for one in sent} == {"lobby=7"}
    assert world.network.sent
    assert not any("traceparent" in one.headers for one in world.network.sent)


async def test_a_caller_without_a_proper_trace_leads_to_none(world: World) -> None:
    world.clock.ticking = True
    await world.deposit("100.00")
    async with serving(world, world.game, middlewares=[request_id_middleware]) as api:
        unfit = once() | {"traceparent": f"00-{ID}-{SPAN}-zz", "tracestate": "lobby=7"}
        placed = await api.post("/api/v1/bets", json=body(world), headers=unfit)

    assert (placed.status, "traceparent" in placed.headers) == (201, False)
    assert world.network.sent
    assert not any({"traceparent", "tracestate"} & set(o.headers) for o in world.network.sent)
