"""A third party's game API and PSP senders, written from the specifications alone.

The other ``test_contract_…`` modules speak to the service through these; here they prove themselves
by the specifications' vectors, so that what they agree on with the service is not a shared mistake.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

API_KEY = "ck_sandbox_thirdparty"
SIGNING_SECRET = "sk_sandbox_4f1d9c"  # the specification's own example

STRIPE_SECRET = "whsec_third_party_stripe"
STRIPE_OLD_SECRET = "whsec_third_party_stripe_old"
ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
MERCHANT = "OurMerchantECOM"
BANK_SECRET = "whsec_" + base64.b64encode(b"third party bank, 24 byte").decode()
BANK_PRIVATE = Ed25519PrivateKey.from_private_bytes(b"third party ed25519 key 32 byte!")
BANK_PUBLIC = (
    "whpk_"
    + base64.b64encode(
        BANK_PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    ).decode()
)

PSPS = {
    "RECON_PSP__STRIPE_UK__PROVIDER": "stripe",
    "RECON_PSP__STRIPE_UK__SECRETS": json.dumps([STRIPE_SECRET, STRIPE_OLD_SECRET]),
    "RECON_PSP__CARDS__PROVIDER": "adyen",
    "RECON_PSP__CARDS__SECRETS": json.dumps([ADYEN_KEY]),
    "RECON_PSP__CARDS__MERCHANT_ACCOUNT": MERCHANT,
    "RECON_PSP__BANK__PROVIDER": "standard-webhooks",
    "RECON_PSP__BANK__SECRETS": json.dumps([BANK_SECRET, BANK_PUBLIC]),
}

_ids = count(1)


# --- PSP senders ---------------------------------------------------------------------------------


def stripe_signature(body: bytes, *, secret: str = STRIPE_SECRET, at: int | None = None) -> str:
    stamp = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()},v0=00"


def stripe_event(event_type: str, shown: dict[str, Any], *, event_id: str | None = None) -> bytes:
    return json.dumps(
        {
            "id": event_id or f"evt_{next(_ids)}",
            "object": "event",
            "api_version": None,
            "created": int(time.time()),
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
            "data": {"object": shown},
        }
    ).encode()


def intent(
    payment: str, user: str | None, minor: int, *, currency: str = "gbp", **more: object
) -> dict[str, Any]:
    return {
        "id": payment,
        "object": "payment_intent",
        "amount": minor,
        "amount_received": minor,
        "currency": currency,
        "latest_charge": f"ch_{payment}",
        "metadata": {} if user is None else {"user_id": user},
        "status": "succeeded",
        **more,
    }


def refund(
    refund_id: str, payment: str, minor: int, *, status: str = "succeeded"
) -> dict[str, Any]:
    return {
        "id": refund_id,
        "object": "refund",
        "amount": minor,
        "currency": "gbp",
        "charge": f"ch_{payment}",
        "payment_intent": payment,
        "metadata": {},
        "status": status,
    }


def dispute(dispute_id: str, payment: str, minor: int) -> dict[str, Any]:
    return {
        "id": dispute_id,
        "object": "dispute",
        "amount": minor,
        "currency": "gbp",
        "charge": f"ch_{payment}",
        "payment_intent": payment,
        "balance_transactions": [],
        "metadata": {},
        "reason": "general",
        "status": "needs_response",
    }


def adyen_item(  # noqa: PLR0913 - the signed fields, each by its name
    event_code: str,
    psp_reference: str,
    reference: str,
    minor: int,
    *,
    original: str | None = None,
    success: str = "true",
    currency: str = "GBP",
    merchant: str = MERCHANT,
    key: str = ADYEN_KEY,
    signature: str | None = None,
) -> dict[str, Any]:
    signed = ":".join(
        (psp_reference, original or "", merchant, reference, str(minor), currency, event_code,
         success)
    )  # fmt: skip
    mac = hmac.new(bytes.fromhex(key), signed.encode(), hashlib.sha256).digest()
    item: dict[str, Any] = {
        "additionalData": {"hmacSignature": signature or base64.b64encode(mac).decode()},
        "amount": {"currency": currency, "value": minor},
        "eventCode": event_code,
        "eventDate": "2026-01-01T01:00:00+01:00",
        "merchantAccountCode": merchant,
        "merchantReference": reference,
        "paymentMethod": "visa",
        "pspReference": psp_reference,
        "reason": "",
        "success": success,
    }
    if original is not None:
        item["originalReference"] = original
    return item


def adyen_call(*items: dict[str, Any]) -> bytes:
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


def bank_event(
    event_type: str, payment: str, user: str | None, amount: str, **data: object
) -> bytes:
    fields: dict[str, Any] = {"payment_id": payment, "amount": amount, "currency": "GBP", **data}
    if user is not None:
        fields["user_id"] = user
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event_type, "timestamp": stamp, "data": fields}).encode()


def bank_headers(
    body: bytes,
    event_id: str,
    *,
    at: int | None = None,
    secret: str = BANK_SECRET,
    scheme: str = "v1",
) -> dict[str, str]:
    stamp = str(int(time.time()) if at is None else at)
    signed = f"{event_id}.{stamp}.".encode() + body
    if scheme == "v1a":
        mac = BANK_PRIVATE.sign(signed)
    else:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mac = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v9,bm90aGluZw== {scheme},{base64.b64encode(mac).decode()}",
    }


@dataclass
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.text)


@dataclass
class Sender:
    """Posts as the PSPs do, to one service."""

    session: aiohttp.ClientSession

    async def post(
        self, endpoint: str, body: bytes | AsyncIterator[bytes], headers: dict[str, str]
    ) -> Answer:
        given = {"Content-Type": "application/json", **headers}
        async with self.session.post(f"/webhooks/{endpoint}", data=body, headers=given) as got:
            return Answer(got.status, got.headers, await got.text())

    async def stripe(
        self, body: bytes, *, secret: str = STRIPE_SECRET, at: int | None = None
    ) -> Answer:
        signature = stripe_signature(body, secret=secret, at=at)
        return await self.post("stripe_uk", body, {"Stripe-Signature": signature})

    async def adyen(self, *items: dict[str, Any]) -> Answer:
        return await self.post("cards", adyen_call(*items), {})

    async def bank(self, body: bytes, event_id: str | None = None, *, scheme: str = "v1") -> Answer:
        headers = bank_headers(body, event_id or f"msg_{next(_ids)}", scheme=scheme)
        return await self.post("bank", body, headers)

    async def deposit(self, payment: str, user: str | None, amount: str, **data: object) -> Answer:
        return await self.bank(bank_event("deposit.succeeded", payment, user, amount, **data))


@asynccontextmanager
async def sending(url: str) -> AsyncIterator[Sender]:
    async with aiohttp.ClientSession(url) as session:
        yield Sender(session)


# --- the game ------------------------------------------------------------------------------------


def _stamp(at: datetime | None = None) -> str:
    shown = datetime.now(UTC) if at is None else at
    return shown.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def game_signature(
    secret: str, stamp: str, nonce: str, method: str, path: str, user: str, key: str, body: bytes
) -> str:
    lines = ("v1", stamp, nonce, method, path, user, key, hashlib.sha256(body).hexdigest())
    return "v1=" + hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


class RefusedError(Exception):
    """An answer of the game that is an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class Game:
    """The game API with its balances in memory and faults by wish.

    Attributes:
        balances: (user, currency) → [available, held].
        broken: a path's prefix (with its method) → status, ``"hang"`` or ``"lost"``
            (done, and the answer never sent).
        calls: every call that came, with its headers.
        open_round: the round that takes bets.
    """

    url: str = ""
    balances: dict[tuple[str, str], list[Decimal]] = field(default_factory=dict)
    broken: dict[str, int | str] = field(default_factory=dict)
    calls: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    open_round: str = "r_77"
    multiplier: Decimal = Decimal("2.00")
    payout_status: str = "completed"
    hang: asyncio.Event = field(default_factory=asyncio.Event)
    bad_calls: list[str] = field(default_factory=list)
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_hold_key: dict[tuple[str, str], str] = field(default_factory=dict)
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    payouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: dict[str, tuple[bytes, int, dict[str, Any]]] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "RECON_GAME_URL": self.url,
            "RECON_GAME_API_KEY": API_KEY,
            "RECON_GAME_SIGNING_SECRET": SIGNING_SECRET,
        }

    def set(self, user: str, available: str, held: str = "0.00", currency: str = "GBP") -> None:
        self.balances[user, currency] = [Decimal(available), Decimal(held)]

    def add(self, user: str, amount: str, currency: str = "GBP") -> None:
        self.balances.setdefault((user, currency), [Decimal("0.00"), Decimal("0.00")])
        self.balances[user, currency][0] += Decimal(amount)

    def seen(self, method: str, prefix: str) -> list[tuple[str, str, dict[str, str], bytes]]:
        return [one for one in self.calls if one[0] == method and one[1].startswith(prefix)]

    def complete(self, transaction: str) -> None:
        payout = self.payouts[transaction]
        if payout["status"] == "completed":
            return
        payout["status"] = "completed"
        payout["completed_at"] = _stamp()
        ticket = self.tickets[payout["ticket_id"]]
        self.balances[ticket["user_id"], ticket["currency"]][0] += Decimal(payout["amount"])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.raw_path
        self.calls.append((request.method, path, dict(request.headers), body))
        fault = next(
            (
                what
                for prefix, what in self.broken.items()
                if f"{request.method} {path}".startswith(prefix)
            ),
            None,
        )
        if fault == "hang":
            await self.hang.wait()
            return web.Response(status=503)
        try:
            status, found = self._do(request, body, fault)
        except RefusedError as error:
            request_id = request.headers.get("X-Request-Id", "req_game")
            status = error.status
            found = {"code": error.code, "message": error.code, "request_id": request_id}
        if fault == "lost":
            assert request.transport is not None
            request.transport.abort()
        headers = {"X-API-Version": "1.4", "X-Request-Id": request.headers.get("X-Request-Id", "g")}
        return web.Response(
            text=json.dumps(found), status=status, content_type="application/json", headers=headers
        )

    def _do(
        self, request: web.Request, body: bytes, fault: int | str | None
    ) -> tuple[int, dict[str, Any]]:
        if isinstance(fault, int):
            raise RefusedError(fault, "invalid_api_key" if fault == 401 else "unavailable")
        if request.headers.get("X-API-Key") != API_KEY:
            raise RefusedError(401, "invalid_api_key")
        parts = request.path.removeprefix("/api/v1/").split("/")
        if parts == ["stream"]:
            raise RefusedError(404, "not_found")  # this one has none
        user = request.headers.get("X-User-Id", "")
        if parts == ["game", "state"]:
            return 200, self._state()
        if parts[:2] == ["game", "rounds"]:
            return 200, self._round(parts[2])
        if not user:
            self.bad_calls.append(f"{request.method} {request.path}: no X-User-Id")
            raise RefusedError(400, "bad_request")
        if request.method == "GET":
            return 200, self._ask(parts, user, request)
        return self._signed(request, parts, user, body)

    def _state(self) -> dict[str, Any]:
        return {
            "round_id": self.open_round,
            "current_multiplier": 1.0,
            "status": "betting",
            "elapsed_ms": 10,
            "timestamp": _stamp(),
            "participants": 3,
        }

    def _round(self, round_id: str) -> dict[str, Any]:
        known = {self.open_round} | {one["round_id"] for one in self.holds.values()}
        if round_id not in known:
            raise RefusedError(404, "not_found")
        over = round_id != self.open_round
        return {
            "round_id": round_id,
            "status": "crashed" if over else "betting",
            "crash_multiplier": 3.21 if over else None,
            "started_at": _stamp(),
            "crashed_at": _stamp() if over else None,
            "participants": 3,
        }

    def next_round(self) -> None:
        """The open round ends; another one takes bets."""
        self.open_round = f"r_{next(_ids) + 1000}"

    def _ask(self, parts: list[str], user: str, request: web.Request) -> dict[str, Any]:
        match parts:
            case ["user", "balance"]:
                currency = request.query.get("currency", "")
                found = self.balances.get((user, currency))
                if found is None:
                    raise RefusedError(404, "user_not_found")
                return {
                    "user_id": user,
                    "currency": currency,
                    "available": str(found[0]),
                    "held": str(found[1]),
                    "as_of": _stamp(),
                }
            case ["bets"]:
                hold_id = self.by_hold_key.get((user, request.query["idempotency_key"]))
                if hold_id is None:
                    return {"hold": None, "bet": None}
                bets = [one for one in self.tickets.values() if one["hold_id"] == hold_id]
                return {"hold": self.holds[hold_id], "bet": bets[0] if bets else None}
            case ["bets", ticket] if ticket in self.tickets:
                return self.tickets[ticket]
            case ["payouts", transaction] if transaction in self.payouts:
                return self.payouts[transaction]
        raise RefusedError(404, "not_found")

    def _signed(
        self, request: web.Request, parts: list[str], user: str, body: bytes
    ) -> tuple[int, dict[str, Any]]:
        headers = request.headers
        key = headers.get("Idempotency-Key", "")
        stamp, nonce = headers.get("X-Timestamp", ""), headers.get("X-Nonce", "")
        expected = game_signature(
            SIGNING_SECRET, stamp, nonce, request.method, request.raw_path, user, key, body
        )
        if headers.get("X-Signature") != expected:
            self.bad_calls.append(f"{request.path}: wrong signature")
            raise RefusedError(401, "invalid_signature")
        if nonce in self.nonces or abs(int(stamp) - time.time()) > 60:
            self.bad_calls.append(f"{request.path}: nonce or timestamp used again")
            raise RefusedError(401, "nonce_reused")
        self.nonces.add(nonce)
        if not key:
            self.bad_calls.append(f"{request.path}: no Idempotency-Key")
            raise RefusedError(400, "idempotency_key_missing")
        if key in self.kept:
            earlier, status, answer = self.kept[key]
            if earlier != request.raw_path.encode() + body:
                self.bad_calls.append(f"{request.path}: a key with another body")
                raise RefusedError(422, "idempotency_key_reused")
            return status, answer
        status, answer = self._change(parts, user, key, json.loads(body))
        self.kept[key] = (request.raw_path.encode() + body, status, answer)
        return status, answer

    def _change(
        self, parts: list[str], user: str, key: str, wish: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        match parts:
            case ["bets", "holds"]:
                return 201, self._hold(user, key, wish)
            case ["bets", "holds", hold_id, "confirm"] if hold_id in self.holds:
                return 201, self._confirm(self.holds[hold_id])
            case ["bets", "holds", hold_id, "release"] if hold_id in self.holds:
                return 200, self._release(self.holds[hold_id])
            case ["bets", ticket, "cashout"] if ticket in self.tickets:
                return 200, self._cash_out(self.tickets[ticket])
        raise RefusedError(404, "not_found")

    def _hold(self, user: str, key: str, wish: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(wish["amount"], str):
            self.bad_calls.append("a hold's amount is no string")
            raise RefusedError(400, "validation_failed")
        if wish["round_id"] != self.open_round:
            raise RefusedError(409, "round_closed")
        purse = self.balances.get((user, wish["currency"]))
        stake = Decimal(wish["amount"])
        if purse is None or purse[0] < stake:
            raise RefusedError(422, "insufficient_balance")
        purse[0] -= stake
        purse[1] += stake
        hold = {
            "hold_id": f"h_{next(_ids)}",
            "user_id": user,
            **wish,
            "status": "held",
            "expires_at": _stamp(datetime.now(UTC) + timedelta(seconds=60)),
        }
        self.holds[hold["hold_id"]] = hold
        self.by_hold_key[user, key] = hold["hold_id"]
        return hold

    def _confirm(self, hold: dict[str, Any]) -> dict[str, Any]:
        if hold["status"] != "held":
            raise RefusedError(409, "hold_expired")
        hold["status"] = "confirmed"
        self.balances[hold["user_id"], hold["currency"]][1] -= Decimal(hold["amount"])
        ticket = {
            "ticket_id": f"t_{next(_ids)}",
            **{name: hold[name] for name in ("hold_id", "round_id", "user_id", "amount",
                                             "currency", "auto_cashout")},
            "status": "active",
            "cashout_multiplier": None,
            "payout_transaction_id": None,
            "placed_at": _stamp(),
        }  # fmt: skip
        self.tickets[ticket["ticket_id"]] = ticket
        return ticket

    def _release(self, hold: dict[str, Any]) -> dict[str, Any]:
        if hold["status"] == "held":
            hold["status"] = "released"
            purse = self.balances[hold["user_id"], hold["currency"]]
            purse[1] -= Decimal(hold["amount"])
            purse[0] += Decimal(hold["amount"])
        return hold

    def _cash_out(self, ticket: dict[str, Any]) -> dict[str, Any]:
        if ticket["status"] != "active":
            raise RefusedError(409, "bet_not_active")
        amount = (Decimal(ticket["amount"]) * self.multiplier).quantize(Decimal("0.01"))
        transaction = f"p_{next(_ids)}"
        ticket["status"] = "cashed_out"
        ticket["cashout_multiplier"] = float(self.multiplier)
        ticket["payout_transaction_id"] = transaction
        self.payouts[transaction] = {
            "transaction_id": transaction,
            "ticket_id": ticket["ticket_id"],
            "amount": str(amount),
            "currency": ticket["currency"],
            "status": "pending",
            "completed_at": None,
        }
        told = {name: self.payouts[transaction][name] for name in
                ("transaction_id", "amount", "currency", "status")}  # fmt: skip
        if self.payout_status == "completed":
            self.complete(transaction)
        return {
            "ticket_id": ticket["ticket_id"],
            "multiplier": float(self.multiplier),
            "payout": told,
        }


@asynccontextmanager
async def playing() -> AsyncIterator[Game]:
    """A game on a port of its own; it must not have got a call that the specification forbids."""
    game = Game()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", game.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        game.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield game
    finally:
        game.hang.set()
        await runner.cleanup()
    assert game.bad_calls == []


# --- the vectors ---------------------------------------------------------------------------------


def test_the_signature_of_a_game_call_is_that_of_the_vector() -> None:
    body = b'{"round_id":"r_77","amount":"10.00","currency":"GBP","auto_cashout":2.50}'

    assert game_signature(
        "sk_sandbox_4f1d9c", "1767225600", "5f2b7c1e9a4d4e0f8c3b2a1908d7e6f5", "POST",
        "/api/v1/bets/holds", "u_1001", "8e03978e-40d5-43e8-bc93-6894a57f9324", body,
    ) == "v1=b3007378266bd3879a361a0d4a6904eca077941594e21ffff944fbd2780eb9f8"  # fmt: skip


def test_the_signature_of_a_bank_event_is_that_of_the_vector() -> None:
    headers = bank_headers(
        b'{"test": 2432232314}',
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=1614265330,
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )

    signature = headers["webhook-signature"].split()[-1]
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_of_a_card_notification_is_that_of_the_vector() -> None:
    item = adyen_item(
        "AUTHORISATION", "7914073381342284", "TestPayment-1407325143704", 1130,
        currency="EUR", merchant="TestMerchant",
    )  # fmt: skip

    signature = item["additionalData"]["hmacSignature"]
    assert signature == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="
