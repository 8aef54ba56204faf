"""Adyen: every item of a notification is signed and read by itself.

The signature covers eight fields and nothing else, so only they may move money or name somebody;
``eventDate`` is kept for people and decides nothing. Nothing is escaped in what is signed, so a
field that holds a colon could stand for other fields: such an item is unusable.

Sources: Adyen docs, "Verify HMAC signatures"; "Webhook structure and types"; "Dispute webhooks"
(all events of a dispute have one pspReference, originalReference is the payment's); "Capture"
(each capture has its own pspReference and its own webhook, also where a payment has several partial
ones; originalReference is the payment's); "Payout webhook"; "Currency codes and minor units".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

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
    iso_time,
    mapping,
    mapping_or_empty,
    maybe,
    minor_amount,
    optional_text,
    plausible_minor,
    text_of,
)
from recon.webhooks.psp.signatures import decode_base64, key_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = [
    "DECIMALS",
    "KEPT_HEADERS",
    "check_secret",
    "read",
    "reread",
    "sign",
    "signed_at",
    "signed_string",
    "verify",
]

KEPT_HEADERS: Final = ("Content-Type", "User-Agent")

DECIMALS: Final = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
"""Adyen's decimal places where they are not ISO 4217's, as its own table marks them."""

_EFFECTS: Final = {
    "REFUND": Kind.DEPOSIT_REFUNDED,
    "REFUND_FAILED": Kind.DEPOSIT_REFUND_FAILED,
    "REFUNDED_REVERSED": Kind.DEPOSIT_REFUND_FAILED,
    "CHARGEBACK": Kind.DEPOSIT_CHARGED_BACK,
    "SECOND_CHARGEBACK": Kind.DEPOSIT_CHARGED_BACK,
    "CHARGEBACK_REVERSED": Kind.DEPOSIT_CHARGEBACK_REVERSED,
}
"""What befalls a payment under a pspReference of its own."""

_PAYMENTS: Final = {
    ("AUTHORISATION", True): Kind.DEPOSIT_SUCCEEDED,
    ("AUTHORISATION", False): Kind.DEPOSIT_FAILED,
    ("CAPTURE", True): Kind.DEPOSIT_SUCCEEDED,
    ("CAPTURE_FAILED", True): Kind.DEPOSIT_FAILED,
    ("PAYOUT_THIRDPARTY", True): Kind.WITHDRAWAL_ACCEPTED,
    ("PAYOUT_THIRDPARTY", False): Kind.WITHDRAWAL_FAILED,
    ("PAYOUT_DECLINE", True): Kind.WITHDRAWAL_FAILED,
    ("PAYOUT_EXPIRE", True): Kind.WITHDRAWAL_FAILED,
    ("PAIDOUT_REVERSED", True): Kind.WITHDRAWAL_RETURNED,
}
"""The payment's own fate. A modification with success=false was refused and has moved nothing."""

_CAPTURES: Final = {"CAPTURE", "CAPTURE_FAILED"}
"""A payment may have several: the pspReference says which."""


class _Wrapped(msgspec.Struct):
    item: msgspec.Raw = msgspec.field(name="NotificationRequestItem")


class _Notification(msgspec.Struct):
    items: list[_Wrapped] = msgspec.field(name="notificationItems")


def check_secret(secret: str) -> None:
    """Refuse a key that is not written in hex.

    Raises:
        Invalid: ``invalid_secret``.
    """
    if not _key(secret):
        raise Invalid("an Adyen HMAC key is written in hex", code="invalid_secret")


def signed_string(item: Mapping[str, Any]) -> str:
    """The eight signed fields joined by colons; a missing one is empty, nothing is escaped.

    Raises:
        ValueError: one of them is no text, whole number or boolean.
    """
    return ":".join(_signed_fields(item))


