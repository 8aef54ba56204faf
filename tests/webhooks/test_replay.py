"""A replay books through the same code as an arrival, and whatever races it, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id, now
from recon.ledger import post_one, rules
from recon.money import Money
from recon.webhooks import preview_replay, receive, replay_delivery, verify_call
from recon.webhooks.errors import ReplayRefusedError
from tests.webhooks.conftest import ENDPOINTS, T0, adyen_body, item

if TYPE_CHECKING:
    from uuid import UUID

    from recon.webhooks import Endpoint, StoredDelivery
    from tests.webhooks.conftest import Door

ELSEWHERE = replace(ENDPOINTS["adyen"], merchant_account="Elsewhere")
ROUNDS = 6


async def quarantined(door: Door, body: bytes) -> UUID:
    """Taken in under a setting that was wrong, and is right by now."""
    (outcome,) = await receive(door.pool, verify_call(ELSEWHERE, {}, body, now()))
    assert outcome.state == "quarantined"
    return outcome.delivery_id


async def replay(door: Door, delivery_id: UUID) -> StoredDelivery:
    return await replay_delivery(door.pool, ENDPOINTS, delivery_id, actor="tests")


async def test_replays_at_once_book_once(door: Door) -> None:
    for number in range(ROUNDS):
        await door.register(f"order-{number}", endpoint="adyen")
        body = adyen_body(item(psp_reference=f"PSP{number}", reference=f"order-{number}"))
        delivery_id = await quarantined(door, body)

        replayed = await asyncio.gather(*(replay(door, delivery_id) for _ in range(5)))
        assert {one.state for one in replayed} == {"booked"}

    assert await door.available() == "120.00"
    assert await door.pool.fetchval("SELECT count(*) FROM movements") == ROUNDS
    assert await door.cases() == []


async def test_a_replay_and_the_same_event_at_once_book_once(door: Door) -> None:
    """The PSP comes again, with another event of the same payment, while people replay it."""
    for number in range(ROUNDS):
        await door.register(f"order-{number}", endpoint="adyen")
        body = adyen_body(item(psp_reference=f"PSP{number}", reference=f"order-{number}"))
        capture = adyen_body(
            item("CAPTURE", f"CAP{number}", original=f"PSP{number}", reference=f"order-{number}")
        )
        delivery_id = await quarantined(door, body)

        arriving = asyncio.gather(*(door.post("adyen", one) for one in (body, capture) * 3))
        await asyncio.gather(*(replay(door, delivery_id) for _ in range(3)))
        assert {answer.status for answer in await arriving} == {200}

    assert await door.available() == "120.00"
    states = Counter(str(kept.state) for kept in await door.inbox())
    assert states == {"booked": ROUNDS, "repeated": ROUNDS}
    assert await door.cases() == []


async def test_a_replay_and_the_registration_that_it_waits_for_at_once_book_once(
    door: Door,
) -> None:
    for number in range(ROUNDS):
        await door.adyen(item(psp_reference=f"PSP{number}", reference=f"order-{number}"))
        suspended = await door.last()

        await asyncio.gather(
            *(replay(door, suspended.delivery_id) for _ in range(3)),
            door.register(f"order-{number}", endpoint="adyen"),
            *(replay(door, suspended.delivery_id) for _ in range(3)),
        )
        assert (await door.last()).state == "booked"

    assert await door.available() == "120.00"
    assert {str(await door.suspense(f"~adyen:PSP{n}")) for n in range(ROUNDS)} == {"0.00"}


async def test_a_refund_that_came_meanwhile_is_booked_with_its_deposit(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    delivery_id = await quarantined(door, adyen_body(item(psp_reference="PSP1")))
    await door.adyen(
        item("REFUND", "RF1", original="PSP1", value=500, reference="of-the-refund"),
    )
    assert (await door.last()).state == "waiting"

    preview = await preview_replay(door.pool, ENDPOINTS, delivery_id)
    assert [(str(one.effect), str(one.amount)) for one in preview.moved] == [
        ("deposit", "20.00"),
        ("refund", "5.00"),
    ]
    assert preview.changes
    assert await door.available() == "0.00", "a preview books nothing"
    await replay(door, delivery_id)
    assert await door.available() == "15.00"
    assert not (await preview_replay(door.pool, ENDPOINTS, delivery_id)).changes


@pytest.mark.parametrize(
    "configured",
    [{}, {"adyen": replace(ENDPOINTS["adyen"], provider="stripe", manual_capture=False)}],
    ids=["gone", "another provider's"],
)
async def test_what_came_through_an_account_that_is_not_configured_is_not_read_as_another_s(
    door: Door, configured: dict[str, Endpoint]
) -> None:
    await door.register("order-1", endpoint="adyen")
    manual = replace(ENDPOINTS["adyen"], manual_capture=True)
    authorised = verify_call(manual, {}, adyen_body(item(psp_reference="PSP1")), now())
    (announced,) = await receive(door.pool, authorised)
    foreign = await quarantined(door, adyen_body(item(psp_reference="PSP2")))

    for delivery_id in (announced.delivery_id, foreign):
        with pytest.raises(ReplayRefusedError, match="no adyen account is configured as 'adyen'"):
            await preview_replay(door.pool, configured, delivery_id)
        with pytest.raises(ReplayRefusedError, match="no adyen account is configured as 'adyen'"):
            await replay_delivery(door.pool, configured, delivery_id, actor="tests")

    assert await door.available() == "0.00"
    assert Counter(str(kept.state) for kept in await door.inbox()) == {
        "ignored": 1,
        "quarantined": 1,
    }


async def test_every_replay_is_audited_with_what_it_did_and_by_whom(
    door: Door, admin: dict[str, str]
) -> None:
    await door.register("order-1", endpoint="adyen")
    delivery_id = await quarantined(door, adyen_body(item()))
    path = f"/api/v1/webhooks/{delivery_id}"
    for _ in range(2):
        headers = {**admin, "Idempotency-Key": new_id().hex}
        assert (await door.client.post(f"{path}/replay", headers=headers)).status == 200

    shown = await (await door.client.get(path, headers=admin)).json()
    assert [(one["actor"], one["before"], one["after"]) for one in shown["replays"]] == [
        ("tests", "booked", "booked"),
        ("tests", "quarantined", "booked"),
    ]
    assert shown["explanation"] == "Its money is in the player's book."
    (moved,) = shown["moved"]
    assert (moved["effect"], moved["user_id"], moved["amount"], moved["version"]) == (
        *("deposit", "u_7", "20.00"),
        1,
    )


async def test_a_replay_that_no_book_can_hold_is_refused_and_changes_nothing(
    door: Door, admin: dict[str, str]
) -> None:
    most = 10**38 - 1
    await door.register("order-1", endpoint="adyen")
    delivery_id = await quarantined(door, adyen_body(item(reference="order-1")))
    before = await door.stored(await door.last())
    full = rules.fact_for_player(
        "u_7", Money(most, "GBP"), kind="deposit.succeeded", source="tests", key="most", event_at=T0
    )
    async with door.pool.acquire() as connection, connection.transaction():
        await post_one(connection, full)

    path = f"/api/v1/webhooks/{delivery_id}/replay"
    answer = await door.client.post(path, headers=admin | {"Idempotency-Key": new_id().hex})

    assert (answer.status, (await answer.json())["code"]) == (409, "replay_refused")
    assert await door.stored(await door.last()) == before
