"""The inbox of PSP deliveries, one of them, and its replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from recon.clock import now
from recon.db import POOL
from recon.http import Cursor
from recon.web.addresses import id_in, oldest_first
from recon.web.auth.guard import page, session_of
from recon.web.csv_pages import PAGE, cell, csv_chunks, money_cells, send_csv
from recon.web.payloads import show_payload
from recon.web.rendering import render
from recon.web.roles import Right
from recon.webhooks import (
    INTAKE,
    UNSETTLED,
    InboxQuery,
    State,
    browse_inbox,
    count_states,
    is_old_key,
    preview_replay,
    read_proofs,
    read_story,
    replay_delivery,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from recon.webhooks import Endpoint
    from recon.webhooks.model import StoredDelivery

__all__ = ["routes"]

routes = web.RouteTableDef()

_COLUMNS: Final = (
    *("delivery_id", "received_at", "event_at", "lag_s"),
    *("endpoint", "event_id", "event_type", "state", "reason"),
    *("user_id", "currency", "amount", "reference", "payment_id", "verified_by", "backfilled"),
)


@routes.get("/webhooks")
@page()
async def inbox(request: web.Request) -> web.Response:
    """The deliveries that the URL asks for, newest first or oldest."""
    wanted = InboxQuery.parse(request.query)
    cursor, oldest = Cursor.of(request), oldest_first(request)
    endpoints = _endpoints(request)
    async with request.config_dict[POOL].acquire() as connection:
        found = await browse_inbox(
            connection, wanted, before=cursor.after_id, limit=cursor.limit, oldest=oldest
        )
        counts = await count_states(connection)
        proofs = await read_proofs(connection, endpoints.values(), now=now())
    return render(
        request,
        "webhooks.html",
        wanted=wanted,
        found=found,
        oldest=oldest,
        following=None if found.after is None else cursor.seal(str(found.after)),
        is_first=cursor.after is None,
        counts=counts,
        states=[*UNSETTLED, *(state for state in State if state not in UNSETTLED)],
        endpoints=sorted(endpoints),
        proofs=proofs,
        is_old_key=is_old_key,
    )


@routes.get("/deliveries/export")
@page()
async def export(request: web.Request) -> web.StreamResponse:
    """Every delivery that the URL asks for, without its bytes, as CSV."""
    wanted, oldest = InboxQuery.parse(request.query), oldest_first(request)

    async def read(
        connection: asyncpg.Connection[Any], before: UUID | None
    ) -> tuple[list[StoredDelivery], UUID | None]:
        found = await browse_inbox(connection, wanted, before=before, limit=PAGE, oldest=oldest)
        return found.rows, found.after

    chunks = csv_chunks(request.config_dict[POOL], _COLUMNS, read, _cells)
    return await send_csv(request, chunks, "deliveries")


@routes.get("/deliveries/{delivery_id}")
@page()
async def delivery(request: web.Request) -> web.Response:
    """One delivery: what became of it, why, and what surrounds it."""
    async with request.config_dict[POOL].acquire() as connection:
        story = await read_story(connection, id_in(request, "delivery_id"))
    stored = story.delivery
    return render(
        request,
        "delivery.html",
        story=story,
        shown=stored,
        told=told(stored, moved=bool(story.moved)),
        old_key=is_old_key(stored.verified_by),
        payload=None if stored.body is None else show_payload(stored.body),
        may_replay=session_of(request).may(Right.REPLAY),
        replayed="replayed" in request.query,
    )


@routes.get("/deliveries/{delivery_id}/replay")
@page(Right.REPLAY)
async def confirm(request: web.Request) -> web.Response:
    """What a replay would do now, and the button that does it."""
    pool = request.config_dict[POOL]
    preview = await preview_replay(pool, _endpoints(request), id_in(request, "delivery_id"))
    return render(request, "replay.html", preview=preview, shown=preview.delivery)


@routes.post("/deliveries/{delivery_id}/replay")
@page(Right.REPLAY)
async def replay(request: web.Request) -> web.StreamResponse:
    """Decide about it again; its page then says what that did."""
    stored = await replay_delivery(
        request.config_dict[POOL],
        _endpoints(request),
        id_in(request, "delivery_id"),
        actor=session_of(request).actor,
    )
    raise web.HTTPSeeOther(f"/deliveries/{stored.delivery_id}?replayed=1")


def _cells(row: StoredDelivery) -> Sequence[str]:
    lag = None if row.lag is None else round(row.lag.total_seconds())
    arrived = (row.delivery_id, row.received_at, row.event_at, lag)
    before = (*arrived, row.endpoint, row.event_id, row.event_type)
    after = (row.reference, row.payment_id, row.verified_by, row.backfilled)
    return (
        *(cell(value) for value in (*before, row.state, row.reason, row.user_id)),
        *money_cells(row.amount),
        *(cell(value) for value in after),
    )


def _endpoints(request: web.Request) -> Mapping[str, Endpoint]:
    return request.config_dict[INTAKE].endpoints
