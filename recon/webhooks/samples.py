"""Sample calls of each provider, built from ``psp/samples`` and signed as the provider signs.

All that is said of one reference hangs together: the same payment, refund, dispute and payout ids
come of it, so that a deposit can be refunded by a second sample.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from recon.clock import format_time, new_id
from recon.errors import Unprocessable
from recon.money import exponent_of
from recon.webhooks.model import Kind
from recon.webhooks.psp import adyen, standard_webhooks, stripe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from recon.money import Money
    from recon.webhooks.model import Endpoint

__all__ = ["Sample", "SampleCall", "build_sample", "kind_named", "sign_sample"]

_STRIPE: Final = {
    Kind.DEPOSIT_PENDING: ("payment_intent", "payment_intent.processing", "processing"),
    Kind.DEPOSIT_SUCCEEDED: ("payment_intent", "payment_intent.succeeded", "succeeded"),
    Kind.DEPOSIT_FAILED: (
        "payment_intent",
        "payment_intent.payment_failed",
        "requires_payment_method",
    ),
    Kind.DEPOSIT_REFUNDED: ("refund", "refund.created", "succeeded"),
    Kind.DEPOSIT_REFUND_FAILED: ("refund", "refund.failed", "failed"),
    Kind.DEPOSIT_CHARGED_BACK: ("dispute", "charge.dispute.funds_withdrawn", "needs_response"),
    Kind.DEPOSIT_CHARGEBACK_REVERSED: ("dispute", "charge.dispute.funds_reinstated", "won"),
    Kind.WITHDRAWAL_ACCEPTED: ("payout", "payout.created", "pending"),
    Kind.WITHDRAWAL_PAID: ("payout", "payout.paid", "paid"),
    Kind.WITHDRAWAL_FAILED: ("payout", "payout.failed", "failed"),
    # Stripe has one word for both.
    Kind.WITHDRAWAL_RETURNED: ("payout", "payout.failed", "failed"),
}
_ADYEN: Final = {
    Kind.DEPOSIT_SUCCEEDED: ("AUTHORISATION", "true"),
    Kind.DEPOSIT_FAILED: ("AUTHORISATION", "false"),
    Kind.DEPOSIT_REFUNDED: ("REFUND", "true"),
    Kind.DEPOSIT_REFUND_FAILED: ("REFUND_FAILED", "true"),
    Kind.DEPOSIT_CHARGED_BACK: ("CHARGEBACK", "true"),
    Kind.DEPOSIT_CHARGEBACK_REVERSED: ("CHARGEBACK_REVERSED", "true"),
    Kind.WITHDRAWAL_ACCEPTED: ("PAYOUT_THIRDPARTY", "true"),
    Kind.WITHDRAWAL_FAILED: ("PAYOUT_DECLINE", "true"),
    Kind.WITHDRAWAL_RETURNED: ("PAIDOUT_REVERSED", "true"),
}
_PREFIXES: Final = {"refund": "re", "dispute": "dp", "payout": "po", "payment_intent": "pi"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a sample event says.

    Args:
        kind: what has happened.
        user_id: the player; Adyen does not say one.
        amount: above zero.
        reference: of the payment; its ids come of it.
        at: when it happened.
    """

    kind: Kind
    user_id: str
    amount: Money
    reference: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SampleCall:
    """A call that is ready to be sent: the raw body and its headers."""

    body: bytes
    headers: dict[str, str]


def kind_named(endpoint: Endpoint, word: str) -> Kind:
    """The kind of event that our word or the provider's own stands for.

    Raises:
        Unprocessable: ``no_such_event``; the message lists what there is.
    """
    words = {str(kind): kind for kind in Kind}
    if endpoint.provider == "stripe":
        words |= {event_type: kind for kind, (_, event_type, _) in reversed(_STRIPE.items())}
    elif endpoint.provider == "adyen":
        words |= {code: kind for kind, (code, success) in _ADYEN.items() if success == "true"}
    try:
        return words[word]
    except KeyError:
        raise Unprocessable(f"{word} is none of {', '.join(words)}", code="no_such_event") from None


def build_sample(endpoint: Endpoint, sample: Sample) -> dict[str, Any]:
    """The provider's document, not signed yet.

    Raises:
        Unprocessable: ``no_such_event``: the provider reports no such thing; ``invalid_amount``.
    """
    if endpoint.provider == "stripe":
        return _stripe_event(sample)
    if endpoint.provider == "adyen":
        return _adyen_item(endpoint, sample)
    return _standard_event(sample)


