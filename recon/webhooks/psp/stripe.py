"""Stripe: signature, events and minor units.

Sources: Stripe docs, "Verify webhook signatures manually" (scheme ``v1`` only; the key is the whole
``whsec_…``); "Types of events"; "Supported currencies" (zero-decimal and special cases).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, Final

from recon.errors import Invalid
from recon.webhooks.errors import SignatureMalformedError, SignatureWrongError
from recon.webhooks.model import (
    MAX_EVENT_ID,
    Endpoint,
    Event,
    Hearsay,
    Kind,
    Reading,
    Unusable,
)
from recon.webhooks.psp.documents import UnusableError, read_document
from recon.webhooks.psp.fields import (
    mapping,
    mapping_or_empty,
    maybe,
    minor_amount,
    optional_text,
    optional_user,
    plausible_minor,
    text_of,
    unix_time,
)
from recon.webhooks.psp.signatures import check_time, key_id, seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = [
    "DECIMALS",
    "EVENT_TYPES",
    "KEPT_HEADERS",
    "check_secret",
    "read",
    "reread",
    "sign",
    "signed_at",
    "verify",
]

KEPT_HEADERS: Final = ("Content-Type", "User-Agent", "Stripe-Signature")

DECIMALS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Stripe's decimal places where they are not ISO 4217's.

ISK and UGX have none and are sent with two ("to maintain backwards compatibility"); MGA, of which
five iraimbilanja make one ariary, is sent with none. HUF and TWD are two-decimal as ever.
"""

_TIME = re.compile(r"(?:^|,)\s*t=(\d{1,18})\s*(?:,|$)", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]+", re.ASCII)

_KINDS: Final = {
    "payment_intent.processing": Kind.DEPOSIT_PENDING,
    "payment_intent.succeeded": Kind.DEPOSIT_SUCCEEDED,
    "payment_intent.payment_failed": Kind.DEPOSIT_FAILED,
    "refund.failed": Kind.DEPOSIT_REFUND_FAILED,
    "charge.dispute.funds_withdrawn": Kind.DEPOSIT_CHARGED_BACK,
    "charge.dispute.funds_reinstated": Kind.DEPOSIT_CHARGEBACK_REVERSED,
    "payout.created": Kind.WITHDRAWAL_ACCEPTED,
    "payout.paid": Kind.WITHDRAWAL_PAID,
    "payout.failed": Kind.WITHDRAWAL_FAILED,
    "payout.canceled": Kind.WITHDRAWAL_FAILED,
}

_BY_REFUND_STATUS: Final = {
    "succeeded": Kind.DEPOSIT_REFUNDED,
    "failed": Kind.DEPOSIT_REFUND_FAILED,
    "canceled": Kind.DEPOSIT_REFUND_FAILED,
}
"""``pending`` and ``requires_action`` move no money yet."""

_OWN: Final = ("payment_intent.", "payout.")
"""Types whose object is the payment itself."""

_REFUND_TYPES: Final = frozenset({"refund.created", "refund.updated", "charge.refund.updated"})

_SHOWN_TYPES: Final = frozenset({"charge.dispute.created", "charge.dispute.closed"})
"""They move no money, and people want to see them."""

EVENT_TYPES: Final = tuple(sorted({*_KINDS, *_REFUND_TYPES, *_SHOWN_TYPES}))
"""What is of use here; Stripe's list of events takes up to twenty."""

_PENDING: Final = b'"pending_webhooks"'
_COUNT = re.compile(rb"\s*:\s*[0-9]{1,9}(?=\s*[,}])")


def check_secret(secret: str) -> None:
    """Refuse what cannot be a secret; the whole of it is the key, whatever it begins with.

    Raises:
        Invalid: ``invalid_secret``.
    """
    if not re.fullmatch(r"[!-~]+", secret):
        raise Invalid("a Stripe signing secret is printable, without spaces", code="invalid_secret")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Lower hex of HMAC-SHA256 over ``<t>.<body>``, keyed by the whole secret."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> str:
    """Check ``Stripe-Signature`` over the raw body; the key that made it.

    Raises:
        SignatureMalformedError: no header, no ``t``, no ``v1``.
        SignatureWrongError: no secret makes any of its ``v1``.
        SignatureStaleError: ``t`` is too far from ``now``.
    """
    timestamp, candidates = _parse(headers.get("Stripe-Signature", ""))
    signed_at = seconds_of(timestamp)
    for index, secret in enumerate(secrets):
        expected = sign(secret, timestamp, body).encode()
        if any(hmac.compare_digest(expected, candidate) for candidate in candidates):
            check_time(signed_at, now)
            return key_id(index, secret)
    raise SignatureWrongError("no v1 signature of this body is by a secret of this endpoint")


def signed_at(headers: Mapping[str, str]) -> int | None:
    """The Unix second at which a verified call was signed."""
    found = _TIME.search(headers.get("Stripe-Signature", ""))
    return None if found is None else int(found.group(1))


def _parse(header: str) -> tuple[str, list[bytes]]:
    times: list[str] = []
    candidates: list[bytes] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1" and _SIGNATURE.fullmatch(value):
            candidates.append(value.encode())
    if len(times) != 1 or not candidates:
        raise SignatureMalformedError("Stripe-Signature has no t=<seconds> with a v1=<hex>")
    return times[0], candidates


