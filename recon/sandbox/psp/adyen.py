"""Adyen's standard webhooks: notifications of items, each of which carries its own signature.

Adyen has no ids of events: an item is known by its pspReference, event code and success. A
capture and a refund have a pspReference of their own and point at the payment by
``originalReference``; all items of one dispute share one. There is no notification that a payout
has reached its bank: ``PAYOUT_THIRDPARTY`` says that the request was received.

Sources: Adyen docs, "Verify HMAC signatures", "Webhook structure and types", "Dispute webhooks",
"Payout webhook", "Currency codes and minor units".
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from datetime import timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.sandbox.psp.drawing import ALPHANUMERIC, identifier
from recon.sandbox.psp.model import (
    Endpoint,
    Event,
    Fact,
    FactKind,
    Payment,
    SignedRequest,
)
from recon.sandbox.psp.units import provider_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from random import Random

__all__ = ["DECIMALS", "Adyen", "notification", "sign_item", "signed_string"]

DECIMALS: Final = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
"""Adyen's decimal places where they are not ISO 4217's, as its own table marks them."""

AMSTERDAM: Final = timezone(timedelta(hours=1))

CODES: Final = {
    FactKind.DEPOSIT_SUCCEEDED: "AUTHORISATION",
    FactKind.DEPOSIT_FAILED: "AUTHORISATION",
    FactKind.REFUNDED: "REFUND",
    FactKind.REFUND_FAILED: "REFUND_FAILED",
    FactKind.DISPUTE_OPENED: "NOTIFICATION_OF_CHARGEBACK",
    FactKind.CHARGED_BACK: "CHARGEBACK",
    FactKind.CHARGEBACK_REVERSED: "CHARGEBACK_REVERSED",
    FactKind.WITHDRAWAL_ACCEPTED: "PAYOUT_THIRDPARTY",
    FactKind.WITHDRAWAL_FAILED: "PAYOUT_DECLINE",
    FactKind.WITHDRAWAL_RETURNED: "PAIDOUT_REVERSED",
}
DISPUTE_STATUS: Final = {
    FactKind.DISPUTE_OPENED: "Undefended",
    FactKind.CHARGED_BACK: "Pending",
    FactKind.CHARGEBACK_REVERSED: "Won",
}


def signed_string(item: Mapping[str, object]) -> str:
    """The eight signed fields of an item, joined by colons: nothing escaped, missing is empty."""
    amount = item.get("amount")
    parts = amount if isinstance(amount, dict) else {}
    values = [
        item.get("pspReference"),
        item.get("originalReference"),
        item.get("merchantAccountCode"),
        item.get("merchantReference"),
        parts.get("value"),
        parts.get("currency"),
        item.get("eventCode"),
        item.get("success"),
    ]
    return ":".join("" if value is None else str(value) for value in values)


def sign_item(hex_key: str, item: Mapping[str, object]) -> str:
    """HMAC-SHA256 over `signed_string` with the hex-decoded key, in base64."""
    mac = hmac.new(_key(hex_key), signed_string(item).encode(), sha256).digest()
    return base64.b64encode(mac).decode()


def notification(items: Sequence[Mapping[str, object]], hex_key: str) -> bytes:
    """A notification's body with every item signed; ``items`` carry no signature yet."""
    wrapped = []
    for item in items:
        extra = item.get("additionalData")
        additional = dict(extra) if isinstance(extra, dict) else {}
        additional["hmacSignature"] = sign_item(hex_key, item)
        wrapped.append({"NotificationRequestItem": {**item, "additionalData": additional}})
    document = {"live": "false", "notificationItems": wrapped}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


