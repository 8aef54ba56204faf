"""The internal API's review of discrepancies: work on them, correct the ledger, export them.

These routes stand before those of `recon.reconciliation.handlers`, whose
``/api/v1/discrepancies/{discrepancy_id}`` would take ``export`` for an id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from recon.db import POOL
from recon.errors import Invalid
from recon.http import (
    Cursor,
    Problem,
    Scope,
    decode,
    json_response,
    operation,
    page_of,
    principal_of,
    step_of,
)
from recon.http.reading import from_replica
from recon.reconciliation.adjustments import AdjustmentState, list_adjustments
from recon.reconciliation.assign import assign
from recon.reconciliation.comment import comment
from recon.reconciliation.decide import approve, reject
from recon.reconciliation.export import ExportFormat
from recon.reconciliation.handlers import filter_of, uuid_of
from recon.reconciliation.history import list_events
from recon.reconciliation.ignore import ignore
from recon.reconciliation.propose import propose
from recon.reconciliation.read import read_discrepancy, read_run
from recon.reconciliation.recheck import recheck
from recon.reconciliation.review_requests import (
    AdjustmentRequest,
    ApproveRequest,
    AssignRequest,
    CommentRequest,
    IgnoreRequest,
    RecheckRequest,
    RejectRequest,
)
from recon.reconciliation.review_views import (
    AdjustmentView,
    EventView,
    adjustment_view,
    event_view,
)
from recon.reconciliation.send_export import send_export
from recon.reconciliation.then_and_now import OutdatedProblem
from recon.reconciliation.views import DiscrepancyView, RunView, discrepancy_view, run_view

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["routes"]

routes = web.RouteTableDef()


class EventPage(msgspec.Struct, frozen=True):
    """A page of a discrepancy's history, oldest first."""

    items: list[EventView]
    next_cursor: str | None


class AdjustmentPage(msgspec.Struct, frozen=True):
    """A page of adjustments, newest first."""

    items: list[AdjustmentView]
    next_cursor: str | None


_REFUSALS = {400: Problem, 404: Problem, 409: Problem, 422: Problem}


@routes.get("/api/v1/discrepancies/export")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: bytes, 400: Problem, 422: Problem},
    query={
        "format": f"one of {', '.join(ExportFormat)}; the default is csv",
        "status": "one or more, separated by commas",
        "cause": "one or more, separated by commas",
        "user_id": "only this player's",
        "run_id": "only what this run saw",
        "currency": "only this currency",
        "incident_id": "only what is part of this incident",
    },
)
@from_replica
async def export(request: web.Request) -> web.StreamResponse:
    """Every discrepancy that matches the filters, as a file; there is no page to turn."""
    return await send_export(request, filter_of(request), asked_by=principal_of(request).name)


@routes.post("/api/v1/discrepancies/{discrepancy_id}/assign")
@operation(
    scope=Scope.WRITE_DISCREPANCY, body=AssignRequest, answers={200: DiscrepancyView, **_REFUSALS}
)
async def assign_to(request: web.Request) -> web.Response:
    """Say who looks into a discrepancy."""
    wanted = decode(await request.read(), AssignRequest)
    found = await assign(
        request.config_dict[POOL], _discrepancy_id(request), wanted.assignee, step=step_of(request)
    )
    return json_response(discrepancy_view(found))


@routes.post("/api/v1/discrepancies/{discrepancy_id}/comment")
@operation(
    scope=Scope.WRITE_DISCREPANCY, body=CommentRequest, answers={201: EventView, **_REFUSALS}
)
async def say(request: web.Request) -> web.Response:
    """Comment on a discrepancy."""
    wanted = decode(await request.read(), CommentRequest)
    event = await comment(
        request.config_dict[POOL], _discrepancy_id(request), wanted.text, step=step_of(request)
    )
    return json_response(event_view(event), status=201)


@routes.post("/api/v1/discrepancies/{discrepancy_id}/ignore")
@operation(
    scope=Scope.WRITE_DISCREPANCY, body=IgnoreRequest, answers={200: DiscrepancyView, **_REFUSALS}
)
async def leave_alone(request: web.Request) -> web.Response:
    """Ignore a discrepancy; it comes back when it changes, or after ``until``."""
    wanted = decode(await request.read(), IgnoreRequest)
    found = await ignore(
        request.config_dict[POOL],
        _discrepancy_id(request),
        wanted.reason,
        until=wanted.until,
        step=step_of(request),
    )
    return json_response(discrepancy_view(found))


