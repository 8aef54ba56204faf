"""Discrepancies in words and tables, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from recon.cli.context import console, progress_console
from recon.cli.tables import print_table
from recon.clock import format_time
from recon.money import Money

if TYPE_CHECKING:
    from recon.reconciliation import Discrepancy, Incident
    from recon.reconciliation.review_views import AdjustmentView, EventView
    from recon.reconciliation.views import DiscrepancyView, EvidenceView

__all__ = ["ShownDiscrepancy", "say_incidents", "say_list", "say_one"]


@dataclass(frozen=True, slots=True)
class ShownDiscrepancy:
    """One discrepancy with all that was done about it."""

    discrepancy: DiscrepancyView
    adjustments: list[AdjustmentView]
    events: list[EventView]


def say_list(found: list[Discrepancy]) -> None:
    """A table of them."""
    if not found:
        progress_console.print("No discrepancy matches.")
        return
    print_table(
        (
            *("discrepancy", "player", "difference", "unexplained", "cause", "severity"),
            *("status", "assignee", "first seen"),
        ),
        (
            (
                *(str(one.discrepancy_id), one.user_id),
                *(_signed(one.difference, one.currency), _signed(one.unexplained, one.currency)),
                *(one.cause, one.severity, one.status, one.assignee or ""),
                format_time(one.first_seen_at.replace(microsecond=0)),
            )
            for one in found
        ),
        amounts=("difference", "unexplained"),
    )


def say_incidents(found: list[Incident], *, only_open: bool) -> None:
    """A table of them, a line for each currency, or one for what stopped a run."""
    if not found:
        progress_console.print("No incident is open." if only_open else "There was no incident.")
        return
    print_table(
        ("incident", "cause", "root", "from", "until", "wallets", "still open", "difference"),
        (
            (
                *(str(one.incident_id), one.cause, one.root),
                *(format_time(at.replace(microsecond=0)) for at in (one.from_at, one.until_at)),
                *rest,
            )
            for one in found
            for rest in _comes_to(one)
        ),
        amounts=("wallets", "still open", "difference"),
    )


def _comes_to(one: Incident) -> list[tuple[str, str, str]]:
    if one.looked is not None:
        still = "yes" if one.closed_at is None else "no"
        return [(f"{one.differed} of {one.looked}", still, "a run was stopped")]
    return [
        (
            str(part.discrepancies),
            str(part.still_open),
            _signed(part.difference, part.currency),
        )
        for part in one.parts
    ] or [("0", "0", "")]


def _facts(facts: list[EvidenceView]) -> list[str]:
    return [f"  {fact.amount}  {fact.kind} {fact.id}: {fact.summary}" for fact in facts]


def _signed(minor: int, currency: str) -> str:
    return f"{'+' if minor > 0 else ''}{Money(minor, currency)} {currency}"


def say_one(shown: ShownDiscrepancy) -> None:
    """The equation, what it rests on, and what was done."""
    one = shown.discrepancy
    as_of = "unknown there" if one.game.as_of is None else format_time(one.game.as_of)
    lines = (
        f"{one.discrepancy_id}  {one.user_id} {one.currency}  {one.status}, {one.severity}",
        f"game {one.game.available} - ledger {one.ledger.available}, as of {as_of}",
        f"difference {one.difference} = {one.explained} explained + {one.unexplained} unexplained",
        f"cause {one.cause}" + (f", {one.confidence} % certain" if one.confidence else ""),
        *_facts(one.evidence),
        *(
            line
            for other in one.alternatives
            for line in (
                f"{'or else' if one.evidence else 'it may be'}, {other.confidence} % certain:",
                *_facts(other.evidence),
            )
        ),
        "looked at: " + "; ".join(one.looked_at),
        f"seen {one.occurrences} times, last {format_time(one.last_seen_at)}",
        f"first seen {format_time(one.first_seen_at)}, assigned to {one.assignee or 'nobody'}",
        *(
            f"adjustment {j.adjustment_id} of {j.amount} {j.currency}: {j.state}, proposed by "
            f"{j.proposed_by}: {j.reason}"
            for j in shown.adjustments
        ),
        *(f"{format_time(e.at)}  {e.actor}  {e.action}" for e in shown.events),
    )
    for line in lines:
        console.print(Text(line), soft_wrap=True)
