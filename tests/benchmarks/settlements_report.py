"""What came of importing a settlement file, for `tests.benchmarks.report`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.report import Part, Row, Table

if TYPE_CHECKING:
    from tests.benchmarks.settlements import Measured

__all__ = ["measure_settlements", "settlements_part"]


async def measure_settlements(lines: int) -> Measured:
    """Import a generated report in a process of its own, whose memory is its alone.

    Raises:
        RuntimeError: it failed.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.settlements", "--lines", str(lines)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"the import ended with {child.returncode}")
    measured: Measured = json.loads(told)
    return measured


def settlements_part(measured: Measured) -> Part:
    """The import's verdict, its steps and conditions."""
    seconds = measured["seconds"]
    rows = [
        Row(f"import of {measured['lines']:,} lines", seconds, "s", 60, most=True),
        Row("lines a second", measured["lines"] / seconds),
        Row("most memory", float(measured["peak_megabytes"]), "MB"),
    ]
    steps = [[name, f"{took:.1f}"] for name, took in measured["steps"].items()]
    found = ", ".join(f"{count:,} {kind}" for kind, count in measured["findings"].items())
    return Part(
        "settlements",
        "Settlement files",
        rows,
        [Table(["step", "seconds"], steps)],
        f"A report of Adyen's of {measured['megabytes']} MB against as many movements in Postgres, "
        f"{measured['cpu_seconds']:.0f} s of CPU in our process; {measured['matched']:,} matched, "
        f"found: {found}.",
        dict(measured),
    )
