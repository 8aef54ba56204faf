"""The internal API's payments, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from recon.clock import new_id, now
from recon.db import POOL
from recon.http import Scope
from recon.http.keys import create_key
from recon.http.problems import problem_middleware
from recon.http.rate_limits import LIMITER, RateLimiter
from recon.ledger import read_wallet
from recon.money import Money
from recon.payments import REGISTER
from recon.payments.handlers import ENDPOINTS, routes
from recon.webhooks import Delivery, Event, Kind, receive, register_payment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool

Api = TestClient[web.Request, web.Application]


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[Api]:
    app = web.Application(middlewares=[problem_middleware])
    app[POOL] = pool
    app[ENDPOINTS] = frozenset({"stripe"})
    app[REGISTER] = register_payment
    app[LIMITER] = RateLimiter(1000, 60)
    app.add_routes(routes)
    scopes = [Scope.WRITE_PAYMENT, Scope.READ_PAYMENT]
    key = await create_key(pool, name="test", scopes=scopes, lifetime=None)
    headers = {"Authorization": f"Bearer {key.key}"}
    async with TestClient(TestServer(app), headers=headers) as opened:
        yield opened


def wanted(**changes: str) -> dict[str, Any]:
    return {
        "reference": "wd1",
        "endpoint": "stripe",
        "direction": "withdrawal",
        "user_id": "u_7",
        "amount": "30.00",
        "currency": "GBP",
        **changes,
    }


async def post(api: Api, body: dict[str, Any]) -> ClientResponse:
    headers = {"Idempotency-Key": str(new_id())}
    return await api.post("/api/v1/payments", json=body, headers=headers)


async def tell(pool: Pool, kind: Kind, amount: str, *, reference: str | None = None) -> None:
    """Stripe says it of player u_7."""
    event = Event(
        endpoint="stripe",
        provider="stripe",
        event_id=str(new_id()),
        event_type=kind,
        kind=kind,
        payment_id=f"po_{kind}",
        reference=reference,
        user_id="u_7",
        amount=Money.parse(amount, "GBP"),
        event_at=now(),
    )
    delivery = Delivery(
        delivery_id=new_id(),
        endpoint="stripe",
        provider="stripe",
        received_at=now(),
        body=b"{}",
        content_sha256=b"",
        headers={},
        verified_by="key:0:00000000",
        event=event,
    )
    await receive(pool, [delivery])


async def test_a_withdrawal_is_registered_with_its_reservation_and_read_back(
    pool: Pool, api: Api
) -> None:
    await tell(pool, Kind.DEPOSIT_SUCCEEDED, "100.00")
    answer = await post(api, wanted())
    registered = await answer.json()

    assert (answer.status, registered["state"], registered["amount"]) == (
        201,
        "registered",
        "30.00",
    )
    async with pool.acquire() as connection:
        wallet = await read_wallet(connection, "u_7", "GBP")
    assert (wallet.available, wallet.reserved) == (7000, 3000)
    shown = await api.get(answer.headers["Location"])
    assert (shown.status, await shown.json()) == (200, registered)


async def test_a_withdrawal_that_its_psp_has_paid_already_is_answered_as_paid(
    pool: Pool, api: Api
) -> None:
    await tell(pool, Kind.DEPOSIT_SUCCEEDED, "100.00")
    await tell(pool, Kind.WITHDRAWAL_PAID, "30.00", reference="wd1")
    answer = await post(api, wanted())
    registered = await answer.json()

    assert (answer.status, registered["state"]) == (201, "paid")
    assert registered["payment_id"] == "po_withdrawal.paid"
    assert registered["reported_at"] is not None
    async with pool.acquire() as connection:
        wallet = await read_wallet(connection, "u_7", "GBP")
    assert (wallet.available, wallet.reserved) == (7000, 0)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"user_id": "\u200bx"}, 400, "invalid_user_id"),
        ({"user_id": "~stripe:po_1"}, 400, "invalid_user_id"),
        ({"reference": "a:b"}, 400, "invalid_reference"),
        # Who asks for these by path asks for another payment, or for no payment at all.
        ({"reference": "."}, 400, "invalid_reference"),
        ({"reference": ".."}, 400, "invalid_reference"),
        ({"reference": "./a"}, 400, "invalid_reference"),
        ({"reference": "a/../b"}, 400, "invalid_reference"),
        ({"reference": "a/.."}, 400, "invalid_reference"),
        ({"amount": "0.00"}, 400, "invalid_amount"),
        ({"endpoint": "nowhere"}, 422, "unknown_endpoint"),
        ({}, 422, "insufficient_balance"),
    ],
)
async def test_what_cannot_be_registered_says_why_and_leaves_nothing(
    pool: Pool, api: Api, changes: dict[str, str], status: int, code: str
) -> None:
    answer = await post(api, wanted(**changes))

    assert (answer.status, (await answer.json())["code"]) == (status, code)
    assert await pool.fetchval("SELECT count(*) FROM payments") == 0


@pytest.mark.parametrize("reference", ["a/b", "a..b", "...", "a/.b", "v1./x", "/a", "a//b/"])
async def test_a_reference_with_dots_and_slashes_is_read_under_the_path_it_is_answered_with(
    api: Api, reference: str
) -> None:
    answer = await post(api, wanted(direction="deposit", reference=reference))
    assert answer.status == 201
    shown = await api.get(answer.headers["Location"])

    assert (shown.status, (await shown.json())["reference"]) == (200, reference)


async def test_a_reference_registered_with_other_data_is_a_conflict(api: Api) -> None:
    deposit = wanted(direction="deposit")
    assert (await post(api, deposit)).status == 201
    assert (await post(api, deposit)).status == 201
    answer = await post(api, {**deposit, "amount": "31.00"})

    assert (answer.status, (await answer.json())["code"]) == (409, "payment_exists")
