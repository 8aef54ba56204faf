"""Deliveries and cases as the internal API and the command line show them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from recon.webhooks.model import Kind, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.webhooks.inbox import CaseRow, Repeat
    from recon.webhooks.model import Outcome, StoredDelivery

__all__ = [
    "CasePage",
    "CaseView",
    "DeliveryDetail",
    "DeliveryPage",
    "DeliveryView",
    "RepeatView",
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


class DeliveryDetail(DeliveryView, frozen=True):
    """A delivery with its body (``null`` once redacted), headers and repeats."""

    headers: dict[str, str]
    body: str | None
    repeats: list[RepeatView]


class DeliveryPage(msgspec.Struct, frozen=True):
    """A page of the inbox."""

    items: list[DeliveryView]
    next_cursor: str | None


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


def delivery_detail(stored: StoredDelivery, repeats: Sequence[Repeat]) -> DeliveryDetail:
    """A delivery by itself; bytes that are not UTF-8 are shown as replacement characters."""
    return DeliveryDetail(
        **_fields(stored),
        headers=stored.headers,
        body=None if stored.body is None else stored.body.decode(errors="replace"),
        repeats=[
            RepeatView(repeat.received_at, repeat.body_sha256.hex(), repeat.same_bytes)
            for repeat in repeats
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
