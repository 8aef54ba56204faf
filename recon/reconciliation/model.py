"""Runs, discrepancies and their evidence; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from recon.game import Priority

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from recon.db import Pool
    from recon.game import GameClient

__all__ = [
    "Alternative",
    "Cause",
    "Changes",
    "Discrepancy",
    "Evidence",
    "Finding",
    "Phase",
    "Progress",
    "Reconciler",
    "Run",
    "RunScope",
    "RunState",
    "RunTotal",
    "Severity",
    "Status",
    "Tolerated",
    "WalletCounts",
]


class RunScope(StrEnum):
    """Which wallets a run compares."""

    CHANGED = "changed"
    ALL = "all"
    USERS = "users"


class RunState(StrEnum):
    """``incomplete``: some wallets could not be compared, so it says nothing about those."""

    RUNNING = "running"
    FINISHED = "finished"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class Status(StrEnum):
    """Where a discrepancy stands; ``cleared``: a later look agreed by itself."""

    OPEN = "open"
    INVESTIGATING = "investigating"
    AWAITING_APPROVAL = "awaiting_approval"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    CLEARED = "cleared"


class Severity(StrEnum):
    """By size, and one step up when nothing explains it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Cause(StrEnum):
    """What happened, as the evidence has it."""

    MISSING_WEBHOOK = "missing_webhook"
    MISSING_GAME_UPDATE = "missing_game_update"
    DUPLICATE = "duplicate"
    AMOUNT_MISMATCH = "amount_mismatch"
    UNRESOLVED_BET = "unresolved_bet"
    MISSED_PAYOUT = "missed_payout"
    UNEXPLAINED = "unexplained"


class Finding(StrEnum):
    """What a fact says more closely than its kind and cause do.

    ``twice_here``, ``twice_there``: which side has a duplicate twice; ``adjusted``: it is of an
    adjustment. ``failed_here``: the PSP has reported here that the payment failed. ``settled``: the
    bet is over here; ``ruled``: people have said how it ended.
    """

    TWICE_HERE = "twice_here"
    TWICE_THERE = "twice_there"
    ADJUSTED = "adjusted"
    FAILED_HERE = "failed_here"
    SETTLED = "settled"
    RULED = "ruled"


@dataclass(frozen=True, slots=True)
class WalletCounts:
    """How far a run is: ``total`` = the other four once it has ended, ``agreed`` within compared.

    ``compared`` = ``agreed`` + ``discrepant`` + ``in_flight``.
    """

    total: int
    compared: int
    agreed: int
    discrepant: int
    in_flight: int
    not_compared: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run found against what was known before it; all zero until it has ended."""

    opened: int
    persisting: int
    reopened: int
    healed: int


class Phase(StrEnum):
    """What a running run does; it looks again once every wallet was looked at."""

    CUTTING = "cutting"
    SWEEPING = "sweeping"
    PAUSED = "paused"
    LOOKING_AGAIN = "looking_again"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running run is, as of now; a page's wallets count before they are written.

    Attributes:
        phase: what it does.
        compared: wallets looked at so far, those of the ladder among them.
        waiting: how many of them are on the ladder.
        per_second: wallets looked at in a second, since it began.
        eta_s: seconds until every wallet was looked at, at that rate; ``None``: nobody knows yet.
        next_look_in_s: seconds until the next one of the ladder is due; ``None``: it is empty.
    """

    phase: Phase
    compared: int
    waiting: int
    per_second: float
    eta_s: float | None
    next_look_in_s: float | None


@dataclass(frozen=True, slots=True)
class Tolerated:
    """A tolerance in force, how many wallets agreed only by it, and what that let pass in all."""

    currency: str
    tolerance: int
    wallets: int
    amount: int


@dataclass(frozen=True, slots=True)
class RunTotal:
    """What a run saw in one currency, as it explained it then; minor units.

    ``explained`` and ``unexplained`` are sums of sizes, ``net`` is that of the differences.
    """

    currency: str
    discrepancies: int
    explained: int
    unexplained: int
    net: int


@dataclass(frozen=True, slots=True)
class Run:
    """One reconciliation; since ``forgotten_at`` what it saw is not known one by one any more."""

    run_id: UUID
    state: RunState
    scope: RunScope
    trigger: str
    dry_run: bool
    reason: str | None
    started_at: datetime
    finished_at: datetime | None
    wallets: WalletCounts
    changes: Changes
    totals: tuple[RunTotal, ...]
    tolerated: tuple[Tolerated, ...]
    progress: Progress | None
    forgotten_at: datetime | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that accounts for part of a difference.

    ``amount`` is that part, signed, in minor units; ``kind`` and ``id`` name the row: ``payment``,
    ``delivery``, ``posting``, ``settlement``, ``bet`` or ``payout``. ``root`` is what facts that go
    wrong together have in common: the PSP's endpoint, the round. ``finding`` says it more closely,
    where kind and cause leave something open.
    """

    kind: str
    id: str
    amount: int
    at: datetime
    summary: str
    cause: Cause
    root: str | None = None
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """Other facts that make the difference too, and how likely it is, in per cent, that they do."""

    confidence: int
    evidence: list[Evidence]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference that stood for the grace period. Amounts are minor units of ``currency``.

    ``available_difference`` is game minus ledger of the available balance, withdrawals that may be
    on their way allowed for, and ``held_difference`` that of the held one; 0 where they agree.
    ``difference`` is the first of them that is not 0, and always ``explained + unexplained``.
    ``confidence`` is, in per cent, that the evidence is what happened; 0 where there is none.
    ``game_as_of`` is ``None`` when the game knows no such player. ``tolerance`` is what counted as
    none when it was last seen.
    """

    discrepancy_id: UUID
    user_id: str
    currency: str
    status: Status
    severity: Severity
    cause: Cause
    ledger_available: int
    ledger_held: int
    ledger_reserved: int
    ledger_version: int
    game_available: int
    game_held: int
    game_as_of: datetime | None
    available_difference: int
    held_difference: int
    difference: int
    explained: int
    unexplained: int
    evidence: list[Evidence]
    confidence: int
    alternatives: list[Alternative]
    looked_at: list[str]
    assignee: str | None
    ignored_until: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    occurrences: int
    first_run_id: UUID
    last_run_id: UUID
    closed_at: datetime | None
    incident_id: UUID | None
    tolerance: int = 0

    @property
    def of_held(self) -> bool:
        """Whether the difference is of the held money, as the available agrees."""
        return self.available_difference == 0


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What comparing needs: the ledger's pool, the game, and the rules in force.

    Args:
        pool: the ledger.
        game: the game API's client.
        grace: how long the same difference must stand before it is a discrepancy.
        tolerances: currency to the difference in minor units that counts as none.
        concurrency: balance requests under way at once, of one range.
        wanted_as: which calls at the game its own go before.
    """

    pool: Pool
    game: GameClient
    grace: timedelta
    tolerances: dict[str, int]
    concurrency: int
    wanted_as: Priority = Priority.SWEEP
