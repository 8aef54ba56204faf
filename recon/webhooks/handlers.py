"""The PSPs' door, and the inbox behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from aiohttp import web

from recon import tracing
from recon.clock import now
from recon.db import POOL
from recon.errors import Invalid, ReconError
from recon.http import (
    Cursor,
    Problem,
    Scope,
    decode,
    json_response,
    operation,
    page_of,
    page_response,
    principal_of,
)
from recon.http.proxies import caller_of
from recon.webhooks.browse import InboxQuery, browse_inbox
from recon.webhooks.close_case import CloseCase, close_case
from recon.webhooks.drain import DRAIN
from recon.webhooks.inbox import list_cases
from recon.webhooks.intake import INTAKE
from recon.webhooks.measure import observe_refused
from recon.webhooks.model import State
from recon.webhooks.reading import read_call
from recon.webhooks.receive import verify_call
from recon.webhooks.replay import replay_delivery
from recon.webhooks.story import read_story
from recon.webhooks.views import (
    CasePage,
    CaseView,
    DeliveryDetail,
    DeliveryPage,
    DeliveryView,
    case_view,
    delivery_detail,
    delivery_view,
    taken,
)

if TYPE_CHECKING:
    from recon.webhooks.intake import Intake
    from recon.webhooks.model import Delivery, Endpoint

__all__ = ["routes"]

routes = web.RouteTableDef()
log = structlog.get_logger(__name__)

_AS_IT_SHOULD = frozenset({State.BOOKED, State.REPEATED, State.IGNORED})


@routes.post("/webhooks/{endpoint}")
async def take(request: web.Request) -> web.Response:
    """A PSP's call; 2xx once everything in it is durable."""
    app = request.app
    intake = app[INTAKE]
    endpoint, deliveries = await _verified(request, intake)
    outcomes = await app[DRAIN].take(deliveries)
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        # What went as it should is in the inbox, which is the log of deliveries.
        say = log.debug if outcome.state in _AS_IT_SHOULD else log.info
        say(
            "delivery_taken",
            endpoint=endpoint.name,
            event_id=outcome.event_id,
            event_type=delivery.event.event_type,
            delivery_id=str(outcome.delivery_id),
            state=outcome.state,
            verified_by=delivery.verified_by,
        )
    if endpoint.provider == "adyen":
        return web.Response(text="[accepted]")
    return json_response(taken(outcomes[0]))


async def _verified(request: web.Request, intake: Intake) -> tuple[Endpoint, list[Delivery]]:
    """Whose call it is and its deliveries; one that proves nothing is counted and then refused.

    Of a flood, no more is logged than the gate lets through.
    """
    name = ""
    try:
        endpoint = intake.endpoint(request.match_info["endpoint"])
        name = endpoint.name
        body = await read_call(request)
        with tracing.span("webhooks.verify", attributes={"recon.endpoint": name}):
            return endpoint, verify_call(endpoint, request.headers, body, now())
    except ReconError as error:
        observe_refused(name, error.code)
        caller = caller_of(request)
        intake.gate.count(caller.counted_as, name)
        log.info("call_refused", endpoint=name, code=error.code, address=caller.address)
        raise


@routes.get("/api/v1/webhooks")
@operation(
    scope=Scope.ADMIN_WEBHOOK,
    answers={200: DeliveryPage, 400: Problem},
    query={
        "state": "booked, repeated, ignored, waiting, suspended or quarantined; unsettled: the last"
        " three",
        "endpoint": "the PSP account",
        "since": "received from then on: ISO 8601, or a date",
        "until": "received before then; a date includes its day",
        "q": "a whole id of an event, payment, refund, dispute, payout, delivery or player, or a"
        " reference",
    },
)
async def inbox(request: web.Request) -> web.Response:
    """The inbox, newest first.

    A page may have fewer deliveries than asked for, or none, and a ``next_cursor``: so many were
    looked at that the search goes on with the next page.
    """
    cursor = Cursor.of(request)
    async with request.config_dict[POOL].acquire() as connection:
        page = await browse_inbox(
            connection,
            InboxQuery.parse(request.query),
            before=_id(cursor.after, "invalid_cursor"),
            limit=cursor.limit,
        )
    last = None if page.after is None else str(page.after)
    return page_response(
        request, [delivery_view(one) for one in page.rows], cursor=cursor, last=last
    )


@routes.get("/api/v1/webhooks/{delivery_id}")
@operation(scope=Scope.ADMIN_WEBHOOK, answers={200: DeliveryDetail, 400: Problem, 404: Problem})
async def show(request: web.Request) -> web.Response:
    """One delivery with its body, its repeats, what it moved and why."""
    async with request.config_dict[POOL].acquire() as connection:
        story = await read_story(connection, _path_id(request, "delivery_id"))
    return json_response(delivery_detail(story))


@routes.post("/api/v1/webhooks/{delivery_id}/replay")
@operation(
    scope=Scope.ADMIN_WEBHOOK,
    answers={200: DeliveryView, 400: Problem, 404: Problem, 409: Problem},
)
async def replay(request: web.Request) -> web.Response:
    """Decide about a delivery again; the answer is the delivery as it is then."""
    stored = await replay_delivery(
        request.config_dict[POOL],
        request.config_dict[INTAKE].endpoints,
        _path_id(request, "delivery_id"),
        actor=principal_of(request).principal_id,
    )
    return json_response(delivery_view(stored))


@routes.get("/api/v1/cases")
@operation(
    scope=Scope.READ_DISCREPANCY,
    answers={200: CasePage, 400: Problem},
    query={
        "state": "open or closed",
        "kind": "such as suspended, quarantined or payment_overdue",
    },
)
async def cases(request: web.Request) -> web.Response:
    """What people must look at besides differences of balances, newest first."""
    cursor = Cursor.of(request)
    state = request.query.get("state")
    if state not in {None, "open", "closed"}:
        raise Invalid("state is open or closed", code="invalid_state")
    async with request.config_dict[POOL].acquire() as connection:
        page = await list_cases(
            connection,
            state=state,
            kind=request.query.get("kind"),
            before=_id(cursor.after, "invalid_cursor"),
            limit=cursor.one_more,
        )
    return page_of(request, cursor, page, case_view, lambda one: one.case_id)


@routes.post("/api/v1/cases/{case_id}/close")
@operation(
    scope=Scope.WRITE_DISCREPANCY,
    body=CloseCase,
    answers={200: CaseView, 400: Problem, 404: Problem, 409: Problem},
)
async def close(request: web.Request) -> web.Response:
    """Close a case that somebody has dealt with, with the reason."""
    wanted = decode(await request.read(), CloseCase)
    closed = await close_case(
        request.config_dict[POOL],
        _path_id(request, "case_id"),
        wanted.reason,
        actor=principal_of(request).principal_id,
    )
    return json_response(case_view(closed))


def _path_id(request: web.Request, name: str) -> UUID:
    found = _id(request.match_info[name], f"invalid_{name}")
    if found is None:
        raise Invalid("an id is missing", code=f"invalid_{name}")
    return found


def _id(text: str | None, code: str) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise Invalid("this is no id of ours", code=code) from None
