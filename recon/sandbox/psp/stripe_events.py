"""Stripe's list of events, ``GET /v1/events``: what a receiver reads to find what it missed.

Source: Stripe API reference, "List all events"; "Pagination"; "Errors".
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Final, NamedTuple

from recon.errors import Invalid
from recon.sandbox.psp.shipment import ShipmentState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from recon.sandbox.psp.model import Event
    from recon.sandbox.psp.shipment import Shipment

__all__ = ["Listed", "list_events", "of_shipments"]

MOST: Final = 100
DEFAULT: Final = 10
MOST_TYPES: Final = 20
COMPARISONS: Final = {"gte": ge, "gt": gt, "lte": le, "lt": lt}
KNOWN: Final = frozenset(
    {"type", "types[]", "limit", "starting_after", "ending_before", "delivery_success", "created"}
    | {f"created[{name}]" for name in COMPARISONS}
)


class Listed(NamedTuple):
    """An event with whether every webhook of it was delivered."""

    event: Event
    delivered: bool


def of_shipments(shipments: Iterable[Shipment]) -> list[Listed]:
    """The events behind deliveries, newest first, each of them once."""
    events: dict[str, Listed] = {}
    for shipment in shipments:
        delivered = shipment.state is ShipmentState.DELIVERED
        seen = events.get(shipment.event.event_id)
        # One delivery of an event that was sent twice is enough for it to count as delivered.
        events[shipment.event.event_id] = Listed(
            shipment.event, delivered or (seen is not None and seen.delivered)
        )
    newest_first = list(events.values())[::-1]
    # ``created`` is whole seconds; among equals the sort keeps the order it is given.
    newest_first.sort(key=lambda row: int(row.event.created_at.timestamp()), reverse=True)
    return newest_first


def list_events(
    listed: Sequence[Listed], query: Mapping[str, str], types: Sequence[str] = ()
) -> dict[str, object]:
    """One page, as Stripe answers it.

    Args:
        listed: every event, newest first.
        query: ``type`` (``*`` matches anything), ``created`` or ``created[gte|gt|lte|lt]`` in Unix
            seconds, ``delivery_success``, ``limit`` (1 to 100, else 10), ``starting_after`` or
            ``ending_before`` an event's id.
        types: the values of ``types[]``.

    Raises:
        Invalid: ``parameter_unknown``, ``parameter_invalid``, ``parameter_invalid_integer``,
            ``resource_missing``.
    """
    for name in query:
        if name not in KNOWN:
            raise Invalid(f"Received unknown parameter: {name}", code="parameter_unknown")
    if len(types) > MOST_TYPES or (types and "type" in query):
        raise Invalid(
            f"You may pass either type or up to {MOST_TYPES} types.", code="parameter_invalid"
        )
    wanted = [row for row in listed if _matches(row, query, types)]
    limit = _integer(query.get("limit", str(DEFAULT)), "limit")
    if not 1 <= limit <= MOST:
        raise Invalid(f"limit must be between 1 and {MOST}", code="parameter_invalid_integer")
    rows, more = _page(listed, wanted, query, limit)
    return {
        "object": "list",
        "url": "/v1/events",
        "has_more": more,
        "data": [shown(row) for row in rows],
    }


def shown(row: Listed) -> dict[str, object]:
    """The event as it is now: its webhooks pending or not."""
    return {**row.event.document, "pending_webhooks": 0 if row.delivered else 1}


def _page(
    listed: Sequence[Listed], wanted: Sequence[Listed], query: Mapping[str, str], limit: int
) -> tuple[Sequence[Listed], bool]:
    places = {row.event.event_id: place for place, row in enumerate(listed)}

    def place_of(name: str) -> int:
        try:
            return places[query[name]]
        except KeyError:
            raise Invalid(f"No such event: {query[name][:64]}", code="resource_missing") from None

    if "ending_before" in query:
        border = place_of("ending_before")
        before = [row for row in wanted if places[row.event.event_id] < border]
        return before[-limit:], len(before) > limit
    if "starting_after" in query:
        border = place_of("starting_after")
        wanted = [row for row in wanted if places[row.event.event_id] > border]
    return wanted[:limit], len(wanted) > limit


def _matches(row: Listed, query: Mapping[str, str], types: Sequence[str]) -> bool:
    created = int(row.event.created_at.timestamp())
    if "type" in query and not fnmatchcase(row.event.type, query["type"]):
        return False
    if types and row.event.type not in types:
        return False
    if "created" in query and created != _integer(query["created"], "created"):
        return False
    for name, holds in COMPARISONS.items():
        bound = query.get(f"created[{name}]")
        if bound is not None and not holds(created, _integer(bound, "created")):
            return False
    success = query.get("delivery_success")
    return success is None or row.delivered == (success == "true")


def _integer(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Invalid(f"Invalid integer: {name}", code="parameter_invalid_integer") from None
