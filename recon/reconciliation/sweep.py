"""Sweep one range of a run: page by page, each page and its cursor in one commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import structlog

from recon.db import load, with_retries
from recon.game import Priority
from recon.reconciliation.breaker import Counted, may_be_one_fault
from recon.reconciliation.look import Look, LookState, look_at_page
from recon.reconciliation.model import RunScope
from recon.reconciliation.record import record_agreements
from recon.reconciliation.tolerance import count_tolerated, note_tolerances

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.reconciliation.model import Reconciler

__all__ = ["STALE_AFTER", "sweep_range"]

log = structlog.get_logger(__name__)

_PAGE = 500
STALE_AFTER = timedelta(seconds=30)
"""A range that nobody has touched for so long has lost its worker."""
_TOUCH_EVERY_S = 1.0
_PAUSED_S = 0.5
# Players who are named are those of whom somebody wants to know: a re-check, a run on demand.
_WANTED_AS = {
    RunScope.USERS: Priority.SUSPECT,
    RunScope.CHANGED: Priority.CHANGED,
    RunScope.ALL: Priority.SWEEP,
}


@dataclass(frozen=True, slots=True)
class _Range:
    run_id: UUID
    first_user: str
    last_user: str
    fence: int
    scope: RunScope
    dry_run: bool


async def sweep_range(reconciler: Reconciler, run_id: UUID, first_user: str) -> bool:
    """Look at every wallet of a range once, from where its cursor stands.

    Returns:
        Whether the range was finished here; not when it was finished before, its run has ended,
        or another worker holds it or took it over in between.
    """
    async with reconciler.pool.acquire() as connection:
        row = await connection.fetchrow(
            load("recon.reconciliation", "claim_range"), run_id, first_user, STALE_AFTER
        )
        if row is not None:
            await note_tolerances(connection, run_id, reconciler.tolerances)
    if row is None:
        return False
    claimed = _Range(
        run_id=run_id,
        first_user=first_user,
        last_user=row["last_user"],
        fence=row["fence"],
        scope=RunScope(row["scope"]),
        dry_run=row["dry_run"],
    )
    reconciler = replace(reconciler, wanted_as=_WANTED_AS[claimed.scope])
    at = (row["at_user"], row["at_currency"])
    while await _goes_on(reconciler, claimed):
        page = await _page(reconciler, claimed, at)
        looks = await _look(reconciler, claimed, page)
        at = page[-1] if page else at
        done = len(page) < _PAGE
        if not await _commit(reconciler, claimed, looks, at, done=done):
            break
        if done:
            return True
    log.info("range_left", run_id=str(run_id), first_user=first_user)
    return False


async def _goes_on(reconciler: Reconciler, claimed: _Range) -> bool:
    """Whether to look at the next page; waits for as long as the run is being looked into."""
    while True:
        async with reconciler.pool.acquire() as connection:
            paused = await connection.fetchval(
                load("recon.reconciliation", "touch_range"),
                *(claimed.run_id, claimed.first_user, claimed.fence, 0),
            )
        if not paused:
            return paused is not None
        await asyncio.sleep(_PAUSED_S)


async def _look(
    reconciler: Reconciler, claimed: _Range, page: Sequence[tuple[str, str]]
) -> list[Look]:
    """Look at a page, saying meanwhile how far we are: slowness must not cost us the range."""
    if not page:
        return []
    under_way = 0

    def looked() -> None:
        nonlocal under_way
        under_way += 1

    looking = asyncio.ensure_future(look_at_page(reconciler, page, looked=looked))
    try:
        while True:
            await asyncio.wait({looking}, timeout=_TOUCH_EVERY_S)
            if looking.done():
                return looking.result()
            async with reconciler.pool.acquire() as connection:
                paused = await connection.fetchval(
                    load("recon.reconciliation", "touch_range"),
                    *(claimed.run_id, claimed.first_user, claimed.fence, under_way),
                )
            if paused is None:
                return []  # the cursor will not move either: somebody else is at it
    finally:
        looking.cancel()


async def _page(
    reconciler: Reconciler, claimed: _Range, at: tuple[str, str]
) -> list[tuple[str, str]]:
    async with reconciler.pool.acquire() as connection:
        if claimed.scope is RunScope.ALL:
            rows = await connection.fetch(
                load("recon.reconciliation", "page_all"), *at, claimed.last_user, _PAGE
            )
        else:
            rows = await connection.fetch(
                load("recon.reconciliation", "page_taken"),
                *(*at, claimed.last_user, _PAGE, claimed.run_id),
            )
    return [(row["user_id"], row["currency"]) for row in rows]


@with_retries
async def _commit(
    reconciler: Reconciler,
    claimed: _Range,
    looks: Sequence[Look],
    at: tuple[str, str],
    *,
    done: bool,
) -> bool:
    """Write a page's findings and move the cursor; not if the fence has moved on.

    Where so much of the range differs that it may be one fault, the same commit lets the run wait.
    """
    try:
        async with reconciler.pool.acquire() as connection, connection.transaction():
            await _write(connection, reconciler, claimed, looks, at, done=done)
    except _LostError:
        return False
    return True


class _LostError(Exception):
    """The range is another's by now, or its run has ended: nothing of the page is written."""


