"""Stripe: events of payment intents, refunds, disputes and payouts, and their signature.

An endpoint at Stripe subscribes to types of events; the ones made here are those that the
service's contract names, so a charge's own events are not among them.

Sources: Stripe docs, "Verify webhook signatures manually", "Supported currencies" (special
cases), "Types of events".
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.sandbox.psp.drawing import BASE62, identifier
from recon.sandbox.psp.model import (
    Effect,
    Endpoint,
    Event,
    Fact,
    FactKind,
    Payment,
    SignedRequest,
)
from recon.sandbox.psp.stripe_objects import dispute, payment_intent, payout, refund, stripe_id
from recon.sandbox.psp.units import provider_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from random import Random

__all__ = ["API_VERSION", "DECIMALS", "Stripe", "sign"]

API_VERSION: Final = "2025-03-31.basil"

DECIMALS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Stripe's decimal places where they are not ISO 4217's."""

STEP: Final = {"ISK": 100, "UGX": 100} | dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 10)
"""What Stripe's units of a currency must be a multiple of."""

PAYOUT_STEP: Final = {"HUF": 100, "TWD": 100}
"""The same for payouts alone."""

NOT_TAKEN: Final = frozenset({"IQD", "LYD"})
"""Three-decimal currencies that Stripe does not support."""

MOST_UNITS: Final = 99_999_999
"""Eight digits are the most that Stripe takes of most currencies."""

DISPUTES: Final = {
    FactKind.DISPUTE_OPENED: ("created", "needs_response"),
    FactKind.CHARGED_BACK: ("funds_withdrawn", "needs_response"),
    FactKind.CHARGEBACK_REVERSED: ("funds_reinstated", "won"),
    FactKind.DISPUTE_LOST: ("closed", "lost"),
    FactKind.DISPUTE_WON: ("closed", "won"),
}
"""The event after ``charge.dispute.`` and the dispute's status in it."""


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Lower hex of HMAC-SHA256 over ``timestamp.body``, keyed by the whole ``whsec_…``."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()


class Stripe:
    """Builds and signs ``payment_intent.*``, ``refund.*``, ``charge.dispute.*``, ``payout.*``."""

    pays_out = True
    lists_events = True

    def check_endpoint(self, endpoint: Endpoint) -> None:
        """Take secrets that begin with ``whsec_``."""
        if not all(re.fullmatch(r"whsec_\S+", secret) for secret in endpoint.secrets):
            raise Invalid("a Stripe secret begins with whsec_", code="invalid_secret")

    def check_payment(self, payment: Payment) -> None:
        """Refuse what Stripe refuses: crypto-assets, broken units, more than eight digits."""
        if payment.currency in NOT_TAKEN:
            raise Invalid(f"Stripe does not take {payment.currency}", code="unsupported_currency")
        units = provider_units(payment.amount_minor, payment.currency, DECIMALS)
        step = STEP.get(payment.currency, 1)
        if payment.direction == "withdrawal":
            step = PAYOUT_STEP.get(payment.currency, step)
        if units % step:
            raise Invalid(
                f"Stripe takes {payment.currency} in multiples of {step}", code="invalid_amount"
            )
        if units > MOST_UNITS:
            raise Invalid("Stripe takes amounts of up to eight digits", code="invalid_amount")

    def identify(self, payment: Payment, random: Random) -> None:
        """``pi_…`` with its ``ch_…``; ``po_…`` for a payout."""
        if payment.direction == "withdrawal":
            payment.payment_id = _drawn("po", random)
            return
        payment.payment_id = _drawn("pi", random)
        payment.charge_id = stripe_id("ch", payment.payment_id)

    def effect_id(self, kind: FactKind, random: Random) -> str:
        """``re_…`` for a refund, ``dp_…`` for a dispute."""
        return _drawn("re" if kind is FactKind.REFUNDED else "dp", random)

    def reports(self, kind: FactKind) -> bool:
        """Every fact there is."""
        return kind in FactKind

    def events(
        self,
        fact: Fact,
        endpoint: Endpoint,  # noqa: ARG002 - an event is the same at every endpoint
        random: Random,
    ) -> Sequence[Event]:
        """The event of a fact; a refund that succeeds is reported as created and as updated."""
        amount = provider_units(fact.amount_minor, fact.payment.currency, DECIMALS)
        if fact.effect is not None:
            objects = _of_effect(fact, fact.effect, amount, random)
        else:
            objects = [_of_payment(fact, amount)]
        return [_event(name, fact, shown, random) for name, shown in objects]

    def twin(self, event: Event, random: Random) -> Event:
        """A second Event about the same object: Stripe says that it sometimes makes two."""
        event_id = _drawn("evt", random)
        return replace(event, event_id=event_id, document={**event.document, "id": event_id})

    def signed(
        self, event: Event, endpoint: Endpoint, at: datetime, *, forged: bool = False
    ) -> SignedRequest:
        """The request with a ``v1`` for every secret, as while one is being rolled."""
        body = json.dumps(event.document, indent=2, ensure_ascii=False).encode()
        timestamp = int(at.timestamp())
        keys = ["forged " + secret if forged else secret for secret in endpoint.secrets]
        parts = [f"t={timestamp}", *("v1=" + sign(key, timestamp, body) for key in keys)]
        # In test mode Stripe adds a scheme that nobody may accept.
        parts.append("v0=" + sha256(f"{timestamp}.{event.event_id}".encode()).hexdigest())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": ",".join(parts),
        }
        return SignedRequest(body, headers)


