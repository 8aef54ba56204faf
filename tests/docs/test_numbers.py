"""Numbers that the documents quote are those that were measured, and what they reckon adds up."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.docs.blocks import ROOT

_SCALING: Final = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
_COUNTED: Final = re.compile(
    r"^\| ([\w ,]+) \| ([\d,]+) \| (\d+) and (\d+)(?: links of the chain)? "
    r"\| ([\d.]+) kB each: ([\d.]+) GB \|$",
    re.MULTILINE,
)
_DAY_S: Final = 86_400


def measured(part: str) -> Any:  # noqa: ANN401 - any JSON
    """What the program that measures a part has written."""
    path = ROOT / "benchmarks" / "results" / f"{part}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def cell(part: str, row: str, column: int) -> float:
    """A number of a part's first table, by what its row is called."""
    (found,) = [one for one in measured(part)["tables"][0]["rows"] if one[0] == row]
    return number(found[column])


def value(part: str, name: str) -> float:
    """A number of a part's list of bounds."""
    (found,) = [one["value"] for one in measured(part)["rows"] if one["name"].startswith(name)]
    return float(found)


def number(text: str) -> float:
    return float(text.replace(",", ""))


@dataclass(frozen=True)
class Quoted:
    """A sentence with numbers in it, what was measured of each, and how far it is rounded."""

    document: str
    sentence: str
    measured: tuple[float, ...]
    to: float = 1


QUOTED = [
    Quoted(
        "docs/scaling.md",
        r"measured ([\d,]+) µs in the service and ([\d,]+) µs in Postgres each",
        (cell("bets", "bets", 4), cell("bets", "bets", 5)),
    ),
    Quoted(
        "docs/scaling.md",
        r"a second then, ([\d,]+) and ([\d,]+) µs",
        (cell("intake", "booked", 4), cell("intake", "booked", 5)),
    ),
    Quoted("docs/scaling.md", r"kept ([\d,]+) a second going", (cell("sweep", "sweep, far", 1),)),
    Quoted(
        "docs/scaling.md",
        r"five million lines takes ([\d,]+) s and ([\d,]+) MB",
        (value("settlements", "import"), value("settlements", "most memory")),
    ),
    Quoted(
        "docs/scaling.md",
        r"([\d,]+) were sealed a second",
        (measured("growth")["bytes"]["rows sealed a second"],),
    ),
    Quoted(
        "docs/scaling.md",
        r"node links, ([\d,]+) rows a second where it was measured",
        (measured("growth")["bytes"]["rows sealed a second"],),
        to=1000,
    ),
    Quoted(
        "docs/comparison.md",
        r"about ([\d,]+) deliveries/s, ([\d,]+) bets/s",
        (cell("intake", "booked", 1), cell("bets", "bets", 1)),
        to=100,
    ),
    Quoted(
        "docs/comparison.md",
        r"5 million settlement lines in ([\d,]+) s",
        (value("settlements", "import"),),
    ),
    Quoted(
        "README.md",
        r"about ([\d,]+)\s+deliveries and ([\d,]+) bets a second",
        (cell("intake", "booked", 1), cell("bets", "bets", 1)),
        to=100,
    ),
    Quoted(
        "benchmarks/README.md",
        r"it hardly shows \(([\d.]+)\)",
        (value("sweep", "… where each answer takes 20 ms"),),
        to=0.01,
    ),
]


@pytest.mark.parametrize("quoted", QUOTED, ids=lambda one: f"{one.document}: {one.sentence}")
def test_a_number_that_is_quoted_is_the_one_that_was_measured(quoted: Quoted) -> None:
    text = (ROOT / quoted.document).read_text(encoding="utf-8")
    said = [found.groups() for found in re.finditer(quoted.sentence, text)]

    assert len(said) == 1
    rounded = [round(one / quoted.to) * quoted.to for one in quoted.measured]
    assert [number(one) for one in said[0]] == pytest.approx(rounded)


def test_what_a_day_costs_adds_up_to_what_is_said_of_it() -> None:
    rows = [
        (number(count), int(links), number(kilobytes), number(gigabytes))
        for _, count, _, links, kilobytes, gigabytes in _COUNTED.findall(_SCALING)
    ]
    assert len(rows) == 4

    links = sum(count * each for count, each, _, _ in rows) / _DAY_S
    assert f"{round(links):,} links a second" in _SCALING
    for count, _, kilobytes, gigabytes in rows:
        assert count * kilobytes / 1e6 == pytest.approx(
            gigabytes, abs=0.5 if gigabytes > 10 else 0.05
        )
    of_bets = sum(gigabytes for _, _, _, gigabytes in rows[2:])
    assert f"{of_bets:.0f} GB a day" in _SCALING


def test_what_a_row_is_said_to_take_is_what_was_measured() -> None:
    each = {name: float(count) for name, count in measured("growth")["bytes"].items()}
    deposit = {"deliveries": 1, "movements": 1, "postings": 1, "idempotency": 1, "seal_links": 3}
    lost = {"bets": 1, "holds": 1, "hold_resolutions": 1, "bet_attempts": 2, "postings": 2,
            "idempotency": 2, "seal_links": 2}  # fmt: skip
    paid = {name: count + (name in {"bet_attempts", "postings", "idempotency", "seal_links"})
            for name, count in lost.items()}  # fmt: skip
    made = [deposit, {name: 2 * count for name, count in deposit.items()}, lost, paid]

    for of_rows, (_, _, rows, links, kilobytes, _) in zip(
        made, _COUNTED.findall(_SCALING), strict=True
    ):
        assert (sum(of_rows.values()) - of_rows["seal_links"], of_rows["seal_links"]) == (
            int(rows),
            int(links),
        )
        taken = sum(each[name] * count for name, count in of_rows.items()) / 1000
        assert taken == pytest.approx(number(kilobytes), abs=0.005)
    assert f"| {each['wallets']:.0f} each" in _SCALING