async def _write(
    connection: asyncpg.Connection[Any],
    reconciler: Reconciler,
    claimed: _Range,
    looks: Sequence[Look],
    at: tuple[str, str],
    *,
    done: bool,
) -> None:
    agreed = [look for look in looks if look.state is LookState.AGREES]
    suspects = [look for look in looks if look.state is not LookState.AGREES]
    counted = await _count(connection, looks)
    moved = await connection.fetchrow(
        load("recon.reconciliation", "move_cursor"),
        *(claimed.run_id, claimed.first_user, claimed.fence, *at, done, *counted),
    )
    if moved is None:
        raise _LostError
    if not claimed.dry_run:
        await record_agreements(connection, agreed, run_id=claimed.run_id)
    await _suspect(connection, reconciler, claimed.run_id, suspects)
    await count_tolerated(connection, claimed.run_id, agreed, reconciler.tolerances)
    # Last, because all ranges of the run wait for its row. Players who are named were chosen, often
    # because they complain: how many of them differ tells nothing of the others.
    so_far = Counted(moved["looked"], moved["differed"])
    if (
        claimed.scope is not RunScope.USERS
        and not moved["suspected"]
        and may_be_one_fault(counted, so_far, excused=moved["excused"])
    ):
        await connection.execute(
            load("recon.reconciliation", "suspect_range"), claimed.run_id, claimed.first_user
        )
    running = await connection.fetchval(
        load("recon.reconciliation", "count_wallets"), claimed.run_id, len(agreed), 0, 0, 0
    )
    if running is None:
        raise _LostError


async def _count(connection: asyncpg.Connection[Any], looks: Sequence[Look]) -> Counted:
    """A page's wallets as the breaker counts them: without those that have a discrepancy."""
    looked = sum(look.state is not LookState.UNANSWERED for look in looks)
    differed = [look for look in looks if look.state is LookState.DIFFERS]
    if not differed:
        return Counted(looked, 0)
    known = await connection.fetchval(
        load("recon.reconciliation", "count_known"),
        [look.user_id for look in differed],
        [look.currency for look in differed],
    )
    return Counted(looked - known, len(differed) - known)


async def _suspect(
    connection: asyncpg.Connection[Any],
    reconciler: Reconciler,
    run_id: UUID,
    looks: Sequence[Look],
) -> None:
    if not looks:
        return
    states = {LookState.DIFFERS: "differs", LookState.UNANSWERED: "unanswered"}
    seen = [look.comparison for look in looks]
    await connection.execute(
        load("recon.reconciliation", "insert_suspects"),
        run_id,
        [look.user_id for look in looks],
        [look.currency for look in looks],
        [states.get(look.state, "in_flight") for look in looks],
        [Decimal(c.available_difference if c else 0) for c in seen],
        [Decimal(c.held_difference if c else 0) for c in seen],
        [look.reason for look in looks],
        reconciler.grace / 2,
    )
