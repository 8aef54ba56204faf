"""Deliveries and cases as the internal API and the command line show them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from recon.webhooks.model import Kind, State
from recon.webhooks.telling import is_old_key, told

if TYPE_CHECKING:
    from recon.webhooks.inbox import CaseRow
    from recon.webhooks.model import Outcome, StoredDelivery
    from recon.webhooks.story import Story

__all__ = [
    "CasePage",
    "CaseView",
    "DeliveryDetail",
    "DeliveryPage",
    "DeliveryView",
    "MovedView",
    "RepeatView",
    "ReplayView",
    "Taken",
    "case_view",
    "delivery_detail",
    "delivery_view",
    "taken",
]


class Taken(msgspec.Struct, frozen=True):
    """What became of a call's event."""

    delivery_id: UUID
    event_id: str
    state: State


class DeliveryView(msgspec.Struct, frozen=True):
    """A delivery in a list; ``amount`` is a decimal string."""

    delivery_id: UUID
    endpoint: str
    provider: str
    event_id: str
    event_type: str
    kind: Kind | None
    state: State
    reason: str | None
    payment_id: str | None
    effect_id: str | None
    reference: str | None
    user_id: str | None
    amount: str | None
    currency: str | None
    event_at: datetime | None
    received_at: datetime
    verified_by: str
    backfilled: bool
    body_sha256: str


class RepeatView(msgspec.Struct, frozen=True):
    """A delivery that came again."""

    received_at: datetime
    body_sha256: str
    same_bytes: bool


class MovedView(msgspec.Struct, frozen=True):
    """A movement that a delivery has made; ``version`` is its posting's in that wallet."""

    effect: str
    object_id: str
    user_id: str
    amount: str
    currency: str
    event_at: datetime
    in_suspense: bool
    version: int | None


class ReplayView(msgspec.Struct, frozen=True):
    """Somebody had a delivery decided again."""

    at: datetime
    actor: str
    before: str
    after: str


class CaseView(msgspec.Struct, frozen=True):
    """A case; ``amount`` is a decimal string."""

    case_id: UUID
    kind: str
    state: str
    reason: str
    endpoint: str | None
    delivery_id: UUID | None
    reference: str | None
    user_id: str | None
    amount: str | None
    currency: str | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None


class DeliveryDetail(DeliveryView, frozen=True):
    """A delivery with its body (``null`` once redacted), headers, and all that surrounds it.

    ``explanation`` says in a sentence what became of it; ``same_payment`` is what this PSP said of
    the payment, in order of arrival.
    """

    headers: dict[str, str]
    body: str | None
    repeats: list[RepeatView]
    redacted: bool
    old_key: bool
    explanation: str
    moved: list[MovedView]
    cases: list[CaseView]
    same_payment: list[DeliveryView]
    replays: list[ReplayView]


class DeliveryPage(msgspec.Struct, frozen=True):
    """A page of the inbox."""

    items: list[DeliveryView]
    next_cursor: str | None


class CasePage(msgspec.Struct, frozen=True):
    """A page of cases."""

    items: list[CaseView]
    next_cursor: str | None


def taken(outcome: Outcome) -> Taken:
    """The answer to a PSP that reads one."""
    return Taken(outcome.delivery_id, outcome.event_id, outcome.state)


def delivery_view(stored: StoredDelivery) -> DeliveryView:
    """A delivery in a list."""
    return DeliveryView(**_fields(stored))


def delivery_detail(story: Story) -> DeliveryDetail:
    """A delivery by itself; bytes that are not UTF-8 are shown as replacement characters."""
    stored = story.delivery
    return DeliveryDetail(
        **_fields(stored),
        headers=stored.headers,
        body=None if stored.body is None else stored.body.decode(errors="replace"),
        repeats=[
            RepeatView(repeat.received_at, repeat.body_sha256.hex(), repeat.same_bytes)
            for repeat in story.repeats
        ],
        redacted=stored.body is None,
        old_key=is_old_key(stored.verified_by),
        explanation=told(stored, moved=bool(story.moved)),
        moved=[
            MovedView(
                effect=moved.effect,
                object_id=moved.object_id,
                user_id=moved.user_id,
                amount=str(moved.amount),
                currency=moved.amount.currency,
                event_at=moved.event_at,
                in_suspense=moved.in_suspense,
                version=moved.version,
            )
            for moved in story.moved
        ],
        cases=[case_view(case) for case in story.cases],
        same_payment=[delivery_view(one) for one in story.same_payment],
        replays=[
            ReplayView(replayed.at, replayed.actor, replayed.before, replayed.after)
            for replayed in story.replays
        ],
    )


def case_view(case: CaseRow) -> CaseView:
    """A case in a list."""
    return CaseView(
        case_id=case.case_id,
        kind=case.kind,
        state=case.state,
        reason=case.reason,
        endpoint=case.endpoint,
        delivery_id=case.delivery_id,
        reference=case.reference,
        user_id=case.user_id,
        amount=None if case.amount is None else str(case.amount),
        currency=None if case.amount is None else case.amount.currency,
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        closed_by=case.closed_by,
        closed_reason=case.closed_reason,
    )


def _fields(stored: StoredDelivery) -> dict[str, Any]:
    return {
        "delivery_id": stored.delivery_id,
        "endpoint": stored.endpoint,
        "provider": stored.provider,
        "event_id": stored.event_id,
        "event_type": stored.event_type,
        "kind": stored.kind,
        "state": stored.state,
        "reason": stored.reason,
        "payment_id": stored.payment_id,
        "effect_id": stored.effect_id,
        "reference": stored.reference,
        "user_id": stored.user_id,
        "amount": None if stored.amount is None else str(stored.amount),
        "currency": None if stored.amount is None else stored.amount.currency,
        "event_at": stored.event_at,
        "received_at": stored.received_at,
        "verified_by": stored.verified_by,
        "backfilled": stored.backfilled,
        "body_sha256": stored.body_sha256.hex(),
    }
