"""Runs and discrepancies as the API and the command line show them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from recon.money import format_minor
from recon.reconciliation.model import (
    Cause,
    Finding,
    Phase,
    RunScope,
    RunState,
    Severity,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.reconciliation.incidents import Incident
    from recon.reconciliation.model import (
        Discrepancy,
        Evidence,
        Progress,
        Run,
    )

__all__ = [
    "AlternativeView",
    "ChangesView",
    "DiscrepancyView",
    "EvidenceView",
    "GameSide",
    "IncidentPartView",
    "IncidentView",
    "LedgerSide",
    "ProgressView",
    "RunView",
    "ToleratedView",
    "TotalView",
    "WalletsView",
    "discrepancy_view",
    "incident_view",
    "run_view",
]


class WalletsView(msgspec.Struct, frozen=True):
    """How many wallets a run has to compare, and what came of it so far."""

    total: int
    compared: int
    agreed: int
    discrepant: int
    in_flight: int
    not_compared: int


class ChangesView(msgspec.Struct, frozen=True):
    """What a run found against what was known before it; all zero until it has ended."""

    opened: int
    persisting: int
    reopened: int
    healed: int


class ProgressView(msgspec.Struct, frozen=True):
    """How far a running run is right now; a page's wallets count before they are written.

    ``compared``: looked at so far, with the ``waiting`` ones, which are looked at again.
    ``next_look_in_s``: when the first of those is due.
    """

    phase: Phase
    compared: int
    waiting: int
    per_second: float
    eta_s: float | None
    next_look_in_s: float | None


class ToleratedView(msgspec.Struct, frozen=True):
    """A tolerance in force, the wallets that agreed only by it, and what that let pass in all."""

    currency: str
    tolerance: str
    wallets: int
    amount: str


class TotalView(msgspec.Struct, frozen=True):
    """What a run saw in one currency; sums of sizes, and the net of what was signed."""

    currency: str
    discrepancies: int
    explained: str
    unexplained: str
    net: str


class RunView(msgspec.Struct, frozen=True):
    """A run; ``progress`` is null once it has ended, and until then ``totals`` is empty.

    Since ``forgotten_at`` it is not known any more which discrepancies it saw: asked for by this
    run there are none. Its counts and sums stay.
    """

    run_id: UUID
    state: RunState
    scope: RunScope
    trigger: str
    dry_run: bool
    reason: str | None
    started_at: datetime
    finished_at: datetime | None
    wallets: WalletsView
    changes: ChangesView
    totals: list[TotalView]
    tolerated: list[ToleratedView]
    progress: ProgressView | None
    forgotten_at: datetime | None


class LedgerSide(msgspec.Struct, frozen=True):
    """The ledger's balances; ``reserved`` is set aside for withdrawals."""

    available: str
    held: str
    reserved: str
    version: int


class GameSide(msgspec.Struct, frozen=True):
    """The game's balances; ``as_of`` is null when it knows no such player."""

    available: str
    held: str
    as_of: datetime | None


class EvidenceView(msgspec.Struct, frozen=True):
    """A fact that accounts for part of the difference; ``root``: the endpoint, the round.

    ``finding`` says it more closely, where kind and cause leave something open.
    """

    kind: str
    id: str
    amount: str
    at: datetime
    summary: str
    cause: Cause
    root: str | None
    finding: Finding | None


class AlternativeView(msgspec.Struct, frozen=True):
    """Other facts that make the difference too, and how likely they are, in per cent."""

    confidence: int
    evidence: list[EvidenceView]


class DiscrepancyView(msgspec.Struct, frozen=True):
    """A discrepancy; ``difference`` is game minus ledger and always explained + unexplained.

    It is ``available_difference``, or ``held_difference`` where that is 0: the available balances
    agree then, withdrawals on their way allowed for, and what differs is held for bets.
    ``confidence`` is, in per cent, that the evidence is what happened; 0 where there is none.
    """

    discrepancy_id: UUID
    user_id: str
    currency: str
    ledger: LedgerSide
    game: GameSide
    difference: str
    available_difference: str
    held_difference: str
    explained: str
    unexplained: str
    cause: Cause
    evidence: list[EvidenceView]
    confidence: int
    alternatives: list[AlternativeView]
    looked_at: list[str]
    status: Status
    severity: Severity
    assignee: str | None
    ignored_until: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    occurrences: int
    first_run_id: UUID
    last_run_id: UUID
    closed_at: datetime | None
    incident_id: UUID | None
    tolerance: str


class IncidentPartView(msgspec.Struct, frozen=True):
    """What an incident comes to in one currency; ``difference`` is net."""

    currency: str
    discrepancies: int
    still_open: int
    difference: str


