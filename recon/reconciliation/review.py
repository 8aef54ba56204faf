"""What every step of a review shares: the case, locked; who does it; and its trace.

Each step is one transaction: the case changes, its history and the audit say so, or none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recon.audit import record_action
from recon.clock import format_time
from recon.db import load
from recon.errors import NotFound
from recon.reconciliation.errors import AdjustmentProposedError, DiscrepancyClosedError
from recon.reconciliation.model import Status

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.four_eyes import Step

__all__ = ["Case", "Figures", "change_case", "earlier", "note_step", "take_case"]

_CLOSED = frozenset({Status.RESOLVED, Status.CLEARED})


@dataclass(frozen=True, slots=True)
class Figures:
    """What ledger and game showed when they were last compared, in minor units.

    ``difference`` is what people are shown; ``of_available`` that of the available money, which an
    adjustment can put right.
    """

    difference: int
    of_available: int
    ledger_available: int
    game_available: int


@dataclass(frozen=True, slots=True)
class Case:
    """What a review may change of a discrepancy, as it stands under our lock, and its figures."""

    user_id: str
    discrepancy_id: UUID
    currency: str
    status: Status
    assignee: str | None
    ignored_until: datetime | None
    shown: Figures

    @property
    def at_work(self) -> Status:
        """The status of a case that waits for nobody: somebody is at it, or nobody is."""
        return Status.OPEN if self.assignee is None else Status.INVESTIGATING

    def require_live(self) -> None:
        """Refuse what makes no sense once it is closed.

        Raises:
            DiscrepancyClosedError: it is resolved or cleared.
        """
        if self.status in _CLOSED:
            raise DiscrepancyClosedError(f"this discrepancy is {self.status}")

    def require_undecided(self) -> None:
        """Refuse what would pass over a proposal.

        Raises:
            DiscrepancyClosedError: it is resolved or cleared.
            AdjustmentProposedError: an adjustment waits for its decision.
        """
        self.require_live()
        if self.status is Status.AWAITING_APPROVAL:
            raise AdjustmentProposedError("approve or reject the proposed adjustment first")

    def as_said(self) -> dict[str, str | None]:
        """The part that history and audit keep."""
        until = self.ignored_until
        return {
            "status": self.status,
            "assignee": self.assignee,
            "ignored_until": None if until is None else format_time(until),
        }


async def take_case(connection: asyncpg.Connection[Any], discrepancy_id: UUID) -> Case:
    """Lock a discrepancy until the transaction ends.

    Raises:
        NotFound: ``discrepancy_not_found``.
    """
    row = await connection.fetchrow(load("recon.reconciliation", "case"), discrepancy_id)
    if row is None:
        raise NotFound(f"there is no discrepancy {discrepancy_id}", code="discrepancy_not_found")
    return Case(
        user_id=row["user_id"],
        discrepancy_id=discrepancy_id,
        currency=row["currency"],
        status=Status(row["status"]),
        assignee=row["assignee"],
        ignored_until=row["ignored_until"],
        shown=Figures(
            difference=int(row["difference"]),
            of_available=int(row["available_difference"]),
            ledger_available=int(row["ledger_available"]),
            game_available=int(row["game_available"]),
        ),
    )


async def earlier(
    connection: asyncpg.Connection[Any], case: Case, step: Step
) -> dict[str, Any] | None:
    """What this very step noted when it was taken before; ``None`` the first time."""
    noted: dict[str, Any] | None = await connection.fetchval(
        load("recon.reconciliation", "step"), case.user_id, case.discrepancy_id, step.step_id
    )
    return noted


async def change_case(
    connection: asyncpg.Connection[Any],
    case: Case,
    *,
    status: Status,
    assignee: str | None,
    ignored_until: datetime | None = None,
) -> Case:
    """Write what a step makes of the case; the case as it is then."""
    await connection.execute(
        load("recon.reconciliation", "change_case"),
        *(case.user_id, case.discrepancy_id, status, assignee, ignored_until),
    )
    return replace(case, status=status, assignee=assignee, ignored_until=ignored_until)


async def note_step(
    connection: asyncpg.Connection[Any],
    step: Step,
    action: str,
    *,
    before: Case,
    after: Case,
    said: dict[str, str] | None = None,
) -> None:
    """Append a step to the discrepancy's history and to the audit, with before and after."""
    detail = {**(said or {}), "before": before.as_said(), "after": after.as_said()}
    await connection.execute(
        load("recon.reconciliation", "insert_event"),
        *(before.user_id, before.discrepancy_id, step.step_id, step.actor, action, detail),
    )
    await record_action(
        connection,
        actor=step.actor,
        action=f"discrepancy.{action}",
        obj=f"discrepancy:{before.discrepancy_id}",
        **detail,
    )
