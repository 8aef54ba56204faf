"""A quarantined delivery is evidence: what it seems to say explains a difference, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recon.clock import now
from recon.payments import Direction, ExpectedPayment
from recon.reconciliation import Cause
from recon.webhooks import Endpoint, receive, register_payment, replay_delivery, verify_call
from tests.webhooks.conftest import (
    ENDPOINTS,
    adyen_body,
    item,
    payment_intent,
    standard_headers,
    stripe_body,
    stripe_headers,
)

if TYPE_CHECKING:
    from uuid import UUID

    from recon.reconciliation import Discrepancy
    from tests.reconciliation.conftest import World


async def quarantined(world: World, endpoint: str, headers: dict[str, str], body: bytes) -> UUID:
    """Take in what must end in quarantine."""
    deliveries = verify_call(ENDPOINTS[endpoint], headers, body, now())
    (outcome,) = await receive(world.pool, deliveries)
    assert outcome.state == "quarantined"
    return outcome.delivery_id


async def explained(world: World, delivery_id: UUID) -> Discrepancy:
    """The only discrepancy, which this delivery explains."""
    await world.run()
    (found,) = await world.found()
    assert [(fact.kind, fact.id) for fact in found.evidence] == [("delivery", str(delivery_id))]
    return found


STRIPE: dict[str, dict[str, Any]] = {
    "its units are a text": {"amount_received": "2000"},
    "its units are a fraction": {"amount_received": 2000.0},
    "its id is unusable": {"id": "p" * 300},
    "its reference is a number": {"metadata": {"user_id": "u_1", "reference": 7}},
}


@pytest.mark.parametrize("name", STRIPE)
async def test_a_stripe_event_that_cannot_be_booked_explains_what_the_game_has(
    world: World, name: str
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "30.00")
    body = stripe_body("payment_intent.succeeded", payment_intent(user_id="u_1") | STRIPE[name])
    delivery_id = await quarantined(world, "stripe", stripe_headers(body), body)

    found = await explained(world, delivery_id)

    assert (found.difference, found.explained, found.unexplained) == (2000, 2000, 0)
    assert found.cause is Cause.MISSING_WEBHOOK
    assert "says 20.00 GBP; quarantined" in found.evidence[0].summary


DATA: dict[str, dict[str, Any]] = {
    "a number": {"amount": 20},
    "a float": {"amount": 20.0},
    "a currency in lower case": {"currency": "gbp"},
    "no payment": {"payment_id": 5},
}


@pytest.mark.parametrize("name", DATA)
async def test_a_standard_event_that_cannot_be_booked_explains_what_the_game_has(
    world: World, name: str
) -> None:
    data = {"payment_id": "pay_1", "user_id": "u_1", "amount": "20.00", "currency": "GBP"}
    await world.deposit("u_1", "50.00")
    world.game.set("u_1", "30.00")
    body = json.dumps(
        {"type": "withdrawal.paid", "timestamp": "soon", "data": data | DATA[name]}
    ).encode()
    delivery_id = await quarantined(world, "standard", standard_headers(body), body)

    found = await explained(world, delivery_id)

    assert (found.difference, found.unexplained) == (-2000, 0)
    assert found.cause is Cause.MISSING_WEBHOOK


SAID = b'"data":{"user_id":"u_1","amount":"20.00","currency":"GBP"}'


@pytest.mark.parametrize("odd", [b'"type":"deposit.succeeded"', b'"x":NaN', b'"x":"\xff"'])
async def test_a_body_that_can_be_read_in_two_ways_is_evidence_too(
    world: World, odd: bytes
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "30.00")
    body = b'{"type":"deposit.succeeded",' + odd + b"," + SAID + b"}"
    delivery_id = await quarantined(world, "standard", standard_headers(body), body)

    assert (await explained(world, delivery_id)).cause is Cause.MISSING_WEBHOOK


async def test_an_adyen_item_is_evidence_for_the_registered_player_and_is_booked_once_it_can_be(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "30.00")
    await register_payment(
        world.pool,
        ExpectedPayment("order-1", "adyen", Direction.DEPOSIT, "u_1", "20.00", "GBP"),
    )
    body = adyen_body(item(account="SecondMerchant"))
    delivery_id = await quarantined(world, "adyen", {}, body)

    found = await explained(world, delivery_id)
    assert (found.cause, found.unexplained) == (Cause.MISSING_WEBHOOK, 0)
    assert found.ledger_available == 1000, "what is only said moves nothing"

    unpinned = Endpoint(name="adyen", provider="adyen", secrets=ENDPOINTS["adyen"].secrets)
    stored = await replay_delivery(world.pool, {"adyen": unpinned}, delivery_id)
    assert (stored.state, stored.user_id, str(stored.amount)) == ("booked", "u_1", "20.00")
    await world.run()
    assert await world.found() == []


async def test_a_delivery_that_tells_nothing_does_not_hide_its_registered_payment(
    world: World,
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "30.00")
    await register_payment(
        world.pool,
        ExpectedPayment("order-1", "adyen", Direction.DEPOSIT, "u_1", "20.00", "GBP"),
    )
    # Its type moves no money here, and it is of another account.
    report = adyen_body(item("REPORT_AVAILABLE", account="SecondMerchant"))
    await quarantined(world, "adyen", {}, report)
    await world.run()

    (found,) = await world.found()
    assert [(fact.kind, fact.id) for fact in found.evidence] == [("payment", "order-1")]
    assert found.cause is Cause.MISSING_WEBHOOK


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("stripe", {"amount_received": 1e308}),
        ("stripe", {"amount_received": "9" * 5000}),
        ("stripe", {"amount_received": True}),
        ("stripe", {"amount_received": -2000}),
        ("stripe", {"currency": "xxx", "amount_received": "1"}),
    ],
)
async def test_what_is_not_plausible_is_not_read(
    world: World, endpoint: str, said: dict[str, Any]
) -> None:
    body = stripe_body("payment_intent.succeeded", payment_intent(user_id="u_1") | said)
    await quarantined(world, endpoint, stripe_headers(body), body)

    row = await world.pool.fetchrow("SELECT user_id, amount, currency, kind FROM deliveries")
    assert dict(row) == {
        "user_id": "u_1",
        "amount": None,
        "currency": None,
        "kind": "deposit.succeeded",
    }


async def test_a_number_of_a_billion_digits_is_read_by_nobody(world: World) -> None:
    for number in (b"1e999999999", b"1e-999999999", b"123E40"):
        body = (
            b'{"type":"deposit.succeeded","timestamp":"x","data":{"payment_id":"p","amount":'
            + number
            + b',"currency":"GBP"}}'
        )
        await quarantined(world, "standard", standard_headers(body), body)

    assert await world.pool.fetchval("SELECT count(*) FROM deliveries WHERE amount IS NULL") == 3


async def test_replaying_what_is_still_unusable_moves_nothing(world: World) -> None:
    body = stripe_body(
        "payment_intent.succeeded", payment_intent(user_id="u_1") | {"amount_received": "2000"}
    )
    delivery_id = await quarantined(world, "stripe", stripe_headers(body), body)

    stored = await replay_delivery(world.pool, ENDPOINTS, delivery_id)

    assert (stored.state, str(stored.amount)) == ("quarantined", "20.00")
    assert await world.pool.fetchval("SELECT count(*) FROM postings") == 0
    assert await world.pool.fetchval("SELECT count(*) FROM movements") == 0