def _of_payment(fact: Fact, amount: int) -> tuple[str, dict[str, object]]:
    match fact.kind:
        case FactKind.DEPOSIT_PENDING:
            return "payment_intent.processing", payment_intent(fact, amount, "processing")
        case FactKind.DEPOSIT_SUCCEEDED:
            return "payment_intent.succeeded", payment_intent(fact, amount, "succeeded")
        case FactKind.DEPOSIT_FAILED:
            shown = payment_intent(fact, amount, "requires_payment_method")
            return "payment_intent.payment_failed", shown
        case FactKind.WITHDRAWAL_ACCEPTED:
            return "payout.created", payout(fact, amount, "pending")
        case FactKind.WITHDRAWAL_PAID:
            return "payout.paid", payout(fact, amount, "paid")
        case FactKind.WITHDRAWAL_FAILED | FactKind.WITHDRAWAL_RETURNED:
            # A paid payout that the bank returns is failed too, some days later.
            return "payout.failed", payout(fact, amount, "failed")
        case _:
            raise Invalid(f"{fact.kind} is about a refund or a dispute", code="no_effect")


def _of_effect(
    fact: Fact, effect: Effect, amount: int, random: Random
) -> list[tuple[str, dict[str, object]]]:
    if fact.kind is FactKind.REFUNDED:
        # Either it was pending at first, or only the acquirer's reference came later.
        first = random.choice(["pending", "succeeded"])
        return [
            ("refund.created", refund(fact, effect, amount, first)),
            ("refund.updated", refund(fact, effect, amount, "succeeded")),
        ]
    if fact.kind is FactKind.REFUND_FAILED:
        return [("refund.failed", refund(fact, effect, amount, "failed"))]
    name, status = DISPUTES[fact.kind]
    shown = dispute(
        fact, effect, amount, status, withdrawn=name != "created", reinstated=status == "won"
    )
    return [(f"charge.dispute.{name}", shown)]


def _event(name: str, fact: Fact, shown: Mapping[str, object], random: Random) -> Event:
    event_id = _drawn("evt", random)
    document = {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": int(fact.at.timestamp()),
        "data": {"object": shown},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": name,
    }
    return Event(event_id, name, fact.at, document)


def _drawn(prefix: str, random: Random) -> str:
    return f"{prefix}_3" + identifier(random, 23, BASE62)
