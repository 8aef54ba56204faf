"""What waits for a second pair of eyes, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from recon.bets.by_hand import RulingState, list_rulings
from recon.db import POOL
from recon.errors import Invalid
from recon.http import Cursor
from recon.money import Money
from recon.reconciliation.adjustments import AdjustmentState, list_adjustments, read_adjustment
from recon.reconciliation.decide import approve, reject
from recon.web.addresses import id_in, sort_in
from recon.web.auth.guard import page, session_of
from recon.web.csv_pages import PAGE, cell, csv_chunks, last_of, money_cells, send_csv
from recon.web.forms import field, step_of, words
from recon.web.rendering import render
from recon.web.roles import Right

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

    from recon.bets.by_hand import Ruling
    from recon.reconciliation.adjustments import Adjustment

__all__ = ["routes"]

routes = web.RouteTableDef()

_COLUMNS: Final = (
    *("proposal", "id", "about", "user_id", "currency", "amount", "outcome", "state", "stale"),
    *("proposed_by", "proposed_at", "reason", "decided_by", "decided_at", "decision_reason"),
)
_ADJUSTMENTS: Final = "adjustment"
_RULINGS: Final = "ruling"


@routes.get("/approvals")
@page()
async def approvals(request: web.Request) -> web.Response:
    """Proposals in one state, by age or amount; those that wait, where the URL names none.

    Rulings of bets come first. They are few: the page on which the last of them stands goes on with
    adjustments.
    """
    cursor, state, sort = Cursor.of(request), _state(request), sort_in(request, "amount")
    kind, before = _place(cursor)
    rulings: Sequence[Ruling] = []
    async with request.config_dict[POOL].acquire() as connection:
        if kind == _RULINGS:
            rulings = await list_rulings(
                connection,
                state=RulingState(state),
                before=before,
                limit=cursor.one_more,
                sort=sort,
            )
            before = None
        adjustments = await list_adjustments(
            connection, state=state, before=before, limit=cursor.one_more, sort=sort
        )
    following = None
    if len(rulings) > cursor.limit:
        rulings, adjustments = rulings[: cursor.limit], []
        following = cursor.seal(f"{_RULINGS}:{rulings[-1].ruling_id}")
    elif len(adjustments) > cursor.limit:
        adjustments = adjustments[: cursor.limit]
        following = cursor.seal(f"{_ADJUSTMENTS}:{adjustments[-1].adjustment_id}")
    return render(
        request,
        "approvals.html",
        adjustments=adjustments,
        rulings=rulings,
        state=state,
        sort=sort,
        states=list(AdjustmentState),
        following=following,
        is_first=cursor.after is None,
    )


@routes.get("/approvals/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """Every proposal in one state, rulings of bets first, as CSV."""
    state, sort = _state(request), sort_in(request, "amount")

    async def read(
        connection: asyncpg.Connection[Any], place: tuple[str, UUID | None] | None
    ) -> tuple[Sequence[Sequence[str]], tuple[str, UUID | None] | None]:
        kind, before = place or (_RULINGS, None)
        if kind == _ADJUSTMENTS:
            found = await list_adjustments(
                connection, state=state, before=before, limit=PAGE, sort=sort
            )
            last = last_of(found, lambda row: row.adjustment_id)
            return [_of_adjustment(row) for row in found], None if last is None else (kind, last)
        ruled = await list_rulings(
            connection, state=RulingState(state), before=before, limit=PAGE, sort=sort
        )
        last = last_of(ruled, lambda row: row.ruling_id)
        return [_of_ruling(row) for row in ruled], (kind if last else _ADJUSTMENTS, last)

    chunks = csv_chunks(request.config_dict[POOL], _COLUMNS, read, list)
    return await send_csv(request, chunks, f"approvals-{state}")


@routes.post("/adjustments/{adjustment_id}/approve")
@page(Right.APPROVE)
async def book(request: web.Request) -> web.StreamResponse:
    """Book what another proposed; the run that looks at the wallet then begins by itself."""
    said = await field(request, "reason") or None
    adjustment = await approve(
        request.config_dict[POOL],
        id_in(request, "adjustment_id"),
        said,
        step=await step_of(request),
    )
    raise _to(adjustment)


@routes.post("/adjustments/{adjustment_id}/reject")
@page(Right.PROPOSE)
async def turn_down(request: web.Request) -> web.StreamResponse:
    """Turn a proposal down; whoever made it may withdraw it, an approver any."""
    adjustment_id, pool = id_in(request, "adjustment_id"), request.config_dict[POOL]
    async with pool.acquire() as connection:
        proposed = await read_adjustment(connection, adjustment_id)
    session_of(request).require_may_turn_down(proposed.proposed_by)
    adjustment = await reject(
        pool, adjustment_id, await words(request, "reason", "Say why"), step=await step_of(request)
    )
    raise _to(adjustment)


def _place(cursor: Cursor) -> tuple[str, UUID | None]:
    """Of which kind the page begins, and after which of them."""
    if cursor.after is None:
        return _RULINGS, None
    kind, _, last = cursor.after.partition(":")
    if kind not in {_RULINGS, _ADJUSTMENTS}:
        raise Invalid("the cursor is none of ours", code="invalid_cursor")
    return kind, Cursor(last, cursor.limit).after_id


def _of_adjustment(row: Adjustment) -> list[str]:
    what = (_ADJUSTMENTS, row.adjustment_id, row.discrepancy_id, row.user_id)
    return [
        *(cell(value) for value in what),
        *money_cells(Money(row.amount, row.currency)),
        "",
        *_decided(row),
    ]


def _of_ruling(row: Ruling) -> list[str]:
    what = (_RULINGS, row.ruling_id, row.bet_id, row.user_id)
    payout = money_cells(row.payout)[1]
    return [*(cell(value) for value in what), row.currency, payout, row.outcome, *_decided(row)]


def _decided(row: Adjustment | Ruling) -> list[str]:
    values = (row.state, row.state == "proposed" and row.moved, row.proposed_by, row.proposed_at)
    decided = (row.reason, row.decided_by, row.decided_at, row.decision_reason)
    return [cell(value) for value in (*values, *decided)]


def _to(adjustment: Adjustment) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"/discrepancies/{adjustment.discrepancy_id}#fix")


def _state(request: web.Request) -> AdjustmentState:
    text = request.query.get("state") or AdjustmentState.PROPOSED
    try:
        return AdjustmentState(text)
    except ValueError:
        raise Invalid(f"state cannot be {text[:64]!r}", code="invalid_filter") from None
