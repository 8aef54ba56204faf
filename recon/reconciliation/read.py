"""Read runs and discrepancies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.clock import format_time, parse_time
from recon.db import is_turned, load, load_in_order
from recon.errors import NotFound
from recon.reconciliation.model import (
    Alternative,
    Cause,
    Changes,
    Discrepancy,
    Evidence,
    Finding,
    Phase,
    Progress,
    Run,
    RunScope,
    RunState,
    RunTotal,
    Severity,
    Status,
    Tolerated,
    WalletCounts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

__all__ = [
    "DiscrepancyFilter",
    "count_open",
    "list_discrepancies",
    "list_runs",
    "matching",
    "read_discrepancy",
    "read_run",
]


@dataclass(frozen=True, slots=True)
class DiscrepancyFilter:
    """Which discrepancies; ``None`` means any.

    ``first_run_id`` is the run that opened them; ``seen_from`` and ``seen_before`` bound when they
    were first seen; ``q`` is the start of a player's or a discrepancy's id, or a fact's whole id;
    ``unexplained`` is whether a part of them is.
    """

    statuses: tuple[Status, ...] | None = None
    causes: tuple[Cause, ...] | None = None
    user_id: str | None = None
    run_id: UUID | None = None
    currency: str | None = None
    incident_id: UUID | None = None
    first_run_id: UUID | None = None
    assignee: str | None = None
    seen_from: datetime | None = None
    seen_before: datetime | None = None
    q: str | None = None
    unexplained: bool | None = None

    def said(self) -> dict[str, str]:
        """Each part of it in words, what is not narrowed as ``any``."""
        return {
            "status": ", ".join(self.statuses or ()) or "any",
            "cause": ", ".join(self.causes or ()) or "any",
            "user_id": self.user_id or "any",
            "run_id": str(self.run_id or "any"),
            "currency": self.currency or "any",
            "incident_id": str(self.incident_id or "any"),
            "new_in": str(self.first_run_id or "any"),
            "assignee": self.assignee or "any",
            "first_seen_from": "any" if self.seen_from is None else format_time(self.seen_from),
            "first_seen_before": (
                "any" if self.seen_before is None else format_time(self.seen_before)
            ),
            "id": self.q or "any",
            "unexplained": {None: "any", True: "a part", False: "nothing"}[self.unexplained],
        }


async def read_run(connection: asyncpg.Connection[Any], run_id: UUID) -> Run:
    """A run.

    Raises:
        NotFound: ``run_not_found``.
    """
    row = await connection.fetchrow(load("recon.reconciliation", "run"), run_id)
    if row is None:
        raise NotFound(f"there is no run {run_id}", code="run_not_found")
    (run,) = await _whole(connection, [row])
    return run


async def list_runs(
    connection: asyncpg.Connection[Any],
    *,
    before: UUID | None = None,
    limit: int = 50,
    sort: str = "age",
) -> list[Run]:
    """A page of runs, from after the one that ``before`` names.

    Args:
        connection: any.
        before: the last of the page before.
        limit: how many.
        sort: ``age``, newest first, or ``duration``, of which one that has not ended has the
            shortest; with ``-`` before it for the largest first. ``-age`` is the oldest.
    """
    statement = load_in_order("recon.reconciliation", "runs", turned=is_turned(sort))
    rows = await connection.fetch(statement, before, limit, sort.removeprefix("-"))
    return await _whole(connection, rows)


async def _whole(connection: asyncpg.Connection[Any], rows: Sequence[asyncpg.Record]) -> list[Run]:
    """Runs with their sums and what they tolerated, those that have not ended with how far."""
    ids = [row["run_id"] for row in rows]
    totals: dict[UUID, list[RunTotal]] = {}
    for row in await connection.fetch(load("recon.reconciliation", "totals"), ids):
        sums = (int(row[name]) for name in ("explained", "unexplained", "net"))
        total = RunTotal(row["currency"], row["discrepancies"], *sums)
        totals.setdefault(row["run_id"], []).append(total)
    tolerances = await connection.fetch(load("recon.reconciliation", "tolerances"), ids)
    tolerated: dict[UUID, list[Tolerated]] = {}
    for row in tolerances:
        one = Tolerated(row["currency"], int(row["tolerance"]), row["wallets"], int(row["amount"]))
        tolerated.setdefault(row["run_id"], []).append(one)
    running = [row["run_id"] for row in rows if row["state"] == RunState.RUNNING]
    found: dict[UUID, asyncpg.Record] = {}
    if running:
        progress = await connection.fetch(load("recon.reconciliation", "progress"), running)
        found = {row["run_id"]: row for row in progress}
    return [
        _run(
            # Its sums as they are where the rest of its progress is read, not as they were before.
            {**row, **found.get(row["run_id"], {})},
            tuple(totals.get(row["run_id"], ())),
            tuple(tolerated.get(row["run_id"], ())),
            _progress(found[row["run_id"]]) if row["run_id"] in found else None,
        )
        for row in rows
    ]


def _progress(found: asyncpg.Record) -> Progress:
    done = found["compared"] + found["not_compared"] + found["waiting"] + found["under_way"]
    if found["paused"]:
        phase = Phase.PAUSED
    elif not found["cut"] and not done:
        phase = Phase.CUTTING
    elif found["unswept"] or not found["cut"]:
        phase = Phase.SWEEPING
    else:
        phase = Phase.LOOKING_AGAIN
    per_second = done / max(found["runs_for_s"], 0.001)
    known = phase is Phase.SWEEPING and found["cut"] and done > 0
    due_in_s = found["due_in_s"]
    return Progress(
        phase=phase,
        compared=done,
        waiting=found["waiting"],
        per_second=round(per_second, 1),
        eta_s=round(max(found["total"] - done, 0) / per_second, 1) if known else None,
        next_look_in_s=None if due_in_s is None else round(max(due_in_s, 0.0), 1),
    )


async def read_discrepancy(
    connection: asyncpg.Connection[Any], discrepancy_id: UUID
) -> Discrepancy:
    """A discrepancy.

    Raises:
        NotFound: ``discrepancy_not_found``.
    """
    row = await connection.fetchrow(load("recon.reconciliation", "discrepancy"), discrepancy_id)
    if row is None:
        raise NotFound(f"there is no discrepancy {discrepancy_id}", code="discrepancy_not_found")
    return _discrepancy(row)


async def list_discrepancies(
    connection: asyncpg.Connection[Any],
    wanted: DiscrepancyFilter,
    *,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Discrepancy]:
    """A page of discrepancies, newest first."""
    statement = load("recon.reconciliation", "discrepancies")
    rows = await matching(connection, statement, wanted, before=before, limit=limit)
    return [_discrepancy(row) for row in rows]


async def matching(
    connection: asyncpg.Connection[Any],
    statement: str,
    wanted: DiscrepancyFilter,
    *,
    before: UUID | None,
    limit: int | None,
    more: Sequence[object] = (),
) -> list[asyncpg.Record]:
    """The rows of a statement whose parameters are those of `discrepancies.sql`, and ``more``."""
    async with connection.transaction():
        # A plan for any filter is a plan for none: the one for these values uses their index, and
        # a page of a run that saw a million is read without looking at the other rows.
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows: list[asyncpg.Record] = await connection.fetch(
            statement,
            None if wanted.statuses is None else list(wanted.statuses),
            None if wanted.causes is None else list(wanted.causes),
            wanted.user_id,
            wanted.run_id,
            wanted.currency,
            wanted.incident_id,
            before,
            limit,
            *(wanted.first_run_id, wanted.assignee, wanted.seen_from, wanted.seen_before, wanted.q),
            wanted.unexplained,
            *more,
        )
    return rows


async def count_open(connection: asyncpg.Connection[Any]) -> int:
    """How many discrepancies are open, under investigation or awaiting approval."""
    count: int = await connection.fetchval(load("recon.reconciliation", "count_open"))
    return count


def _run(
    row: Mapping[str, Any],
    totals: tuple[RunTotal, ...],
    tolerated: tuple[Tolerated, ...],
    progress: Progress | None,
) -> Run:
    return Run(
        run_id=row["run_id"],
        state=RunState(row["state"]),
        scope=RunScope(row["scope"]),
        trigger=row["trigger"],
        dry_run=row["dry_run"],
        reason=row["reason"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        wallets=WalletCounts(
            total=row["total"],
            compared=row["compared"],
            agreed=row["agreed"],
            discrepant=row["discrepant"],
            in_flight=row["in_flight"],
            not_compared=row["not_compared"],
        ),
        changes=Changes(
            opened=row["opened"],
            persisting=row["persisting"],
            reopened=row["reopened"],
            healed=row["healed"],
        ),
        totals=totals,
        tolerated=tolerated,
        progress=progress,
        forgotten_at=row["forgotten_at"],
    )


def _discrepancy(row: asyncpg.Record) -> Discrepancy:
    return Discrepancy(
        discrepancy_id=row["discrepancy_id"],
        user_id=row["user_id"],
        currency=row["currency"],
        status=Status(row["status"]),
        severity=Severity(row["severity"]),
        cause=Cause(row["cause"]),
        ledger_available=int(row["ledger_available"]),
        ledger_held=int(row["ledger_held"]),
        ledger_reserved=int(row["ledger_reserved"]),
        ledger_version=row["ledger_version"],
        game_available=int(row["game_available"]),
        game_held=int(row["game_held"]),
        game_as_of=row["game_as_of"],
        available_difference=int(row["available_difference"]),
        held_difference=int(row["held_difference"]),
        difference=int(row["difference"]),
        explained=int(row["explained"]),
        unexplained=int(row["unexplained"]),
        evidence=[_evidence(fact) for fact in row["evidence"]],
        confidence=row["confidence"],
        alternatives=[
            Alternative(one["confidence"], [_evidence(fact) for fact in one["evidence"]])
            for one in row["alternatives"]
        ],
        looked_at=list(row["looked_at"]),
        assignee=row["assignee"],
        ignored_until=row["ignored_until"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        occurrences=row["occurrences"],
        first_run_id=row["first_run_id"],
        last_run_id=row["last_run_id"],
        closed_at=row["closed_at"],
        incident_id=row["incident_id"],
        tolerance=int(row["tolerance"]),
    )


def _evidence(fact: dict[str, Any]) -> Evidence:
    return Evidence(
        kind=fact["kind"],
        id=fact["id"],
        amount=int(fact["amount"]),
        at=parse_time(fact["at"]),
        summary=fact["summary"],
        cause=Cause(fact["cause"]),
        root=fact.get("root"),
        finding=Finding(fact["finding"]) if fact.get("finding") else None,
    )