def read(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> list[Reading]:
    """The one event of a verified call.

    Raises:
        NotJsonError: the body is not JSON.
    """
    del headers
    content = _content(body)
    document = read_document(body)
    event_id, event_type = f"sha256:{content.hex()}", "unreadable"
    event: Event | Unusable
    try:
        fields = mapping(document.sound(), "the event")
        event_id = text_of(fields, "id", most=MAX_EVENT_ID)
        event_type = text_of(fields, "type")
        event = _event(endpoint.name, event_id, event_type, fields)
    except UnusableError as error:
        event_type, hearsay = _hearsay(document.value)
        event = Unusable(
            event_id=event_id, event_type=event_type, reason=str(error), hearsay=hearsay
        )
    return [Reading(body=body, content_sha256=content, event=event)]


def _content(body: bytes) -> bytes:
    """The hash of an event's bytes without the count of its deliveries under way.

    The count, ``pending_webhooks``, is the one thing that differs when Stripe sends an event again.
    """
    start = body.rfind(_PENDING)
    count = None if start < 0 else _COUNT.match(body, start + len(_PENDING))
    if count is None:
        return hashlib.sha256(body).digest()
    return hashlib.sha256(body[: count.start()] + body[count.end() :]).digest()


def reread(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Reading:
    """The event of a kept delivery; errors as in `read`."""
    return read(endpoint, headers, body)[0]


def _event(endpoint: str, event_id: str, event_type: str, fields: dict[str, Any]) -> Event:
    data = mapping(fields.get("data"), "data")
    shown = mapping(data.get("object"), "data.object")
    kind = _kind(event_type, shown)
    if kind is None:
        return Event(
            endpoint=endpoint,
            provider="stripe",
            event_id=event_id,
            event_type=event_type,
            kind=None,
            payment_id=_payment_of_other(event_type, shown),
            event_at=unix_time(fields.get("created"), "created"),
        )
    payment_id, charge = _payment_id(event_type, shown)
    own = event_type.startswith(_OWN)
    metadata = shown.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    units = shown.get("amount_received" if kind is Kind.DEPOSIT_SUCCEEDED else "amount")
    return Event(
        endpoint=endpoint,
        provider="stripe",
        event_id=event_id,
        event_type=event_type,
        kind=kind,
        payment_id=payment_id,
        effect_id=None if own else text_of(shown, "id"),
        reference=optional_text(named, "reference") or payment_id,
        user_id=optional_user(named, "user_id"),
        amount=minor_amount(units, shown.get("currency"), decimals=DECIMALS),
        event_at=unix_time(fields.get("created"), "created"),
        also_known_as=charge if charge != payment_id else None,
    )


def _kind(event_type: str, shown: dict[str, Any]) -> Kind | None:
    if event_type in _REFUND_TYPES:
        return _BY_REFUND_STATUS.get(text_of(shown, "status"))
    return _KINDS.get(event_type)


def _hearsay(document: object) -> tuple[str, Hearsay]:
    """The type, and what a document seems to say of which no event can be made."""
    fields = mapping_or_empty(document)
    event_type = maybe(text_of, fields, "type") or "unreadable"
    shown = mapping_or_empty(mapping_or_empty(fields.get("data")).get("object"))
    kind = maybe(_kind, event_type, shown)
    if kind is None:
        return event_type, Hearsay(payment_id=_payment_of_other(event_type, shown))
    ids = maybe(_payment_id, event_type, shown)
    payment_id = None if ids is None else ids[0]
    own = event_type.startswith(_OWN)
    named = mapping_or_empty(shown.get("metadata"))
    units = shown.get("amount_received" if kind is Kind.DEPOSIT_SUCCEEDED else "amount")
    return event_type, Hearsay(
        kind=kind,
        payment_id=payment_id,
        effect_id=None if own else maybe(text_of, shown, "id"),
        reference=maybe(optional_text, named, "reference") or payment_id,
        user_id=optional_user(named, "user_id"),
        amount=plausible_minor(units, shown.get("currency"), decimals=DECIMALS),
        event_at=maybe(unix_time, fields.get("created"), "created"),
    )


def _payment_id(event_type: str, shown: dict[str, Any]) -> tuple[str, str | None]:
    """The payment's id and its charge's; a refund or dispute of old may name the charge alone."""
    if event_type.startswith("payment_intent."):
        return text_of(shown, "id"), _id_of(shown, "latest_charge")
    if event_type.startswith("payout."):
        return text_of(shown, "id"), None
    charge = _id_of(shown, "charge")
    payment_id = _id_of(shown, "payment_intent") or charge
    if payment_id is None:
        raise UnusableError("payment_intent and charge are both missing")
    return payment_id, charge


def _id_of(fields: dict[str, Any], name: str) -> str | None:
    """An id, where Stripe may have expanded it to the object."""
    found = fields.get(name)
    return optional_text(found, "id") if isinstance(found, dict) else optional_text(fields, name)


def _payment_of_other(event_type: str, shown: dict[str, Any]) -> str | None:
    """Of which payment a type that moves no money speaks, where that can be seen."""
    try:
        if event_type.startswith(_OWN):
            return optional_text(shown, "id")
        return _id_of(shown, "payment_intent")
    except UnusableError:
        return None
