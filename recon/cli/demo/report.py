"""What was planted against what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from recon.reconciliation.views import DiscrepancyView
    from recon.seals import Proof

__all__ = ["Report", "compare", "print_report"]


class Planted(msgspec.Struct, frozen=True):
    """A fault that the sandbox really planted, and what it must lead to."""

    fault: str
    user_id: str
    currency: str
    amount: str
    must_lead_to: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The demo's result, in the contract's shape."""

    seed: int
    planted: list[Planted]
    found: list[DiscrepancyView]
    missed: list[Planted]
    false: list[DiscrepancyView]
    absorbed: int
    deliveries: int
    bets: int
    verify: Proof

    @property
    def ok(self) -> bool:
        """Whether planted and found agree and the books verify."""
        return not self.missed and not self.false and self.verify.ok


def compare(
    planted: Sequence[Planted], found: Sequence[DiscrepancyView]
) -> tuple[list[Planted], list[DiscrepancyView]]:
    """What was missed, and what was falsely reported.

    A fault is found by an open discrepancy of its wallet, cause and exact amount; each finds one.
    """
    left = list(found)
    missed = []
    for fault in planted:
        if fault.must_lead_to is None:
            continue
        match = next((one for one in left if _finds(one, fault)), None)
        if match is None:
            missed.append(fault)
        else:
            left.remove(match)
    return missed, left


def print_report(console: Console, report: Report, *, took_s: float) -> None:
    """A table a kind of fault, then the verdict."""
    table = Table(title="Planted against found", title_justify="left", header_style="bold")
    table.add_column("fault planted")
    table.add_column("must lead to")
    for name in ("planted", "found", "missed"):
        table.add_column(name, justify="right")
    missed = Counter(fault.fault for fault in report.missed)
    kinds = Counter((fault.fault, fault.must_lead_to) for fault in report.planted)
    for (kind, cause), count in sorted(kinds.items(), key=lambda kind: (kind[0][1] is None, kind)):
        found = "absorbed" if cause is None else str(count - missed[kind])
        shown = Text(str(missed[kind]), style="bold red" if missed[kind] else "dim")
        table.add_row(kind, cause or "nothing", str(count), found, shown)
    console.print(table)
    false = len(report.false)
    console.print(
        f"Falsely reported: {false}   Deliveries: {report.deliveries}   Bets: {report.bets}   "
        f"Seed: {report.seed}   Took: {took_s:.0f} s"
    )
    for one in report.false:
        console.print(
            f"  false: {one.user_id} {one.difference} {one.currency} {one.cause}", style="red"
        )
    for fault in report.missed:
        console.print(
            f"  missed: {fault.fault} of {fault.user_id} {fault.amount} {fault.currency}",
            style="red",
        )
    verified = report.verify
    books = "the books verify" if verified.ok else f"{len(verified.faults)} faults in the books"
    console.print(
        f"Books: {verified.postings} postings, {verified.wallets} wallets, "
        f"{verified.deliveries} deliveries: {books}.",
        style="green" if verified.ok else "red",
    )
    if report.ok:
        console.print(
            "Every planted fault was found, and nothing else was reported.", style="green"
        )


def _finds(found: DiscrepancyView, fault: Planted) -> bool:
    return (found.user_id, found.currency, found.cause, found.difference) == (
        fault.user_id,
        fault.currency,
        fault.must_lead_to,
        fault.amount,
    )
