"""What the intake speaks of; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from recon.money import Money

__all__ = [
    "BACKFILLED",
    "MAX_EVENT_ID",
    "MAX_ID",
    "Case",
    "CaseKind",
    "Delivery",
    "Effect",
    "Endpoint",
    "Event",
    "Hearsay",
    "Kind",
    "Movement",
    "Outcome",
    "Reading",
    "State",
    "StoredDelivery",
    "Unusable",
]

MAX_ID = 128
"""Characters in an id of a payment, a refund, a dispute or a payout, and in a reference."""

MAX_EVENT_ID = 255
"""Characters in an event's id."""

BACKFILLED = "api:"
"""How ``verified_by`` begins where no webhook brought an event: the PSP's own list did."""


class Kind(StrEnum):
    """What an event says has happened, in one vocabulary for every provider."""

    DEPOSIT_PENDING = "deposit.pending"
    DEPOSIT_SUCCEEDED = "deposit.succeeded"
    DEPOSIT_FAILED = "deposit.failed"
    DEPOSIT_REFUNDED = "deposit.refunded"
    DEPOSIT_REFUND_FAILED = "deposit.refund_failed"
    DEPOSIT_CHARGED_BACK = "deposit.charged_back"
    DEPOSIT_CHARGEBACK_REVERSED = "deposit.chargeback_reversed"
    WITHDRAWAL_ACCEPTED = "withdrawal.accepted"
    WITHDRAWAL_PAID = "withdrawal.paid"
    WITHDRAWAL_FAILED = "withdrawal.failed"
    WITHDRAWAL_RETURNED = "withdrawal.returned"


class Effect(StrEnum):
    """What a movement did; (endpoint, object, effect) is unique for ever.

    A movement that was released from suspense has a second row, ``<effect>:released``.
    """

    DEPOSIT = "deposit"
    DEPOSIT_REVERSED = "deposit_reversed"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    CHARGEBACK = "chargeback"
    SECOND_CHARGEBACK = "second_chargeback"
    CHARGEBACK_REVERSED = "chargeback_reversed"
    PAID = "paid"
    VOIDED = "voided"
    RETURNED = "returned"


class State(StrEnum):
    """What became of a delivery.

    ``booked``: its money is in the player's book. ``repeated``: another delivery booked it.
    ``ignored``: it moves no money. ``waiting``: it speaks of a payment that is not known yet.
    ``suspended``: its money is in suspense, with a case. ``quarantined``: authentic and unusable,
    with a case.
    """

    BOOKED = "booked"
    REPEATED = "repeated"
    IGNORED = "ignored"
    WAITING = "waiting"
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"


class CaseKind(StrEnum):
    """What people must look at."""

    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"
    EVENT_ID_REUSED = "event_id_reused"
    MOVEMENT_CONFLICT = "movement_conflict"
    WAITING_TOO_LONG = "waiting_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One configured PSP account.

    Args:
        name: as in ``/webhooks/<name>``.
        provider: ``stripe``, ``adyen`` or ``standard-webhooks``.
        secrets: newest first; every one is tried.
        merchant_account: the only one whose items are booked (Adyen); ``None`` for any.
        manual_capture: money comes with ``CAPTURE``; ``AUTHORISATION`` only announces it (Adyen).
    """

    name: str
    provider: str
    secrets: tuple[str, ...] = field(repr=False)
    merchant_account: str | None = None
    manual_capture: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's event in our words.

    Args:
        endpoint: the configured PSP account.
        provider: ``stripe``, ``adyen`` or ``standard-webhooks``.
        event_id: unique at the endpoint.
        event_type: the provider's own word.
        kind: what happened; ``None`` where it moves no money and changes no payment.
        payment_id: the PSP's id of the payment that it is about.
        effect_id: the refund's, dispute's or payout's own id, where it has one.
        reference: under which the payment may be registered here.
        user_id: the player whom the signed bytes name, if they may name one.
        amount: above zero, wherever there is a ``kind``.
        event_at: when it happened, by the provider.
        also_known_as: another id of the payment at the PSP (a Stripe charge).
    """

    endpoint: str
    provider: str
    event_id: str
    event_type: str
    kind: Kind | None
    payment_id: str | None = None
    effect_id: str | None = None
    reference: str | None = None
    user_id: str | None = None
    amount: Money | None = None
    event_at: datetime | None = None
    also_known_as: str | None = None


