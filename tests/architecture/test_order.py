"""What takes long begins first on each worker, and nothing is left out for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.order import LONG, longest_first

_TESTS = Path(__file__).parents[1]


def items(*names: str, each: int) -> list[Any]:
    """Tests of files, so many of each, as far as their order is concerned."""
    return [SimpleNamespace(path=_TESTS / name, n=n) for name in names for n in range(each)]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5])
def test_each_worker_begins_with_some_of_the_longest_and_all_run_once(workers: int) -> None:
    before = items("a/test_a.py", *reversed(LONG), "z/test_z.py", each=10)
    after = list(before)

    longest_first(after, workers)

    assert sorted(map(id, after)) == sorted(map(id, before))
    # The parts that the workers are given, as xdist cuts them.
    left = list(after)
    for number in range(workers):
        share = len(left) // (workers - number)
        assert left[0].path == _TESTS / LONG[number]
        del left[:share]


def test_what_is_said_to_take_long_is_there() -> None:
    assert [name for name in LONG if not (_TESTS / name).is_file()] == []