def sign(secret: str, item: Mapping[str, Any]) -> str:
    """Base64 of HMAC-SHA256 over `signed_string`, keyed by the hex-decoded secret."""
    mac = hmac.new(_key(secret), signed_string(item).encode(), hashlib.sha256).digest()
    return base64.b64encode(mac).decode()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> str:
    """Check the signature of every item; the oldest key that was needed.

    Adyen signs no time, so nothing can be stale.

    Raises:
        SignatureMalformedError: no items, or one without a signature that could be one.
        SignatureWrongError: no secret made the signature of one of them.
        NotJsonError: there is nothing in which a signature could stand.
    """
    del headers, now
    oldest = 0
    for item in _items(read_document(body).value):
        given = _given(item)
        try:
            signed = signed_string(item).encode()
        except ValueError:
            raise SignatureMalformedError("a signed field is no text and no number") from None
        for index, secret in enumerate(secrets):
            mac = hmac.new(_key(secret), signed, hashlib.sha256).digest()
            if hmac.compare_digest(mac, given):
                oldest = max(oldest, index)
                break
        else:
            raise SignatureWrongError("an item's hmacSignature is by no secret of this endpoint")
    return key_id(oldest, secrets[oldest])


def signed_at(headers: Mapping[str, str]) -> int | None:
    """Adyen signs no time, and ``eventDate`` is when it happened, not when it was sent."""
    del headers
    return None


def _items(document: object) -> list[dict[str, Any]]:
    """The items as they stand in a notification.

    Raises:
        SignatureMalformedError: there are none.
    """
    wrapped = document.get("notificationItems") if isinstance(document, dict) else None
    if not isinstance(wrapped, list) or not wrapped:
        raise SignatureMalformedError("there are no notificationItems, so nothing is signed")
    items = [one.get("NotificationRequestItem") for one in wrapped if isinstance(one, dict)]
    found = [item for item in items if isinstance(item, dict)]
    if len(found) != len(wrapped):
        raise SignatureMalformedError("an item of notificationItems is no NotificationRequestItem")
    return found


def _given(item: dict[str, Any]) -> bytes:
    additional = item.get("additionalData")
    text = additional.get("hmacSignature") if isinstance(additional, dict) else None
    given = decode_base64(text) if isinstance(text, str) else None
    if not given:
        raise SignatureMalformedError("an item has no additionalData.hmacSignature in base64")
    return given


def _signed_fields(item: Mapping[str, Any]) -> list[str]:
    amount = item.get("amount")
    parts = amount if isinstance(amount, dict) else {}
    return [
        _as_signed(value)
        for value in (
            item.get("pspReference"),
            item.get("originalReference"),
            item.get("merchantAccountCode"),
            item.get("merchantReference"),
            parts.get("value"),
            parts.get("currency"),
            item.get("eventCode"),
            item.get("success"),
        )
    ]


