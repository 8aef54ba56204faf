"""What came of measuring the quality of reconciliation, for `tests.benchmarks.report`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from recon.clock import format_time
from tests.benchmarks.quality import seconds
from tests.benchmarks.report import Part, Row, Table

if TYPE_CHECKING:
    from tests.benchmarks.quality import Quality

__all__ = ["quality_part"]

_SURE = 90


def quality_part(quality: Quality, *, minutes: float) -> Part:
    """The verdict, what became of each kind, and conditions."""
    sure = [named for confidence, named in quality.confident if confidence >= _SURE]
    rows = [
        Row("planted faults that were found", quality.found / quality.planted, bound=1.0),
        Row("false alarms", float(len(quality.false)), bound=0.0, most=True),
        Row("precision", quality.precision, bound=1.0),
        Row("right cause, of those found", quality.named / max(1, quality.found), bound=0.98),
        Row(f"… of those said to be {_SURE} % certain", sum(sure) / max(1, len(sure))),
    ]
    kinds = [
        [name, str(kind.planted), str(kind.found), str(kind.named), seconds(kind)]
        for name, kind in sorted(quality.kinds.items())
    ]
    columns = ["planted", "how many", "found", "right cause", "seconds until reported: p50 / most"]
    return Part(
        "quality",
        "Quality of reconciliation",
        rows,
        [Table(columns, kinds)],
        f"{quality.wallets:,} wallets, {minutes:g} minutes of play at {quality.acts:.0f} acts a "
        f"second while runs of changed wallets follow each other, grace period 10 s; "
        f"{quality.absorbed:,} more faults were planted that lead to nothing, and "
        f"{quality.passing} of all were reported while they stood and have been made good since. "
        "The books verified.",
        {
            "false": [
                {**asdict(one), "opened_at": format_time(one.opened_at)} for one in quality.false
            ],
            "kinds": {name: asdict(kind) for name, kind in quality.kinds.items()},
        },
    )