class IncidentView(msgspec.Struct, frozen=True):
    """Discrepancies of one cause and one root, close together in time.

    ``root`` is a PSP's endpoint or ``round <id>``; ``from_at`` and ``until_at`` are when the first
    and the last of what is wrong happened. Open while any of them is. Where so much differed
    without a cause that a run stopped, ``root`` is ``the game``, ``looked`` and ``differed`` count
    its wallets, and it is open until a run is normal again.
    """

    incident_id: UUID
    cause: Cause
    root: str
    from_at: datetime
    until_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    parts: list[IncidentPartView]
    looked: int | None
    differed: int | None


def incident_view(incident: Incident) -> IncidentView:
    """An incident with decimal strings for money."""
    return IncidentView(
        incident_id=incident.incident_id,
        cause=incident.cause,
        root=incident.root,
        from_at=incident.from_at,
        until_at=incident.until_at,
        opened_at=incident.opened_at,
        closed_at=incident.closed_at,
        parts=[
            IncidentPartView(
                currency=part.currency,
                discrepancies=part.discrepancies,
                still_open=part.still_open,
                difference=format_minor(part.difference, part.currency),
            )
            for part in incident.parts
        ],
        looked=incident.looked,
        differed=incident.differed,
    )


def run_view(run: Run) -> RunView:
    """A run with plain counts."""
    counts = run.wallets
    return RunView(
        run_id=run.run_id,
        state=run.state,
        scope=run.scope,
        trigger=run.trigger,
        dry_run=run.dry_run,
        reason=run.reason,
        started_at=run.started_at,
        finished_at=run.finished_at,
        wallets=WalletsView(
            total=counts.total,
            compared=counts.compared,
            agreed=counts.agreed,
            discrepant=counts.discrepant,
            in_flight=counts.in_flight,
            not_compared=counts.not_compared,
        ),
        changes=ChangesView(
            opened=run.changes.opened,
            persisting=run.changes.persisting,
            reopened=run.changes.reopened,
            healed=run.changes.healed,
        ),
        totals=[
            TotalView(
                currency=one.currency,
                discrepancies=one.discrepancies,
                explained=format_minor(one.explained, one.currency),
                unexplained=format_minor(one.unexplained, one.currency),
                net=format_minor(one.net, one.currency),
            )
            for one in run.totals
        ],
        tolerated=[
            ToleratedView(
                currency=one.currency,
                tolerance=format_minor(one.tolerance, one.currency),
                wallets=one.wallets,
                amount=format_minor(one.amount, one.currency),
            )
            for one in run.tolerated
        ],
        progress=None if run.progress is None else _progress_view(run.progress),
        forgotten_at=run.forgotten_at,
    )


def _progress_view(progress: Progress) -> ProgressView:
    return ProgressView(
        phase=progress.phase,
        compared=progress.compared,
        waiting=progress.waiting,
        per_second=progress.per_second,
        eta_s=progress.eta_s,
        next_look_in_s=progress.next_look_in_s,
    )


def discrepancy_view(found: Discrepancy) -> DiscrepancyView:
    """A discrepancy with decimal strings for money."""

    def money(minor: int) -> str:
        return format_minor(minor, found.currency)

    def evidence(facts: Sequence[Evidence]) -> list[EvidenceView]:
        return [
            EvidenceView(
                kind=fact.kind,
                id=fact.id,
                amount=money(fact.amount),
                at=fact.at,
                summary=fact.summary,
                cause=fact.cause,
                root=fact.root,
                finding=fact.finding,
            )
            for fact in facts
        ]

    return DiscrepancyView(
        discrepancy_id=found.discrepancy_id,
        user_id=found.user_id,
        currency=found.currency,
        ledger=LedgerSide(
            available=money(found.ledger_available),
            held=money(found.ledger_held),
            reserved=money(found.ledger_reserved),
            version=found.ledger_version,
        ),
        game=GameSide(
            available=money(found.game_available),
            held=money(found.game_held),
            as_of=found.game_as_of,
        ),
        difference=money(found.difference),
        available_difference=money(found.available_difference),
        held_difference=money(found.held_difference),
        explained=money(found.explained),
        unexplained=money(found.unexplained),
        cause=found.cause,
        evidence=evidence(found.evidence),
        confidence=found.confidence,
        alternatives=[
            AlternativeView(one.confidence, evidence(one.evidence)) for one in found.alternatives
        ],
        looked_at=found.looked_at,
        status=found.status,
        severity=found.severity,
        assignee=found.assignee,
        ignored_until=found.ignored_until,
        first_seen_at=found.first_seen_at,
        last_seen_at=found.last_seen_at,
        occurrences=found.occurrences,
        first_run_id=found.first_run_id,
        last_run_id=found.last_run_id,
        closed_at=found.closed_at,
        incident_id=found.incident_id,
        tolerance=money(found.tolerance),
    )