def _as_signed(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise ValueError("a signed field is a text or a whole number")


def _key(secret: str) -> bytes:
    try:
        return binascii.unhexlify(secret)
    except (binascii.Error, ValueError):
        return b""


def read(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> list[Reading]:
    """Every item of a verified notification; one `Unusable` for all of it where it is ambiguous.

    Raises:
        NotJsonError: the body is not JSON.
    """
    del headers
    document = read_document(body)
    if document.fault is not None:
        content = hashlib.sha256(body).digest()
        items = _items(document.value)
        # One payment is told of, or it is open which.
        event_type, hearsay = _hearsay(items[0]) if len(items) == 1 else ("unreadable", Hearsay())
        unusable = Unusable(
            event_id=f"sha256:{content.hex()}",
            event_type=event_type,
            reason=document.fault,
            hearsay=hearsay,
        )
        return [Reading(body=body, content_sha256=content, event=unusable)]
    items = _items(document.value)
    return [
        _reading(endpoint, item, raw)
        for item, raw in zip(items, _raw_items(body, items), strict=True)
    ]


def reread(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Reading:
    """The item, or the ambiguous notification, of a kept delivery; errors as in `read`."""
    document = read_document(body)
    if document.fault is not None or "notificationItems" in document.value:
        return read(endpoint, headers, body)[0]
    return _reading(endpoint, document.value, body)


def _raw_items(body: bytes, items: list[dict[str, Any]]) -> list[bytes]:
    """Each item's bytes as they were sent, for the inbox."""
    try:
        return [bytes(one.item) for one in msgspec.json.decode(body, type=_Notification).items]
    except msgspec.DecodeError:
        # What Python's parser takes and msgspec does not, such as half of a surrogate pair.
        return [json.dumps(item, default=str).encode() for item in items]


def _reading(endpoint: Endpoint, item: dict[str, Any], raw: bytes) -> Reading:
    # A redelivery may be signed anew by a younger key and stand among other items: the same content
    # is the same signed fields.
    content = hashlib.sha256(signed_string(item).encode(errors="replace")).digest()
    event_id, event_type = f"sha256:{content.hex()}", "unreadable"
    event: Event | Unusable
    try:
        event_type = text_of(item, "eventCode")
        success = _as_signed(item.get("success"))
        event_id = _event_id(text_of(item, "pspReference"), event_type, success) or event_id
        event = _event(endpoint, event_id, event_type, item)
    except UnusableError as error:
        event_type, hearsay = _hearsay(item)
        event = Unusable(
            event_id=event_id, event_type=event_type, reason=str(error), hearsay=hearsay
        )
    return Reading(body=raw, content_sha256=content, event=event)


def _hearsay(item: dict[str, Any]) -> tuple[str, Hearsay]:
    """The type, and what an item seems to say of which no event can be made.

    Nothing where a signed field holds a colon: what stands in which field is then no more than
    whoever passed it on would have it.
    """
    event_type = maybe(text_of, item, "eventCode") or "unreadable"
    if any(":" in field for field in _signed_fields(item)):
        return event_type, Hearsay()
    success = _as_signed(item.get("success")) == "true"
    kind = _kind(event_type, success=success)
    psp_reference = maybe(optional_text, item, "pspReference")
    amount = mapping_or_empty(item.get("amount"))
    return event_type, Hearsay(
        kind=kind,
        payment_id=maybe(optional_text, item, "originalReference") or psp_reference,
        effect_id=psp_reference if _is_own(event_type) else None,
        reference=maybe(optional_text, item, "merchantReference"),
        amount=None
        if kind is None
        else plausible_minor(amount.get("value"), amount.get("currency"), decimals=DECIMALS),
        event_at=maybe(iso_time, item.get("eventDate"), "eventDate"),
    )


def _kind(event_type: str, *, success: bool) -> Kind | None:
    if success and event_type in _EFFECTS:
        return _EFFECTS[event_type]
    return _PAYMENTS.get((event_type, success))


def _is_own(event_type: str) -> bool:
    """Whether the pspReference is of what befell the payment, and not the payment's."""
    return event_type in _EFFECTS or event_type in _CAPTURES


def _event_id(psp_reference: str, event_code: str, success: str) -> str | None:
    made = f"{psp_reference}:{event_code}:{success}"
    return made if len(made) <= MAX_EVENT_ID and made.isprintable() else None


def _event(endpoint: Endpoint, event_id: str, event_type: str, item: dict[str, Any]) -> Event:
    if any(":" in field for field in _signed_fields(item)):
        raise UnusableError("a signed field holds a colon, so that its borders are unsure")
    account = text_of(item, "merchantAccountCode")
    if endpoint.merchant_account is not None and account != endpoint.merchant_account:
        raise UnusableError("it is of another merchant account than configured")
    said = _as_signed(item.get("success"))
    if said not in {"true", "false"}:
        raise UnusableError("success is neither true nor false")
    success = said == "true"
    psp_reference = text_of(item, "pspReference")
    payment_id = optional_text(item, "originalReference") or psp_reference
    kind = _kind(event_type, success=success)
    amount = mapping(item.get("amount"), "amount") if kind is not None else {}
    if event_type == "AUTHORISATION" and amount.get("value") == 0:
        kind = None  # a card was verified, and nothing is paid
    elif event_type == "AUTHORISATION" and success and endpoint.manual_capture:
        kind = Kind.DEPOSIT_PENDING  # the money comes with its CAPTURE
    return Event(
        endpoint=endpoint.name,
        provider="adyen",
        event_id=event_id,
        event_type=event_type,
        kind=kind,
        payment_id=payment_id,
        effect_id=psp_reference if _is_own(event_type) else None,
        reference=optional_text(item, "merchantReference"),
        amount=None
        if kind is None
        else minor_amount(amount.get("value"), amount.get("currency"), decimals=DECIMALS),
        event_at=iso_time(item.get("eventDate"), "eventDate"),
    )
