"""Standard Webhooks: ``v1`` (HMAC) and ``v1a`` (ed25519), with the contract's own event body.

Source: the Standard Webhooks specification, "Signature scheme" and "Verifying signatures"; event
types and fields: the service's contract, "Webhooks".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
    decimal_amount,
    iso_time,
    mapping,
    mapping_or_empty,
    maybe,
    optional_text,
    optional_user,
    plausible_decimal,
    text_of,
)
from recon.webhooks.psp.signatures import check_time, decode_base64, key_id, seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["KEPT_HEADERS", "check_secret", "read", "reread", "sign", "signed_at", "verify"]

KEPT_HEADERS: Final = (
    "Content-Type",
    "User-Agent",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)

_PUBLIC = "whpk_"
_SHARED = "whsec_"

_KINDS: Final = {
    str(kind): kind
    for kind in Kind
    # The contract's body has no such type.
    if kind is not Kind.DEPOSIT_REFUND_FAILED
}


def check_secret(secret: str) -> None:
    """Refuse what is neither ``whsec_`` nor ``whpk_`` with base64 behind it.

    Raises:
        Invalid: ``invalid_secret``.
    """
    if secret.startswith(_PUBLIC):
        try:
            _public_key(secret)
        except ValueError:
            raise Invalid(
                "what follows whpk_ is not an ed25519 public key in base64", code="invalid_secret"
            ) from None
    elif not _shared_key(secret):
        raise Invalid("what follows whsec_ is not base64", code="invalid_secret")


def sign(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """``v1,<base64>`` of HMAC-SHA256 over ``<id>.<timestamp>.<body>`` with a ``whsec_`` secret."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    mac = hmac.digest(_shared_key(secret), signed, "sha256")
    return "v1," + base64.b64encode(mac).decode()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> str:
    """Check ``webhook-signature`` over id, timestamp and raw body; the key that made it.

    Raises:
        SignatureMalformedError: one of the three headers is missing or cannot be read.
        SignatureWrongError: no secret makes any of the signatures.
        SignatureStaleError: the timestamp is too far from ``now``.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or len(message_id) > MAX_EVENT_ID or not message_id.isprintable():
        raise SignatureMalformedError("webhook-id is missing or unusable")
    shared, public = _candidates(headers.get("webhook-signature", ""))
    if not shared and not public:
        raise SignatureMalformedError("webhook-signature has no v1 or v1a with base64")
    signed_at = seconds_of(timestamp)
    signed = f"{message_id}.{timestamp}.".encode() + body
    for index, secret in enumerate(secrets):
        if secret.startswith(_PUBLIC):
            verified = any(_verified(secret, candidate, signed) for candidate in public)
        else:
            mac = hmac.digest(_shared_key(secret), signed, "sha256")
            verified = any(hmac.compare_digest(mac, candidate) for candidate in shared)
        if verified:
            check_time(signed_at, now)
            return key_id(index, secret)
    raise SignatureWrongError("no signature of this message is by a secret of this endpoint")


def signed_at(headers: Mapping[str, str]) -> int | None:
    """The Unix second at which a verified call was signed."""
    text = headers.get("webhook-timestamp", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _candidates(header: str) -> tuple[list[bytes], list[bytes]]:
    found: dict[str, list[bytes]] = {"v1": [], "v1a": []}
    for part in header.split(" "):
        version, _, text = part.partition(",")
        if version in found:
            decoded = decode_base64(text)
            if decoded:
                found[version].append(decoded)
    return found["v1"], found["v1a"]


@lru_cache(maxsize=64)
def _shared_key(secret: str) -> bytes:
    return decode_base64(secret.removeprefix(_SHARED)) or b""


@lru_cache(maxsize=64)
def _public_key(secret: str) -> Ed25519PublicKey:
    decoded = decode_base64(secret.removeprefix(_PUBLIC)) or b""
    return Ed25519PublicKey.from_public_bytes(decoded)


def _verified(secret: str, candidate: bytes, signed: bytes) -> bool:
    try:
        _public_key(secret).verify(candidate, signed)
    except InvalidSignature:
        return False
    return True


def read(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> list[Reading]:
    """The one event of a verified call; its id is the signed ``webhook-id``.

    Raises:
        NotJsonError: the body is not JSON.
    """
    content = hashlib.sha256(body).digest()
    document = read_document(body)
    event_id, event_type = headers["webhook-id"], "unreadable"
    event: Event | Unusable
    try:
        fields = mapping(document.sound(), "the event")
        event_type = text_of(fields, "type")
        kind = _KINDS.get(event_type)
        if kind is None:
            event = Event(
                endpoint=endpoint.name,
                provider="standard-webhooks",
                event_id=event_id,
                event_type=event_type,
                kind=None,
            )
        else:
            data = mapping(fields.get("data"), "data")
            event = Event(
                endpoint=endpoint.name,
                provider="standard-webhooks",
                event_id=event_id,
                event_type=event_type,
                kind=kind,
                payment_id=text_of(data, "payment_id"),
                effect_id=optional_text(data, "effect_id"),
                reference=optional_text(data, "reference"),
                user_id=optional_user(data, "user_id"),
                amount=decimal_amount(data),
                event_at=iso_time(fields.get("timestamp"), "timestamp"),
            )
    except UnusableError as error:
        event_type, hearsay = _hearsay(document.value)
        event = Unusable(
            event_id=event_id, event_type=event_type, reason=str(error), hearsay=hearsay
        )
    return [Reading(body=body, content_sha256=content, event=event)]


def _hearsay(document: object) -> tuple[str, Hearsay]:
    """The type, and what a document seems to say of which no event can be made."""
    fields = mapping_or_empty(document)
    event_type = maybe(text_of, fields, "type") or "unreadable"
    data = mapping_or_empty(fields.get("data"))
    return event_type, Hearsay(
        kind=_KINDS.get(event_type),
        payment_id=maybe(optional_text, data, "payment_id"),
        effect_id=maybe(optional_text, data, "effect_id"),
        reference=maybe(optional_text, data, "reference"),
        user_id=optional_user(data, "user_id"),
        amount=plausible_decimal(data),
        event_at=maybe(iso_time, fields.get("timestamp"), "timestamp"),
    )


def reread(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Reading:
    """The event of a kept delivery; errors as in `read`."""
    return read(endpoint, headers, body)[0]