class Hearsay(msgspec.Struct, frozen=True, kw_only=True):
    """What an unusable event seems to say, read as leniently as can be.

    It is evidence, for people and for what explains a difference; nothing is ever booked by it.
    Fields as in `Event`; ``None`` where nothing plausible could be read.
    """

    kind: Kind | None = None
    payment_id: str | None = None
    effect_id: str | None = None
    reference: str | None = None
    user_id: str | None = None
    amount: Money | None = None
    event_at: datetime | None = None


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """An authentic event that nothing is booked of, with the reason."""

    event_id: str
    event_type: str
    reason: str
    hearsay: Hearsay = Hearsay()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a call: its own bytes, what a repeat of it must equal, and what it says."""

    body: bytes
    content_sha256: bytes
    event: Event | Unusable


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One verified event as it arrived.

    Args:
        delivery_id: ours, ordered by time.
        endpoint: the configured PSP account.
        provider: who sent it.
        received_at: when we had all of its bytes.
        body: the raw bytes of the event (of one item, where a provider sends many at once).
        content_sha256: what must be the same when the event id comes again.
        headers: those worth keeping; never a credential.
        verified_by: the key that verified it, as ``key:<index>:<8 hex>``; ``api:<8 hex>`` where the
            PSP's own list has it and no webhook brought it.
        event: what it says.
    """

    delivery_id: UUID
    endpoint: str
    provider: str
    received_at: datetime
    body: bytes
    content_sha256: bytes
    headers: dict[str, str]
    verified_by: str
    event: Event | Unusable

    @property
    def body_sha256(self) -> bytes:
        """What the body's hash stays when the body itself is redacted."""
        return hashlib.sha256(self.body).digest()


class Outcome(msgspec.Struct, frozen=True):
    """What became of one delivery; of a repeat, ``delivery_id`` is the first one's."""

    delivery_id: UUID
    event_id: str
    state: State
    reason: str | None


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved at a PSP, as it is booked under ``user_id`` (a player, or a suspense book).

    ``effect`` is an `Effect`, with ``:released`` behind it for the second row of a movement that
    left suspense.
    """

    endpoint: str
    object_id: str
    effect: str
    delivery_id: UUID
    payment_id: str
    also_known_as: str | None
    user_id: str
    amount: Money
    event_at: datetime

    @property
    def base_effect(self) -> str:
        """The effect, released or not."""
        return self.effect.removesuffix(":released")

    @property
    def in_suspense(self) -> bool:
        """Whether it stands in a suspense book, which no player's id can look like."""
        return self.user_id.startswith("~")


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A refund, dispute or reversal that was told by its own id, and taken for one booked before.

    That one had no id of its own. It is one of those that are told by theirs, and no second one.
    """

    endpoint: str
    payment_id: str
    effect_id: str
    kind: Kind


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people must look at."""

    case_id: UUID
    kind: CaseKind
    endpoint: str
    delivery_id: UUID
    reference: str | None
    user_id: str | None
    amount: Money | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """A delivery as the inbox has it."""

    delivery_id: UUID
    endpoint: str
    event_id: str
    provider: str
    received_at: datetime
    verified_by: str
    event_type: str
    kind: Kind | None
    payment_id: str | None
    effect_id: str | None
    reference: str | None
    user_id: str | None
    amount: Money | None
    event_at: datetime | None
    state: State
    reason: str | None
    body: bytes | None
    body_sha256: bytes
    headers: dict[str, str]

    @property
    def backfilled(self) -> bool:
        """Whether the PSP's own list told of it before any webhook did."""
        return self.verified_by.startswith(BACKFILLED)

    @property
    def lag(self) -> timedelta | None:
        """From when it happened, as the PSP says, to its arrival; below zero: clocks differ."""
        return None if self.event_at is None else self.received_at - self.event_at
