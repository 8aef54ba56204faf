"""What a PSP has said under a reference before anything was registered under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from recon.db import load
from recon.webhooks.batch import lock_names
from recon.webhooks.errors import ReferenceAmbiguousError
from recon.webhooks.model import Event
from recon.webhooks.queries import delivery_of
from recon.webhooks.rereading import event_of

if TYPE_CHECKING:
    import asyncpg

    from recon.webhooks.model import StoredDelivery

__all__ = ["Heard", "hear", "names_of"]

_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Heard:
    """A kept delivery; ``event`` where it may be decided otherwise now."""

    stored: StoredDelivery
    event: Event | None


async def hear(connection: asyncpg.Connection[Any], endpoint: str, reference: str) -> list[Heard]:
    """What was said of a reference at an endpoint, oldest event first.

    Raises:
        ReferenceAmbiguousError: so much that it cannot be one payment.
    """
    rows = await connection.fetch(
        load("recon.webhooks", "find_heard"), endpoint, reference, _MOST + 1
    )
    if len(rows) > _MOST:
        raise ReferenceAmbiguousError(
            f"more than {_MOST} deliveries speak of this reference: it is no payment's own"
        )
    return [_heard(delivery_of(row)) for row in rows]


def names_of(heard: list[Heard]) -> set[tuple[str, str]]:
    """(endpoint, id) of all that these deliveries speak of, to be locked."""
    told = {
        (one.stored.endpoint, name)
        for one in heard
        for name in (one.stored.payment_id, one.stored.effect_id)
        if name is not None
    }
    return told | lock_names(one.event for one in heard if one.event is not None)


def _heard(stored: StoredDelivery) -> Heard:
    event = event_of(stored)
    if not isinstance(event, Event):
        return Heard(stored, None)
    # As it was read under its endpoint's settings: where money comes with its capture, an
    # authorisation has only announced it.
    return Heard(stored, replace(event, kind=stored.kind))