class Adyen:
    """Builds and signs notification items."""

    pays_out = False
    lists_events = False

    def check_endpoint(self, endpoint: Endpoint) -> None:
        """Take 32-byte keys in hex and a merchant account."""
        for secret in endpoint.secrets:
            _key(secret)
        if not endpoint.merchant_account:
            raise Invalid("an adyen endpoint needs a merchant_account", code="invalid_endpoint")

    def check_payment(self, payment: Payment) -> None:
        """Refuse a crypto-asset, and a colon in the reference: it would blur what is signed."""
        provider_units(payment.amount_minor, payment.currency, DECIMALS)
        if ":" in payment.reference:
            raise Invalid("a reference at Adyen holds no colon", code="invalid_reference")

    def identify(self, payment: Payment, random: Random) -> None:
        """Give the payment its pspReference."""
        payment.payment_id = _psp_reference(random)

    def effect_id(
        self,
        kind: FactKind,  # noqa: ARG002 - all pspReferences look alike
        random: Random,
    ) -> str:
        """A pspReference."""
        return _psp_reference(random)

    def reports(self, kind: FactKind) -> bool:
        """Everything but that a payment is pending or a payout paid."""
        return kind in CODES

    def events(self, fact: Fact, endpoint: Endpoint, random: Random) -> Sequence[Event]:
        """The item of a fact; two for a deposit when capture is a step of its own."""
        if fact.kind not in CODES:
            return ()
        payment = fact.payment
        if fact.kind is FactKind.DEPOSIT_SUCCEEDED and not endpoint.auto_capture:
            return (
                self._event(fact, endpoint, payment.payment_id, "AUTHORISATION"),
                self._event(fact, endpoint, _psp_reference(random), "CAPTURE"),
            )
        if fact.kind is FactKind.DEPOSIT_FAILED and fact.credited:
            return (self._event(fact, endpoint, _psp_reference(random), "CAPTURE_FAILED"),)
        own = payment.payment_id
        if fact.effect is not None:
            own = fact.effect.effect_id
        elif fact.kind in {FactKind.WITHDRAWAL_FAILED, FactKind.WITHDRAWAL_RETURNED}:
            own = _psp_reference(random)
        return (self._event(fact, endpoint, own, CODES[fact.kind]),)

    def twin(
        self,
        event: Event,
        random: Random,  # noqa: ARG002 - there is no id to draw
    ) -> Event:
        """The same item: Adyen has no id that could differ."""
        return event

    def signed(
        self,
        event: Event,
        endpoint: Endpoint,
        at: datetime,  # noqa: ARG002 - Adyen signs no time
        *,
        forged: bool = False,
    ) -> SignedRequest:
        """The request, its item signed with the newest key."""
        key = endpoint.secrets[0]
        if forged:
            key = sha256(b"forged " + key.encode()).hexdigest()
        return SignedRequest(
            notification([event.document], key), {"Content-Type": "application/json; charset=UTF-8"}
        )

    def _event(self, fact: Fact, endpoint: Endpoint, own: str, code: str) -> Event:
        payment = fact.payment
        failed = fact.kind is FactKind.DEPOSIT_FAILED and code == "AUTHORISATION"
        success = "false" if failed else "true"
        item: dict[str, object] = {
            "additionalData": _additional_data(fact, code),
            "amount": {
                "currency": payment.currency,
                "value": provider_units(fact.amount_minor, payment.currency, DECIMALS),
            },
            "eventCode": code,
            "eventDate": fact.at.astimezone(AMSTERDAM).isoformat(timespec="seconds"),
            "merchantAccountCode": endpoint.merchant_account,
            "merchantReference": payment.reference,
            "paymentMethod": "visa" if payment.direction == "deposit" else "bankTransfer_IBAN",
            "pspReference": own,
            "reason": _reason(fact, code),
            "success": success,
        }
        if own != payment.payment_id:
            item["originalReference"] = payment.payment_id
        if code == "AUTHORISATION" and not failed:
            item["operations"] = ["CANCEL", "CAPTURE", "REFUND"]
        return Event(f"{own}:{code}:{success}", code, fact.at, item)


def _additional_data(fact: Fact, code: str) -> dict[str, object]:
    status = DISPUTE_STATUS.get(fact.kind)
    if status is not None:
        return {"chargebackReasonCode": "10.4", "disputeStatus": status}
    if code == "AUTHORISATION":
        return {"authCode": "036155", "cardSummary": "1111", "expiryDate": "03/2030"}
    return {}


def _reason(fact: Fact, code: str) -> str:
    reasons = {
        "REFUND_FAILED": "Refund failed",
        "CAPTURE_FAILED": "Capture failed",
        "CHARGEBACK": "Other Fraud-Card Absent Environment",
        "PAYOUT_DECLINE": "Declined by reviewer",
        "PAIDOUT_REVERSED": "Account closed",
    }
    if code == "AUTHORISATION":
        refused = fact.kind is FactKind.DEPOSIT_FAILED
        return "Refused" if refused else "036155:1111:03/2030"
    return reasons.get(code, "")


def _psp_reference(random: Random) -> str:
    return identifier(random, 16, ALPHANUMERIC)


def _key(hex_key: str) -> bytes:
    try:
        key = binascii.unhexlify(hex_key)
    except (binascii.Error, ValueError):
        raise Invalid("an Adyen HMAC key is written in hex", code="invalid_secret") from None
    if not key:
        raise Invalid("an Adyen HMAC key is not empty", code="invalid_secret")
    return key
