"""One channel in order: whatever the network does, each number is told once or named as missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from recon.game.stream.ordering import Gap, Ordering

if TYPE_CHECKING:
    from recon.game.stream.ordering import Taken


@dataclass
class Told:
    """What came out so far."""

    events: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    dropped: int = 0

    def add(self, taken: Taken[int]) -> None:
        self.events += taken.events
        self.gaps += taken.gaps
        self.dropped += taken.dropped


def through(order: Ordering[int], *numbers: int, at: float = 0.0) -> Told:
    told = Told()
    for number in numbers:
        told.add(order.take(number, number, at=at))
    return told


def test_what_comes_in_order_is_told_at_once() -> None:
    assert through(Ordering(4), 5, 6, 7) == Told([5, 6, 7])


def test_what_was_overtaken_is_told_in_its_place() -> None:
    order = Ordering[int](0)

    assert through(order, 2, 3) == Told([])
    assert through(order, 1) == Told([1, 2, 3])


def test_what_comes_twice_is_told_once_whether_it_waits_or_was_told() -> None:
    order = Ordering[int](0)

    assert through(order, 1, 1, 3, 3) == Told([1], dropped=2)
    assert through(order, 2, 3, 2) == Told([2, 3], dropped=2)


def test_what_never_comes_is_a_gap_half_a_second_later() -> None:
    order = Ordering[int](0, patience_s=0.5)
    assert through(order, 3, 4, at=10.0) == Told([])
    assert order.deadline == 10.5

    assert order.expire(10.4).events == ()
    told = Told()
    told.add(order.expire(10.5))

    assert told == Told([3, 4], [Gap(1, 2)])
    assert order.deadline is None


def test_a_message_whose_number_was_given_up_is_dropped() -> None:
    order = Ordering[int](0)
    through(order, 2, at=0.0)
    order.expire(1.0)

    assert through(order, 1, at=1.0) == Told(dropped=1)


def test_too_many_that_wait_are_not_waited_with_any_longer() -> None:
    assert through(Ordering(0, window=3), 2, 3, 4, 6) == Told([2, 3, 4], [Gap(1, 1)])


def test_a_number_from_nowhere_costs_neither_time_nor_memory() -> None:
    order = Ordering[int](0, window=1)

    assert through(order, 2**62, 5) == Told([5], [Gap(1, 4)])


shuffled = st.integers(1, 60).flatmap(
    lambda count: st.tuples(
        st.just(count),
        # Any subset, any multiple of it, in any order.
        st.lists(st.integers(1, count), max_size=150),
    )
)


@given(shuffled, st.integers(1, 8), st.lists(st.booleans(), max_size=150))
def test_every_number_is_told_once_or_missing_whatever_happens(
    sent: tuple[int, list[int]], window: int, pauses: list[bool]
) -> None:
    order, told, at = Ordering[int](0, window=window, patience_s=1.0), Told(), 0.0
    for place, number in enumerate(sent[1]):
        told.add(order.take(number, number, at=at))
        if place < len(pauses) and pauses[place]:
            at += 0.7
            told.add(order.expire(at))
    told.add(order.expire(at + 1.0))

    missing = [n for gap in told.gaps for n in range(gap.first, gap.last + 1)]
    highest = max(sent[1], default=0)
    assert told.events == sorted(set(told.events))
    assert sorted([*told.events, *missing]) == [*range(1, highest + 1)]
    assert len(told.events) + told.dropped == len(sent[1])
    assert order.deadline is None


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=8))
def test_within_the_window_nothing_is_lost_by_disorder_or_repeats(
    order_of_arrival: list[int], repeats: list[int]
) -> None:
    told = through(Ordering(0, window=8), *order_of_arrival, *repeats)

    assert told.events == [*range(1, 9)]
    assert (told.gaps, told.dropped) == ([], len(repeats))


@given(st.lists(st.integers(1, 1000), max_size=200), st.integers(1, 8))
def test_no_more_wait_than_the_window_takes(sent: list[int], window: int) -> None:
    order, told = Ordering[int](0, window=window), Told()
    for count, number in enumerate(sent, start=1):
        told.add(order.take(number, number, at=0.0))
        assert count - len(told.events) - told.dropped <= window
