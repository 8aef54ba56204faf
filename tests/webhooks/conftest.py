"""The PSPs' door on a real server, with every provider configured."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recon.clock import format_time, new_id, now
from recon.db import POOL, Pool
from recon.http.flood import FloodGate
from recon.http.keys import Scope, create_key
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from recon.http.request_ids import request_id_middleware
from recon.ledger import Account, Wallet, read_entries, read_wallet_or_none, verify_books
from recon.money import Money
from recon.payments import Direction, ExpectedPayment
from recon.webhooks import (
    DRAIN,
    INTAKE,
    Drain,
    Endpoint,
    Intake,
    StoredDelivery,
    list_deliveries,
    read_delivery,
    register_payment,
)
from recon.webhooks.handlers import routes
from recon.webhooks.inbox import CaseRow, list_cases
from recon.webhooks.psp import adyen, standard_webhooks, stripe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STRIPE_SECRET = "whsec_newest0000000000000000000000"
STRIPE_OLD = "whsec_oldest0000000000000000000000"
ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ADYEN_OLD = "11" * 32
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STANDARD_PUBLIC = "whpk_" + base64.b64encode(SIGNING_KEY.public_key().public_bytes_raw()).decode()
ACCOUNT = "TestMerchant"
T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)

ENDPOINTS = {
    "stripe": Endpoint(name="stripe", provider="stripe", secrets=(STRIPE_SECRET, STRIPE_OLD)),
    "adyen": Endpoint(
        name="adyen",
        provider="adyen",
        secrets=(ADYEN_KEY, ADYEN_OLD),
        merchant_account=ACCOUNT,
    ),
    "standard": Endpoint(
        name="standard",
        provider="standard-webhooks",
        secrets=(STANDARD_SECRET, STANDARD_PUBLIC),
    ),
}


@dataclass
class Door:
    """The service's webhook door, and the books behind it.

    Attributes:
        planted: what a test has put into the books that verify is to find in the end.
    """

    client: TestClient[web.Request, web.Application]
    pool: Pool
    app: web.Application
    planted: list[str] = field(default_factory=list)

    async def post(
        self, endpoint: str, body: bytes, headers: dict[str, str] | None = None
    ) -> ClientResponse:
        return await self.client.post(
            f"/webhooks/{endpoint}",
            data=body,
            headers={"Content-Type": "application/json", **(headers or {})},
        )

    # -- Standard Webhooks

    async def standard(  # noqa: PLR0913 - a field of the body each
        self,
        kind: str,
        payment_id: str = "pay_1",
        *,
        amount: str = "20.00",
        currency: str = "GBP",
        user: str | None = "u_7",
        reference: str | None = None,
        effect_id: str | None = None,
        at: int = 0,
        event_id: str | None = None,
    ) -> str:
        """Send one event; ``at`` is its time in seconds after `T0`. The state it came into."""
        data = {"payment_id": payment_id, "amount": amount, "currency": currency}
        data |= {
            name: value
            for name, value in (
                ("user_id", user),
                ("reference", reference),
                ("effect_id", effect_id),
            )
            if value is not None
        }
        document = {
            "type": kind,
            "timestamp": format_time(T0 + timedelta(seconds=at)),
            "data": data,
        }
        body = json.dumps(document).encode()
        response = await self.post("standard", body, standard_headers(body, event_id))
        assert response.status == 200, await response.text()
        return str((await response.json())["state"])

    # -- Stripe

    async def stripe(
        self, event_type: str, shown: dict[str, Any], *, at: int = 0, event_id: str | None = None
    ) -> str:
        body = stripe_body(event_type, shown, at=at, event_id=event_id)
        response = await self.post("stripe", body, stripe_headers(body))
        assert response.status == 200, await response.text()
        return str((await response.json())["state"])

    # -- Adyen

    async def adyen(self, *items: dict[str, Any], key: str = ADYEN_KEY) -> None:
        response = await self.post("adyen", adyen_body(*items, key=key))
        assert response.status == 200, await response.text()
        assert await response.text() == "[accepted]"

    # -- what became of it

    async def register(
        self,
        reference: str,
        *,
        endpoint: str = "standard",
        direction: str = "deposit",
        user: str = "u_7",
        amount: str = "20.00",
        currency: str = "GBP",
    ) -> None:
        expected = ExpectedPayment(
            reference, endpoint, Direction(direction), user, amount, currency
        )
        await register_payment(self.pool, expected)

    async def wallet(self, user: str = "u_7", currency: str = "GBP") -> Wallet | None:
        async with self.pool.acquire() as connection:
            return await read_wallet_or_none(connection, user, currency)

    async def available(self, user: str = "u_7", currency: str = "GBP") -> str:
        wallet = await self.wallet(user, currency)
        return str(Money(wallet.available if wallet else 0, currency))

    async def reserved(self, user: str = "u_7", currency: str = "GBP") -> str:
        wallet = await self.wallet(user, currency)
        return str(Money(wallet.reserved if wallet else 0, currency))

    async def suspense(self, book: str, currency: str = "GBP") -> str:
        """What stands in a suspense book, by its postings."""
        async with self.pool.acquire() as connection:
            entries = await read_entries(connection, book, currency)
        total = sum(
            entry.amount if entry.credit is Account.SUSPENSE else -entry.amount for entry in entries
        )
        return str(Money(total, currency))

    async def inbox(self) -> list[StoredDelivery]:
        """Newest first."""
        async with self.pool.acquire() as connection:
            return await list_deliveries(connection)

    async def last(self) -> StoredDelivery:
        return (await self.inbox())[0]

    async def stored(self, listed: StoredDelivery) -> StoredDelivery:
        """A listed delivery with its body."""
        async with self.pool.acquire() as connection:
            return await read_delivery(connection, listed.delivery_id)

    async def cases(self, state: str | None = "open") -> list[CaseRow]:
        async with self.pool.acquire() as connection:
            return await list_cases(connection, state=state)

    async def payment_state(self, reference: str) -> str:
        state: str = await self.pool.fetchval(
            "SELECT state FROM payments WHERE reference = $1", reference
        )
        return state


def standard_headers(
    body: bytes,
    event_id: str | None = None,
    *,
    secret: str = STANDARD_SECRET,
    skew_s: int = 0,
) -> dict[str, str]:
    message_id = event_id or f"msg_{new_id().hex}"
    timestamp = str(int(now().timestamp()) + skew_s)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": standard_webhooks.sign(secret, message_id, timestamp, body),
    }


def stripe_headers(body: bytes, *, secret: str = STRIPE_SECRET, skew_s: int = 0) -> dict[str, str]:
    timestamp = str(int(now().timestamp()) + skew_s)
    return {"Stripe-Signature": f"t={timestamp},v1={stripe.sign(secret, timestamp, body)}"}


def stripe_body(
    event_type: str, shown: dict[str, Any], *, at: int = 0, event_id: str | None = None
) -> bytes:
    document = {
        "id": event_id or f"evt_{new_id().hex}",
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": int(T0.timestamp()) + at,
        "data": {"object": shown},
        "livemode": False,
        "pending_webhooks": 1,
        "type": event_type,
    }
    return json.dumps(document).encode()


def payment_intent(
    payment_id: str = "pi_1",
    *,
    amount: int = 2000,
    currency: str = "gbp",
    charge: str | None = "ch_1",
    status: str = "succeeded",
    **metadata: str,
) -> dict[str, Any]:
    return {
        "id": payment_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount if status == "succeeded" else 0,
        "currency": currency,
        "latest_charge": charge,
        "metadata": metadata,
        "status": status,
    }


def refund(
    refund_id: str = "re_1",
    *,
    payment_intent: str | None = "pi_1",
    charge: str | None = "ch_1",
    amount: int = 2000,
    status: str = "succeeded",
) -> dict[str, Any]:
    return {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "charge": charge,
        "currency": "gbp",
        "metadata": {},
        "payment_intent": payment_intent,
        "status": status,
    }


def dispute(
    dispute_id: str = "dp_1", *, payment_intent: str = "pi_1", amount: int = 2000
) -> dict[str, Any]:
    return {
        "id": dispute_id,
        "object": "dispute",
        "amount": amount,
        "charge": "ch_1",
        "currency": "gbp",
        "metadata": {},
        "payment_intent": payment_intent,
        "status": "needs_response",
    }


def payout(payout_id: str = "po_1", *, amount: int = 2000, **metadata: str) -> dict[str, Any]:
    return {
        "id": payout_id,
        "object": "payout",
        "amount": amount,
        "currency": "gbp",
        "metadata": metadata,
        "status": "paid",
    }


def item(  # noqa: PLR0913 - a field of an item each
    event_code: str = "AUTHORISATION",
    psp_reference: str = "7914073381342284",
    *,
    original: str | None = None,
    reference: str = "order-1",
    value: object = 2000,
    currency: str = "GBP",
    success: object = "true",
    account: str = ACCOUNT,
    at: str = "2026-01-01T13:00:00+01:00",
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "additionalData": {},
        "amount": {"currency": currency, "value": value},
        "eventCode": event_code,
        "eventDate": at,
        "merchantAccountCode": account,
        "merchantReference": reference,
        "paymentMethod": "visa",
        "pspReference": psp_reference,
        "reason": "",
        "success": success,
    }
    if original is not None:
        made["originalReference"] = original
    return made


def adyen_body(*items: dict[str, Any], key: str = ADYEN_KEY) -> bytes:
    signed = [
        {**one, "additionalData": {**one["additionalData"], "hmacSignature": adyen.sign(key, one)}}
        for one in items
    ]
    wrapped = [{"NotificationRequestItem": one} for one in signed]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


@pytest.fixture
def gate() -> FloodGate:
    """How many unverified calls are let through; a module that sends many has one of its own."""
    return FloodGate()


@pytest.fixture
async def door(pool: Pool, gate: FloodGate) -> AsyncIterator[Door]:
    """The door; at the end the books must verify."""
    app = web.Application(middlewares=[request_id_middleware, problem_middleware])
    app[POOL] = pool
    app[INTAKE] = Intake(ENDPOINTS, gate)
    app[LIMITER] = RateLimiter(10_000, 60)
    app[FAILURES] = RateLimiter(10_000, 60)
    app[DRAIN] = Drain(pool)
    app.add_routes(routes)
    server = TestServer(app, auto_decompress=False)
    async with TestClient(server) as client:
        opened = Door(client, pool, app)
        yield opened
    verified = await verify_books(pool)
    assert [fault.detail for fault in verified.faults] == opened.planted


@pytest.fixture
async def admin(pool: Pool) -> dict[str, str]:
    """Headers of a caller who may do everything here."""
    created = await create_key(
        pool, name="tests", scopes=[Scope.ADMIN_WEBHOOK, Scope.READ_DISCREPANCY], lifetime=None
    )
    return {"Authorization": f"Bearer {created.key}"}
