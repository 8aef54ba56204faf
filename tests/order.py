"""Which tests begin first: what takes long, spread over the workers, so that none begins last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

__all__ = ["LONG", "longest_first"]

LONG: Final = (
    "violence/test_several_processes.py",
    "journeys/test_demo.py",
    "violence/test_network.py",
    "journeys/test_pooler.py",
    "docs/test_snippets.py",
    "web/test_browser.py",
    "violence/test_stops.py",
    "simulation/test_planted_around_bets.py",
    "reconciliation/test_memory.py",
    "journeys/test_service.py",
    "simulation/test_planted_bugs.py",
    "violence/test_kills.py",
    "journeys/test_no_secret_shows.py",
    "simulation/test_seeds.py",
    "http/test_schemathesis.py",
    "settlements/test_command.py",
    "packaging/test_wheel.py",
    "simulation/test_replay.py",
    "violence/test_disk_full.py",
    "web/test_screenshots.py",
)
"""Files, about in the order of how long they take; most of them wait much of the time."""


def longest_first(items: list[pytest.Item], workers: int) -> None:
    """Put tests in an order in which each worker begins with some of the longest files.

    Args:
        items: all tests; each of so many workers is given a part of them, one after the other, and
            takes from the end of another's part once it has done its own. Changed in place.
        workers: how many there are.
    """
    long: list[list[pytest.Item]] = [[] for _ in range(workers)]
    place = {name: number for number, name in enumerate(LONG)}
    rest = []
    for item in items:
        number = place.get(item.path.as_posix().rpartition("/tests/")[2])
        if number is None:
            rest.append(item)
        else:
            long[number % workers].append(item)
    left, ordered = len(items), []
    for number, first in enumerate(long):
        share = left // (workers - number)
        first.sort(key=lambda item: place[item.path.as_posix().rpartition("/tests/")[2]])
        ordered += first
        more = max(0, share - len(first))
        ordered += rest[:more]
        del rest[:more]
        left -= len(first) + more
    items[:] = ordered + rest