def sign_sample(
    endpoint: Endpoint, document: Mapping[str, Any], *, at: datetime, forged: bool = False
) -> SampleCall:
    """Sign a document as its provider does, with the newest secret that can sign.

    Args:
        endpoint: whose secret signs.
        document: of `build_sample`.
        at: the time of the attempt, which is signed too (not by Adyen).
        forged: sign with a key that nobody has.

    Raises:
        Unprocessable: ``cannot_sign``: only public keys are configured.
    """
    timestamp = str(int(at.timestamp()))
    secret = _secret(endpoint, forged=forged)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if endpoint.provider == "adyen":
        additional = {**document["additionalData"], "hmacSignature": adyen.sign(secret, document)}
        item = {**document, "additionalData": additional}
        wrapped = {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
        return SampleCall(json.dumps(wrapped).encode(), headers)
    body = json.dumps(document, indent=2).encode()
    if endpoint.provider == "stripe":
        headers["Stripe-Signature"] = f"t={timestamp},v1={stripe.sign(secret, timestamp, body)}"
        return SampleCall(body, headers)
    # Ids are stable across attempts: the same document is the same message.
    message_id = "msg_" + hashlib.sha256(body).hexdigest()[:24]
    headers |= {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": standard_webhooks.sign(secret, message_id, timestamp, body),
    }
    return SampleCall(body, headers)


def _stripe_event(sample: Sample) -> dict[str, Any]:
    shape, event_type, status = _STRIPE[sample.kind]
    created = int(sample.at.timestamp())
    units = _units(sample.amount, stripe.DECIMALS)
    shown = _template(f"stripe.{shape}")
    shown |= {
        "id": _id(_PREFIXES[shape], sample.reference),
        "amount": units,
        "created": created,
        "currency": sample.amount.currency.lower(),
        "status": status,
    }
    if shape in {"payment_intent", "payout"}:
        shown["metadata"] = {"user_id": sample.user_id, "reference": sample.reference}
    else:
        shown["payment_intent"] = _id("pi", sample.reference)
        shown["charge"] = _id("ch", sample.reference)
    if shape == "payment_intent":
        shown["latest_charge"] = _id("ch", sample.reference)
        shown["amount_received"] = units if sample.kind is Kind.DEPOSIT_SUCCEEDED else 0
    event = _template("stripe.event")
    return event | {
        "id": f"evt_{new_id().hex}",
        "created": created,
        "data": {"object": shown},
        "type": event_type,
    }


def _adyen_item(endpoint: Endpoint, sample: Sample) -> dict[str, Any]:
    if sample.kind not in _ADYEN:
        raise Unprocessable(f"Adyen reports no {sample.kind}", code="no_such_event")
    code, success = _ADYEN[sample.kind]
    payment = _psp_reference(sample.reference)
    item = _template("adyen.item")
    item |= {
        "amount": {
            "currency": sample.amount.currency,
            "value": _units(sample.amount, adyen.DECIMALS),
        },
        "eventCode": code,
        "eventDate": sample.at.isoformat(timespec="seconds"),
        "merchantAccountCode": endpoint.merchant_account or "SampleMerchant",
        "merchantReference": sample.reference,
        "pspReference": payment,
        "success": success,
    }
    if code not in {"AUTHORISATION", "PAYOUT_THIRDPARTY"}:
        item["originalReference"] = payment
        shared = code.removesuffix("_FAILED").removesuffix("_REVERSED")
        item["pspReference"] = _psp_reference(f"{sample.reference} {shared}")
    return item


def _standard_event(sample: Sample) -> dict[str, Any]:
    if sample.kind is Kind.DEPOSIT_REFUND_FAILED:
        raise Unprocessable("the contract's body has no such type", code="no_such_event")
    data: dict[str, Any] = {"payment_id": _id("pay", sample.reference)}
    own = {
        Kind.DEPOSIT_REFUNDED: "rf",
        Kind.DEPOSIT_CHARGED_BACK: "dsp",
        Kind.DEPOSIT_CHARGEBACK_REVERSED: "dsp",
    }.get(sample.kind, "po" if sample.kind.startswith("withdrawal.") else None)
    if own is not None:
        data["effect_id"] = _id(own, sample.reference)
    data |= {
        "reference": sample.reference,
        "user_id": sample.user_id,
        "amount": str(sample.amount),
        "currency": sample.amount.currency,
    }
    event = _template("standard-webhooks.event")
    return event | {"type": str(sample.kind), "timestamp": format_time(sample.at), "data": data}


def _template(name: str) -> dict[str, Any]:
    path = resources.files("recon.webhooks.psp").joinpath("samples", f"{name}.json")
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def _units(amount: Money, decimals: Mapping[str, int]) -> int:
    ours = exponent_of(amount.currency)
    theirs = decimals.get(amount.currency, ours)
    if theirs >= ours:
        return amount.minor * int(10 ** (theirs - ours))
    units, rest = divmod(amount.minor, int(10 ** (ours - theirs)))
    if rest:
        raise Unprocessable(
            f"this provider takes {amount.currency} with {theirs} decimal places",
            code="invalid_amount",
        )
    return units


def _id(prefix: str, reference: str) -> str:
    return f"{prefix}_{hashlib.sha256(f'{prefix} {reference}'.encode()).hexdigest()[:24]}"


def _psp_reference(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()[:16].upper()


def _secret(endpoint: Endpoint, *, forged: bool) -> str:
    if forged:
        digest = hashlib.sha256(b"a key that nobody has").digest()
        if endpoint.provider == "adyen":
            return digest.hex()
        return f"whsec_{base64.b64encode(digest).decode()}"
    for secret in endpoint.secrets:
        if not secret.startswith("whpk_"):
            return secret
    raise Unprocessable(
        "only public keys are configured: nothing can be signed", code="cannot_sign"
    )
