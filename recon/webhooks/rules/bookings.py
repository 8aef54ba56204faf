"""The entry of each movement; pure.

A movement's entry stands under ``psp:<endpoint>`` and ``<object>:<effect>``, where ``recon verify``
looks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from recon.ledger import rules as ledger
from recon.webhooks.model import Effect, Movement
from recon.webhooks.rules.decision import Booking

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from recon.ledger import Entry

__all__ = [
    "RELEASED",
    "against_player",
    "for_player",
    "in_suspense",
    "out_of_suspense",
    "reservation_paid",
    "reservation_voided",
]

RELEASED = ":released"

_COMES_IN = frozenset(
    {Effect.DEPOSIT, Effect.REFUND_FAILED, Effect.CHARGEBACK_REVERSED, Effect.RETURNED}
)


class _Named(TypedDict):
    kind: str
    source: str
    key: str
    event_at: datetime


def for_player(movement: Movement, kind: str) -> Booking:
    """Clearing → available."""
    named = _named(movement, kind)
    return Booking(movement, ledger.fact_for_player(movement.user_id, movement.amount, **named))


def against_player(movement: Movement, kind: str) -> Booking:
    """Available → clearing; a fact, so it may overdraw."""
    named = _named(movement, kind)
    return Booking(movement, ledger.fact_against_player(movement.user_id, movement.amount, **named))


def reservation_paid(movement: Movement, hold_id: UUID) -> Booking:
    """Reserved → clearing."""
    return Booking(
        movement,
        ledger.reservation_paid(
            movement.user_id,
            movement.amount,
            hold_id=hold_id,
            source=_source(movement),
            key=_key(movement),
            event_at=movement.event_at,
        ),
    )


def reservation_voided(movement: Movement, hold_id: UUID) -> Booking:
    """Reserved → available."""
    return Booking(
        movement,
        ledger.reservation_voided(
            movement.user_id,
            movement.amount,
            hold_id=hold_id,
            source=_source(movement),
            key=_key(movement),
            event_at=movement.event_at,
        ),
    )


def in_suspense(movement: Movement, kind: str) -> Booking:
    """Clearing → suspense for money that came in, and the other way for money that went out."""
    named = _named(movement, kind)
    owed = movement.base_effect in _COMES_IN
    return Booking(
        movement, ledger.suspended(movement.user_id, movement.amount, owed=owed, **named)
    )


def out_of_suspense(movement: Movement, kind: str) -> Entry:
    """The reverse of `in_suspense`, under the same key with ``:released`` behind it."""
    named = _named(movement, kind)
    named["key"] += RELEASED
    owed = movement.base_effect not in _COMES_IN
    return ledger.suspended(movement.user_id, movement.amount, owed=owed, **named)


def _named(movement: Movement, kind: str) -> _Named:
    return _Named(
        kind=kind, source=_source(movement), key=_key(movement), event_at=movement.event_at
    )


def _source(movement: Movement) -> str:
    return f"psp:{movement.endpoint}"


def _key(movement: Movement) -> str:
    return f"{movement.object_id}:{movement.effect}"
