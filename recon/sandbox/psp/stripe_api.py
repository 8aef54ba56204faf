"""The part of Stripe's API that finds missed events, served below ``/sandbox/psp/{endpoint}``."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

from aiohttp import web

from recon.errors import Invalid, NotFound, Unauthentic
from recon.sandbox.psp.shipment import ShipmentState
from recon.sandbox.psp.simulation import PSP
from recon.sandbox.psp.stripe_events import list_events, of_shipments, shown

if TYPE_CHECKING:
    from recon.sandbox.psp.stripe_events import Listed

__all__ = ["routes"]

BASE = "/sandbox/psp/{endpoint:[a-z][a-z0-9_]*}/v1/events"


def routes() -> list[web.RouteDef]:
    """``GET /v1/events`` and ``GET /v1/events/{id}``."""
    return [web.get(BASE, show_events), web.get(BASE + "/{event_id}", show_event)]


async def show_events(request: web.Request) -> web.Response:
    """One page of the account's events, newest first."""
    try:
        types = request.query.getall("types[]", [])
        return web.json_response(list_events(_listed(request), request.query, types))
    except (Invalid, NotFound, Unauthentic) as error:
        return _refused(error)


async def show_event(request: web.Request) -> web.Response:
    """One event."""
    event_id = request.match_info["event_id"]
    try:
        found = [row for row in _listed(request) if row.event.event_id == event_id]
    except (NotFound, Unauthentic) as error:
        return _refused(error)
    if not found:
        missing = f"No such event: '{event_id[:64]}'"
        return _refused(NotFound(missing, code="resource_missing"))
    return web.json_response(shown(found[0]))


def _listed(request: web.Request) -> list[Listed]:
    psp = request.config_dict[PSP]
    endpoint = psp.endpoints.get(request.match_info["endpoint"])
    if endpoint.provider != "stripe":
        raise NotFound(f"Unrecognized request URL (GET: {request.path})")
    given = _key(request.headers.get("Authorization", ""))
    if endpoint.api_key is None or not hmac.compare_digest(
        given.encode(), endpoint.api_key.encode()
    ):
        raise Unauthentic("Invalid API Key provided", code="api_key_invalid")
    return of_shipments(
        shipment
        for shipment in psp.courier.shipments
        if shipment.endpoint == endpoint.name
        and (endpoint.list_lost or shipment.state is not ShipmentState.LOST)
    )


def _key(authorization: str) -> str:
    """The key from ``Bearer KEY``, or from ``Basic`` with the key as its user, as Stripe takes."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("latin-1").partition(":")[0]
        except binascii.Error:
            return ""
    return value if scheme.lower() == "bearer" else ""


def _refused(error: Invalid | NotFound | Unauthentic) -> web.Response:
    """Stripe's own shape of an error."""
    status = 401 if isinstance(error, Unauthentic) else 404 if isinstance(error, NotFound) else 400
    body = {"type": "invalid_request_error", "code": error.code, "message": error.message}
    return web.json_response({"error": body}, status=status)
