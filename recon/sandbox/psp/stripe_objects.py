"""Stripe's objects as its API shows them: every field is there, most of them null.

Shapes from Stripe's published API fixtures (stripe/openapi, ``fixtures3.json``). ``metadata`` is
on payment intents and payouts alone: a refund and a dispute point at their payment by
``payment_intent`` and ``charge``, and whoever reads them has to look it up.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from recon.sandbox.psp.drawing import BASE62, identifier, seeded

if TYPE_CHECKING:
    from recon.sandbox.psp.model import Effect, Fact, Payment

__all__ = ["dispute", "payment_intent", "payout", "refund", "stripe_id"]

EVIDENCE: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def stripe_id(prefix: str, of: str) -> str:
    """An id that belongs to another for ever, such as a payment's method or balance transaction."""
    return f"{prefix}_1" + identifier(seeded(0, prefix, of), 23, BASE62)


def payment_intent(fact: Fact, amount: int, status: str) -> dict[str, object]:
    """A payment intent; ``amount`` in Stripe's units, received only when it succeeded."""
    payment = fact.payment
    failed = status == "requires_payment_method"
    return {
        "id": payment.payment_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": amount if status == "succeeded" else 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{payment.payment_id}_secret_{_tail(payment)}",
        "confirmation_method": "automatic",
        "created": int(payment.created_at.timestamp()),
        "currency": payment.currency.lower(),
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": _declined(payment) if failed else None,
        "latest_charge": payment.charge_id,
        "livemode": False,
        "metadata": _metadata(payment),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None if failed else stripe_id("pm", payment.payment_id),
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def refund(fact: Fact, effect: Effect, amount: int, status: str) -> dict[str, object]:
    """A refund; it names its charge and payment intent and nothing of the player."""
    known: dict[str, object] = {"destination_details": None}
    if status == "succeeded":
        card = {
            "reference": f"7492{effect.number:012}",
            "reference_status": "available",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
        known = {"destination_details": {"card": card, "type": "card"}}
    if status == "failed":
        known["failure_balance_transaction"] = stripe_id("txn", "failed " + effect.effect_id)
        known["failure_reason"] = "lost_or_stolen_card"
    return {
        "id": effect.effect_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": stripe_id("txn", effect.effect_id),
        "charge": fact.payment.charge_id,
        "created": int(effect.created_at.timestamp()),
        "currency": fact.payment.currency.lower(),
        "customer": None,
        "customer_account": None,
        **known,
        "metadata": {},
        "payment_intent": fact.payment.payment_id,
        "payment_method": None,
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def dispute(
    fact: Fact, effect: Effect, amount: int, status: str, *, withdrawn: bool, reinstated: bool
) -> dict[str, object]:
    """A dispute with the balance transactions made so far: the fee is ours, not the player's."""
    lines: list[dict[str, object]] = []
    if withdrawn:
        lines.append(_balance_line(fact, effect, -amount, fee=1500))
    if reinstated:
        lines.append(_balance_line(fact, effect, amount, fee=0))
    return {
        "id": effect.effect_id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": lines,
        "charge": fact.payment.charge_id,
        "created": int(effect.created_at.timestamp()),
        "currency": fact.payment.currency.lower(),
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": int((effect.created_at + timedelta(days=7)).timestamp()),
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": fact.payment.payment_id,
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": "fraudulent",
        "status": status,
    }


def payout(fact: Fact, amount: int, status: str) -> dict[str, object]:
    """A payout to a player's bank account, with the metadata that it was made with."""
    payment = fact.payment
    failed = status == "failed"
    return {
        "id": payment.payment_id,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": int((payment.created_at + timedelta(days=1)).timestamp()),
        "automatic": False,
        "balance_transaction": stripe_id("txn", payment.payment_id),
        "created": int(payment.created_at.timestamp()),
        "currency": payment.currency.lower(),
        "description": None,
        "destination": stripe_id("ba", payment.user_id),
        "failure_balance_transaction": stripe_id("txn", "failed " + payment.payment_id)
        if failed
        else None,
        "failure_code": "account_closed" if failed else None,
        "failure_message": "The bank account has been closed." if failed else None,
        "livemode": False,
        "metadata": _metadata(payment),
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": status,
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }


def _metadata(payment: Payment) -> dict[str, str]:
    return {"user_id": payment.user_id, "reference": payment.reference}


def _tail(payment: Payment) -> str:
    return sha256(payment.payment_id.encode()).hexdigest()[:25]


def _declined(payment: Payment) -> dict[str, object]:
    return {
        "advice_code": "try_again_later",
        "charge": payment.charge_id,
        "code": "card_declined",
        "decline_code": "generic_decline",
        "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "message": "Your card was declined.",
        "type": "card_error",
    }


def _balance_line(fact: Fact, effect: Effect, amount: int, *, fee: int) -> dict[str, object]:
    created = int(fact.at.timestamp())
    withdrawn = amount < 0
    return {
        "id": stripe_id("txn", f"{effect.effect_id} {'out' if withdrawn else 'in'}"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": fact.payment.currency.lower(),
        "description": f"Chargeback {'withdrawal' if withdrawn else 'reversal'} for "
        f"{fact.payment.charge_id}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {
                "amount": fee,
                "application": None,
                "currency": fact.payment.currency.lower(),
                "description": "Dispute fee",
                "type": "stripe_fee",
            }
        ]
        if fee
        else [],
        "net": amount - fee,
        "reporting_category": "dispute" if withdrawn else "dispute_reversal",
        "source": effect.effect_id,
        "status": "available",
        "type": "adjustment",
    }
