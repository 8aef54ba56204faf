"""The internal API's runs and discrepancies."""

from __future__ import annotations

from typing import Annotated, TypeVar
from uuid import UUID, uuid5

import msgspec
from aiohttp import web

from recon.db import POOL
from recon.errors import Invalid, NotFound
from recon.game.handlers import game_of
from recon.http import (
    Cursor,
    Problem,
    Scope,
    caller_key,
    decode,
    json_response,
    operation,
    page_of,
    principal_of,
)
from recon.money import exponents
from recon.reconciliation.incidents import list_incidents, read_incident
from recon.reconciliation.model import Cause, RunScope, Status
from recon.reconciliation.read import (
    DiscrepancyFilter,
    list_discrepancies,
    list_runs,
    read_discrepancy,
    read_run,
)
from recon.reconciliation.start import start_run
from recon.reconciliation.views import (
    DiscrepancyView,
    IncidentView,
    RunView,
    discrepancy_view,
    incident_view,
    run_view,
)

__all__ = ["RunRequest", "filter_of", "routes", "uuid_of"]

routes = web.RouteTableDef()

_RUNS = UUID("8a7b2f6e-6d1c-5c3e-9d57-3f0f6d1c2b4a")
"""Names runs by what their caller called them: asked for twice, it is one run."""

Choice = TypeVar("Choice", Status, Cause)


class RunRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which wallets to compare; ``users`` only with the scope ``users``."""

    scope: RunScope = RunScope.CHANGED
    users: list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]] = []


class RunPage(msgspec.Struct, frozen=True):
    """A page of runs, newest first."""

    items: list[RunView]
    next_cursor: str | None


class IncidentPage(msgspec.Struct, frozen=True):
    """A page of incidents, newest first."""

    items: list[IncidentView]
    next_cursor: str | None


class DiscrepancyPage(msgspec.Struct, frozen=True):
    """A page of discrepancies, newest first."""

    items: list[DiscrepancyView]
    next_cursor: str | None


@routes.post("/api/v1/reconciliation/runs")
@operation(
    scope=Scope.RUN_RECONCILIATION,
    body=RunRequest,
    answers={201: RunView, 400: Problem, 409: Problem, 422: Problem, 503: Problem},
)
async def start(request: web.Request) -> web.Response:
    """Start a run; workers sweep it, ask for it again to see how far it is."""
    wanted = decode(await request.read() or b"{}", RunRequest)
    game_of(request)  # without a game there is nothing to compare with
    pool = request.config_dict[POOL]
    run_id = await start_run(
        pool,
        wanted.scope,
        users=wanted.users,
        trigger=f"api:{principal_of(request).principal_id}",
        run_id=uuid5(_RUNS, caller_key(request)),
    )
    async with pool.acquire() as connection:
        run = await read_run(connection, run_id)
    location = {"Location": f"/api/v1/reconciliation/runs/{run_id}"}
    return json_response(run_view(run), status=201, headers=location)


@routes.get("/api/v1/reconciliation/runs")
@operation(scope=Scope.READ_DISCREPANCY, answers={200: RunPage, 400: Problem})
async def runs(request: web.Request) -> web.Response:
    """Runs, newest first."""
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_runs(connection, before=cursor.after_id, limit=cursor.one_more)
    return page_of(request, cursor, found, run_view, lambda one: one.run_id)


@routes.get("/api/v1/reconciliation/runs/{run_id}")
@operation(scope=Scope.READ_DISCREPANCY, answers={200: RunView, 404: Problem})
async def run(request: web.Request) -> web.Response:
    """One run."""
    run_id = uuid_of(request.match_info["run_id"], "run")
    async with request.config_dict[POOL].acquire() as connection:
        found = await read_run(connection, run_id)
    return json_response(run_view(found))


@routes.get("/api/v1/discrepancies")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: DiscrepancyPage, 400: Problem},
    query={
        "status": "one or more, separated by commas",
        "cause": "one or more, separated by commas",
        "user_id": "only this player's",
        "run_id": "only what this run saw",
        "currency": "only this currency",
        "incident_id": "only what is part of this incident",
    },
)
async def discrepancies(request: web.Request) -> web.Response:
    """Discrepancies that match every filter, newest first."""
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_discrepancies(
            connection, filter_of(request), before=cursor.after_id, limit=cursor.one_more
        )
    return page_of(request, cursor, found, discrepancy_view, lambda one: one.discrepancy_id)


@routes.get("/api/v1/discrepancies/{discrepancy_id}")
@operation(scope=Scope.READ_DISCREPANCY, answers={200: DiscrepancyView, 404: Problem})
async def discrepancy(request: web.Request) -> web.Response:
    """One discrepancy with its evidence."""
    discrepancy_id = uuid_of(request.match_info["discrepancy_id"], "discrepancy")
    async with request.config_dict[POOL].acquire() as connection:
        found = await read_discrepancy(connection, discrepancy_id)
    return json_response(discrepancy_view(found))


@routes.get("/api/v1/incidents")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: IncidentPage, 400: Problem},
    query={"state": "open (the default) or all"},
)
async def incidents(request: web.Request) -> web.Response:
    """What several wallets' discrepancies have in common, newest first."""
    cursor = Cursor.of(request)
    state = request.query.get("state") or "open"
    if state not in {"open", "all"}:
        raise Invalid(f"{state[:64]!r} is none of open, all", code="invalid_filter")
    async with request.config_dict[POOL].acquire() as connection:
        found = await list_incidents(
            connection, only_open=state == "open", before=cursor.after_id, limit=cursor.one_more
        )
    return page_of(request, cursor, found, incident_view, lambda one: one.incident_id)


@routes.get("/api/v1/incidents/{incident_id}")
@operation(scope=Scope.READ_DISCREPANCY, answers={200: IncidentView, 404: Problem})
async def incident(request: web.Request) -> web.Response:
    """One incident; its discrepancies are listed by their filter ``incident_id``."""
    incident_id = uuid_of(request.match_info["incident_id"], "incident")
    async with request.config_dict[POOL].acquire() as connection:
        found = await read_incident(connection, incident_id)
    return json_response(incident_view(found))


def filter_of(request: web.Request) -> DiscrepancyFilter:
    """The filter in a request's query.

    Raises:
        Invalid: ``invalid_filter`` with what is allowed.
    """
    return DiscrepancyFilter(
        statuses=_choices(request, "status", Status),
        causes=_choices(request, "cause", Cause),
        user_id=request.query.get("user_id") or None,
        run_id=_id_in(request, "run_id"),
        currency=_currency(request),
        incident_id=_id_in(request, "incident_id"),
    )


def uuid_of(text: str, what: str) -> UUID:
    """An id in a path.

    Raises:
        NotFound: it is no id of ours, so nothing has it.
    """
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"there is no {what} {text[:64]!r}", code=f"{what}_not_found") from None


def _id_in(request: web.Request, name: str) -> UUID | None:
    text = request.query.get(name)
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid(f"{name} cannot be {text!r:.64}", code="invalid_filter") from None


def _currency(request: web.Request) -> str | None:
    text = request.query.get("currency")
    if text and text not in exponents():
        raise Invalid(f"{text[:64]!r} is no currency here", code="invalid_filter")
    return text or None


def _choices(request: web.Request, name: str, kind: type[Choice]) -> tuple[Choice, ...] | None:
    """Given once with commas, or several times."""
    text = ",".join(filter(None, request.query.getall(name, [])))
    if not text:
        return None
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        known = ", ".join(kind)
        raise Invalid(f"{text[:64]!r} is none of {known}", code="invalid_filter") from None
