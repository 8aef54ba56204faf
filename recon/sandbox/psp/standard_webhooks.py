"""A provider that follows the Standard Webhooks specification, with the contract's event types.

Every attempt is signed anew, once with each key of the endpoint: ``v1`` with a ``whsec_`` secret,
``v1a`` with an ed25519 key. Here the sender's half of such a key is kept, ``whsk_`` and 32 bytes
in base64; the receiver is given ``whpk_``.

Source: the Standard Webhooks specification, "Signature scheme".
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recon.clock import format_time
from recon.errors import Invalid
from recon.money import format_minor
from recon.sandbox.psp.drawing import BASE62, identifier
from recon.sandbox.psp.model import (
    Endpoint,
    Event,
    Fact,
    FactKind,
    Payment,
    SignedRequest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from random import Random

__all__ = ["StandardWebhooks", "public_key", "sign_v1", "sign_v1a"]

SEED_BYTES: Final = 32
LEAST_BYTES: Final = 24
MOST_BYTES: Final = 64

NOT_REPORTED: Final = frozenset(
    {
        FactKind.REFUND_FAILED,
        FactKind.DISPUTE_OPENED,
        FactKind.DISPUTE_LOST,
        FactKind.DISPUTE_WON,
    }
)
"""The contract's body has no type for these."""


def sign_v1(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """``v1,<base64>``: HMAC-SHA256 over ``id.timestamp.body`` with a ``whsec_`` secret."""
    key = _decoded(secret, "whsec_")
    mac = hmac.new(key, _signed_bytes(message_id, timestamp, body), sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def sign_v1a(signing_key: str, message_id: str, timestamp: int, body: bytes) -> str:
    """``v1a,<base64>``: ed25519 over the same bytes with a ``whsk_`` key."""
    key = Ed25519PrivateKey.from_private_bytes(_decoded(signing_key, "whsk_"))
    return "v1a," + base64.b64encode(key.sign(_signed_bytes(message_id, timestamp, body))).decode()


def public_key(signing_key: str) -> str:
    """The ``whpk_`` half that a receiver verifies with."""
    key = Ed25519PrivateKey.from_private_bytes(_decoded(signing_key, "whsk_"))
    return "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()


class StandardWebhooks:
    """Builds and signs the contract's ``deposit.*`` and ``withdrawal.*`` events."""

    pays_out = True
    lists_events = False

    def check_endpoint(self, endpoint: Endpoint) -> None:
        """Take ``whsec_`` of 24 to 64 bytes and ``whsk_`` of 32."""
        for secret in endpoint.secrets:
            kind = "whsk_" if secret.startswith("whsk_") else "whsec_"
            size = len(_decoded(secret, kind))
            fits = size == SEED_BYTES if kind == "whsk_" else LEAST_BYTES <= size <= MOST_BYTES
            if not fits:
                raise Invalid(f"a {kind} secret of {size} bytes", code="invalid_secret")

    def check_payment(self, payment: Payment) -> None:
        """Take every currency there is: amounts travel as decimal strings."""
        format_minor(payment.amount_minor, payment.currency)

    def identify(self, payment: Payment, random: Random) -> None:
        """Name the payment ``pay_…``, and a withdrawal's payout ``po_…``."""
        payment.payment_id = "pay_" + identifier(random, 24, BASE62)
        if payment.direction == "withdrawal":
            payment.effect_id = "po_" + identifier(random, 24, BASE62)

    def effect_id(self, kind: FactKind, random: Random) -> str:
        """``rf_…`` for a refund, ``dsp_…`` for a dispute."""
        prefix = "rf_" if kind is FactKind.REFUNDED else "dsp_"
        return prefix + identifier(random, 24, BASE62)

    def reports(self, kind: FactKind) -> bool:
        """Everything that the contract's body has a type for."""
        return kind not in NOT_REPORTED

    def events(
        self,
        fact: Fact,
        endpoint: Endpoint,  # noqa: ARG002 - an event is the same at every endpoint
        random: Random,
    ) -> Sequence[Event]:
        """One event for a fact of the contract's types, none for another."""
        if not self.reports(fact.kind):
            return ()
        payment = fact.payment
        effect_id = fact.effect.effect_id if fact.effect else payment.effect_id
        data: dict[str, object] = {"payment_id": payment.payment_id}
        if effect_id is not None:
            data["effect_id"] = effect_id
        data |= {
            "reference": payment.reference,
            "user_id": payment.user_id,
            "amount": format_minor(fact.amount_minor, payment.currency),
            "currency": payment.currency,
        }
        document = {"type": str(fact.kind), "timestamp": format_time(fact.at), "data": data}
        return (Event(_message_id(random), str(fact.kind), fact.at, document),)

    def twin(self, event: Event, random: Random) -> Event:
        """The same message under another ``webhook-id``."""
        return replace(event, event_id=_message_id(random))

    def signed(
        self, event: Event, endpoint: Endpoint, at: datetime, *, forged: bool = False
    ) -> SignedRequest:
        """The request with a fresh timestamp and a signature for every key."""
        body = json.dumps(event.document, separators=(",", ":"), ensure_ascii=False).encode()
        timestamp = int(at.timestamp())
        signatures = []
        for secret in endpoint.secrets:
            sign = sign_v1a if secret.startswith("whsk_") else sign_v1
            key = _other(secret) if forged else secret
            signatures.append(sign(key, event.event_id, timestamp, body))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }
        return SignedRequest(body, headers)


def _signed_bytes(message_id: str, timestamp: int, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode() + body


def _message_id(random: Random) -> str:
    return "msg_" + identifier(random, 27, BASE62)


def _other(secret: str) -> str:
    prefix, _, _ = secret.partition("_")
    digest = sha256(b"forged " + secret.encode()).digest()
    return f"{prefix}_{base64.b64encode(digest).decode()}"


def _decoded(secret: str, prefix: str) -> bytes:
    if not secret.startswith(prefix):
        raise Invalid(f"a Standard Webhooks secret begins with {prefix}", code="invalid_secret")
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True)
    except binascii.Error:
        raise Invalid(f"what follows {prefix} is not base64", code="invalid_secret") from None
