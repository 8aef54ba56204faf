"""One run with what surrounds it: the run before, and what healed or came back in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.db import load, load_in_order
from recon.reconciliation import read_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.reconciliation import Run
    from recon.reconciliation.model import RunTotal

__all__ = ["CurrencyChange", "Returned", "RunDetail", "list_returned", "read_run_detail"]


@dataclass(frozen=True, slots=True)
class CurrencyChange:
    """What a run saw in one currency, and what the run before did; minor units.

    Either is ``None`` where that run saw no difference in it.
    """

    currency: str
    total: RunTotal | None
    before: RunTotal | None

    @property
    def discrepancies(self) -> int:
        """How many more there are than in the run before."""
        return _of(self.total, "discrepancies") - _of(self.before, "discrepancies")

    @property
    def net(self) -> int:
        """How far the net has moved since."""
        return _of(self.total, "net") - _of(self.before, "net")

    @property
    def unexplained(self) -> int:
        """How much more is unexplained, gross."""
        return _of(self.total, "unexplained") - _of(self.before, "unexplained")


@dataclass(frozen=True, slots=True)
class Returned:
    """A discrepancy that healed in a run, or came back; ``difference`` in minor units."""

    discrepancy_id: UUID
    user_id: str
    currency: str
    standing: str
    difference: int
    seen_at: datetime
    first_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunDetail:
    """Everything on the page.

    Attributes:
        run: it.
        before: the run before it, over what changed or everything; ``None``: there is none, or it
            is not to be compared with any, as it has not ended, was dry or over named players.
        changes: by currency, against ``before``.
        returned: a page of what healed or came back.
        after: names the last row of it when more follow.
    """

    run: Run
    before: Run | None
    changes: Sequence[CurrencyChange]
    returned: Sequence[Returned]
    after: UUID | None


async def read_run_detail(
    connection: asyncpg.Connection[Any],
    run_id: UUID,
    *,
    after: UUID | None = None,
    limit: int = 50,
    newest: bool = False,
) -> RunDetail:
    """Read the page.

    Args:
        connection: any.
        run_id: which run.
        after: what healed or came back is shown from after this discrepancy on.
        limit: how many of those.
        newest: the newest of those come first, not the oldest.

    Raises:
        NotFound: ``run_not_found``.
    """
    run = await read_run(connection, run_id)
    earlier = await connection.fetchval(load("recon.web", "run_before"), run_id)
    before = None if earlier is None else await read_run(connection, earlier)
    found = await list_returned(connection, run_id, after=after, limit=limit + 1, newest=newest)
    returned = found[:limit]
    return RunDetail(
        run=run,
        before=before,
        changes=_changes(run, before),
        returned=returned,
        after=returned[-1].discrepancy_id if len(found) > limit else None,
    )


async def list_returned(
    connection: asyncpg.Connection[Any],
    run_id: UUID,
    *,
    after: UUID | None = None,
    limit: int = 50,
    newest: bool = False,
) -> list[Returned]:
    """What healed in a run or came back: oldest first or ``newest``, after a discrepancy."""
    statement = load_in_order("recon.web", "returned", turned=newest)
    rows = await connection.fetch(statement, run_id, after, limit)
    return [
        Returned(
            row["discrepancy_id"],
            row["user_id"],
            row["currency"],
            row["standing"],
            int(row["difference"]),
            row["seen_at"],
            row["first_seen_at"],
        )
        for row in rows
    ]


def _changes(run: Run, before: Run | None) -> list[CurrencyChange]:
    totals = {total.currency: total for total in run.totals}
    earlier = {total.currency: total for total in (() if before is None else before.totals)}
    return [
        CurrencyChange(currency, totals.get(currency), earlier.get(currency))
        for currency in sorted(totals.keys() | earlier.keys())
    ]


def _of(total: RunTotal | None, name: str) -> int:
    amount: int = 0 if total is None else getattr(total, name)
    return amount
