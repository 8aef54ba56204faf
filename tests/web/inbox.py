"""An inbox with one delivery of every fate, taken in through the intake itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recon.clock import now
from recon.payments import Direction, ExpectedPayment
from recon.webhooks import Endpoint, Outcome, receive, register_payment, verify_call
from tests.webhooks.conftest import (
    ENDPOINTS,
    STRIPE_OLD,
    adyen_body,
    item,
    payment_intent,
    refund,
    standard_headers,
    stripe_body,
    stripe_headers,
)

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool

HOSTILE = '<img src=x onerror="alert(1)">'


@dataclass
class Inbox:
    """Deliveries by their fate."""

    booked: UUID
    refund: UUID
    suspended: UUID
    fixable: UUID
    unusable: UUID
    waiting: UUID
    ignored: UUID


async def take(
    pool: Pool, endpoint: Endpoint, headers: dict[str, str], body: bytes
) -> list[Outcome]:
    """What became of one call."""
    return await receive(pool, verify_call(endpoint, headers, body, now()))


async def fill(pool: Pool) -> Inbox:
    """Take them all in.

    ``fixable`` is quarantined because of a setting that is right by now; ``unusable`` stays so
    whatever is set. The booked deposit came again twice, once with other bytes.
    """
    stripe, adyen, standard = (ENDPOINTS[name] for name in ("stripe", "adyen", "standard"))

    async def say(event_type: str, shown: dict[str, Any], **more: Any) -> UUID:  # noqa: ANN401 - of a body
        secret = more.pop("secret", stripe.secrets[0])
        body = stripe_body(event_type, shown, **more)
        (outcome,) = await take(pool, stripe, stripe_headers(body, secret=secret), body)
        return outcome.delivery_id

    booked = await say(
        "payment_intent.succeeded",
        payment_intent(amount=123456, user_id="u_48213"),
        event_id="evt_1",
        at=1,
    )
    for amount, at in ((123456, 1), (999900, 1)):
        await say(
            "payment_intent.succeeded",
            payment_intent(amount=amount, user_id="u_48213"),
            event_id="evt_1",
            at=at,
        )
    back = await say("refund.created", refund(amount=3456), at=9, secret=STRIPE_OLD)
    ignored = await say("customer.created", {"id": "cus_1", "note": HOSTILE})
    for number in range(3):
        await say(
            "payment_intent.succeeded",
            payment_intent(
                f"pi_yen{number}", amount=1500 + number, currency="jpy", charge=None, user_id="u_5"
            ),
        )
    (suspended,) = await take(pool, adyen, {}, adyen_body(item(psp_reference="PSP_NOBODY")))
    expected = ExpectedPayment("order-7", "adyen", Direction.DEPOSIT, "u_7", "20.00", "GBP")
    await register_payment(pool, expected)
    elsewhere = replace(adyen, merchant_account="Elsewhere")
    fixable = adyen_body(item(psp_reference="PSP_FIX", reference="order-7"))
    (quarantined,) = await take(pool, elsewhere, {}, fixable)
    broken = b'{"type":"deposit.succeeded","timestamp":NaN,"data":{"payment_id":"pay_\\u202e9"}}'
    (unusable,) = await take(pool, standard, standard_headers(broken, "msg_broken"), broken)
    early = {
        "type": "deposit.refunded",
        "timestamp": "2026-01-01T00:00:00Z",
        "data": {
            "payment_id": "pay_early",
            "effect_id": "rf_early",
            "reference": "order-early",
            "amount": "5.00",
            "currency": "EUR",
        },
    }
    body = json.dumps(early).encode()
    (waiting,) = await take(pool, standard, standard_headers(body), body)
    return Inbox(
        booked=booked,
        refund=back,
        suspended=suspended.delivery_id,
        fixable=quarantined.delivery_id,
        unusable=unusable.delivery_id,
        waiting=waiting.delivery_id,
        ignored=ignored,
    )
