"""Group discrepancies that share one root: an endpoint that was down, a batch that was lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from recon.clock import new_id
from recon.db import load
from recon.errors import NotFound
from recon.reconciliation.model import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

__all__ = ["Incident", "IncidentPart", "group_incidents", "list_incidents", "read_incident"]

_log = structlog.get_logger(__name__)

_LONGEST_PAUSE: Final = timedelta(minutes=10)
_FEWEST_PLAYERS: Final = 3


@dataclass(frozen=True, slots=True)
class IncidentPart:
    """What an incident comes to in one currency; ``difference`` is net, in minor units."""

    currency: str
    discrepancies: int
    still_open: int
    difference: int


@dataclass(frozen=True, slots=True)
class Incident:
    """Discrepancies of one cause and one root, close together in time.

    Attributes:
        incident_id: its id.
        cause: of each of them.
        root: what they have in common: a PSP's endpoint, ``round <id>``.
        from_at: when the first of their facts happened.
        until_at: when the last did.
        opened_at: when it was found.
        closed_at: when the last of them had closed.
        parts: by currency.
        looked: how many wallets the run had looked at that stopped because of it; ``None`` for what
            groups discrepancies.
        differed: how many of those differed, and nothing explains it.
        more_than: there are more than so many, of which ``parts`` are the first; ``None``: all.
    """

    incident_id: UUID
    cause: Cause
    root: str
    from_at: datetime
    until_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    parts: Sequence[IncidentPart]
    looked: int | None = None
    differed: int | None = None
    more_than: int | None = None

    @property
    def discrepancies(self) -> int:
        """How many there were in all."""
        return sum(part.discrepancies for part in self.parts)

    @property
    def still_open(self) -> int:
        """How many of them people still have to deal with."""
        return sum(part.still_open for part in self.parts)


async def group_incidents(connection: asyncpg.Connection[Any], run_id: UUID) -> None:
    """Group what a run that has ended saw with what is open beside it.

    Three players or more make an incident, where no pause between their facts is longer than ten
    minutes; what comes late joins one that is still open, and what comes back opens it again. In
    the commit that ends the run, so that whoever is killed leaves nothing ungrouped.
    """
    await connection.execute(load("recon.reconciliation", "lock_incidents"))
    await connection.execute(load("recon.reconciliation", "reopen_incidents"), run_id)
    islands = await connection.fetch(
        load("recon.reconciliation", "islands"), run_id, _LONGEST_PAUSE, _FEWEST_PLAYERS
    )
    for island in islands:
        incident_id = island["incident_id"] or new_id()
        about = (island["cause"], island["root"], island["from_at"], island["until_at"])
        await connection.execute(load("recon.reconciliation", "save_incident"), incident_id, *about)
        await connection.execute(load("recon.reconciliation", "join_incident"), incident_id, *about)
        if island["incident_id"] is None:
            cause, root, *_ = about
            _log.warning("incident_opened", incident_id=str(incident_id), cause=cause, root=root)
    await connection.execute(load("recon.reconciliation", "close_incidents"))


async def list_incidents(
    connection: asyncpg.Connection[Any],
    *,
    only_open: bool,
    before: UUID | None = None,
    limit: int = 50,
    at_most: int | None = None,
) -> list[Incident]:
    """A page of incidents, newest first; of each ``at_most`` so many discrepancies are added up."""
    rows = await connection.fetch(
        load("recon.reconciliation", "incidents"),
        *(only_open, None, before, limit, None if at_most is None else at_most + 1),
    )
    return [_incident(row, at_most) for row in rows]


async def read_incident(
    connection: asyncpg.Connection[Any], incident_id: UUID, *, at_most: int | None = None
) -> Incident:
    """An incident, of which ``at_most`` so many discrepancies are added up.

    Raises:
        NotFound: ``incident_not_found``.
    """
    any_state = False
    row = await connection.fetchrow(
        load("recon.reconciliation", "incidents"),
        *(any_state, incident_id, None, 1, None if at_most is None else at_most + 1),
    )
    if row is None:
        raise NotFound(f"there is no incident {incident_id}", code="incident_not_found")
    return _incident(row, at_most)


def _incident(row: asyncpg.Record, at_most: int | None) -> Incident:
    found = sum(part["discrepancies"] for part in row["parts"])
    return Incident(
        incident_id=row["incident_id"],
        cause=Cause(row["cause"]),
        root=row["root"],
        from_at=row["from_at"],
        until_at=row["until_at"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        parts=[
            IncidentPart(
                part["currency"],
                part["discrepancies"],
                part["still_open"],
                int(part["difference"]),
            )
            for part in row["parts"]
        ],
        looked=row["looked"],
        differed=row["differed"],
        more_than=at_most if at_most is not None and found > at_most else None,
    )