@routes.post("/api/v1/discrepancies/{discrepancy_id}/recheck")
@operation(scope=Scope.WRITE_DISCREPANCY, body=RecheckRequest, answers={201: RunView, **_REFUSALS})
async def look_again(request: web.Request) -> web.Response:
    """Start a run over this player's wallets; ask for it again to see what it found."""
    decode(await request.read() or b"{}", RecheckRequest)
    pool = request.config_dict[POOL]
    run_id = await recheck(pool, _discrepancy_id(request), step=step_of(request))
    async with pool.acquire() as connection:
        run = await read_run(connection, run_id)
    location = {"Location": f"/api/v1/reconciliation/runs/{run_id}"}
    return json_response(run_view(run), status=201, headers=location)


@routes.get("/api/v1/discrepancies/{discrepancy_id}/events")
@operation(scope=Scope.READ_DISCREPANCY, answers={200: EventPage, 400: Problem, 404: Problem})
async def events(request: web.Request) -> web.Response:
    """What happened to a discrepancy, oldest first."""
    cursor = Cursor.of(request)
    discrepancy_id = _discrepancy_id(request)
    async with request.config_dict[POOL].acquire() as connection:
        await read_discrepancy(connection, discrepancy_id)
        found = await list_events(
            connection, discrepancy_id, after=cursor.after_id, limit=cursor.one_more
        )
    return page_of(request, cursor, found, event_view, lambda one: one.event_id)


@routes.post("/api/v1/discrepancies/{discrepancy_id}/adjustments")
@operation(
    scope=Scope.WRITE_DISCREPANCY,
    body=AdjustmentRequest,
    answers={201: AdjustmentView, **_REFUSALS},
)
async def propose_adjustment(request: web.Request) -> web.Response:
    """Propose to correct the ledger; another principal has to approve it."""
    wanted = decode(await request.read(), AdjustmentRequest)
    adjustment = await propose(
        request.config_dict[POOL],
        _discrepancy_id(request),
        wanted.amount,
        wanted.reason,
        seen=wanted.difference,
        step=step_of(request),
    )
    return json_response(adjustment_view(adjustment), status=201)


@routes.get("/api/v1/adjustments")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: AdjustmentPage, 400: Problem},
    query={"state": f"one of {', '.join(AdjustmentState)}"},
)
async def adjustments(request: web.Request) -> web.Response:
    """Adjustments, newest first."""
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_adjustments(
            connection, state=_state(request), before=cursor.after_id, limit=cursor.one_more
        )
    return page_of(request, cursor, found, adjustment_view, lambda one: one.adjustment_id)


@routes.post("/api/v1/adjustments/{adjustment_id}/approve")
@operation(
    scope=Scope.WRITE_DISCREPANCY,
    body=ApproveRequest,
    answers={200: AdjustmentView, 403: Problem, **_REFUSALS, 409: OutdatedProblem},
)
async def approve_adjustment(request: web.Request) -> web.Response:
    """Book what another principal proposed; a run then looks whether the wallet agrees.

    409 ``stale_adjustment``: wallet or difference are others since it was proposed; propose it
    anew. 409 ``not_compared``: the wallet had moved since it was compared; re-check it first. Both
    say in ``outdated`` what ledger and game had then and have now.
    """
    wanted = decode(await request.read() or b"{}", ApproveRequest)
    adjustment = await approve(
        request.config_dict[POOL], _adjustment_id(request), wanted.reason, step=step_of(request)
    )
    return json_response(adjustment_view(adjustment))


@routes.post("/api/v1/adjustments/{adjustment_id}/reject")
@operation(
    scope=Scope.WRITE_DISCREPANCY, body=RejectRequest, answers={200: AdjustmentView, **_REFUSALS}
)
async def reject_adjustment(request: web.Request) -> web.Response:
    """Turn a proposal down, or withdraw one's own."""
    wanted = decode(await request.read(), RejectRequest)
    adjustment = await reject(
        request.config_dict[POOL], _adjustment_id(request), wanted.reason, step=step_of(request)
    )
    return json_response(adjustment_view(adjustment))


def _discrepancy_id(request: web.Request) -> UUID:
    return uuid_of(request.match_info["discrepancy_id"], "discrepancy")


def _adjustment_id(request: web.Request) -> UUID:
    return uuid_of(request.match_info["adjustment_id"], "adjustment")


def _state(request: web.Request) -> AdjustmentState | None:
    text = request.query.get("state")
    if not text:
        return None
    try:
        return AdjustmentState(text)
    except ValueError:
        known = ", ".join(AdjustmentState)
        raise Invalid(f"{text[:64]!r} is none of {known}", code="invalid_filter") from None
