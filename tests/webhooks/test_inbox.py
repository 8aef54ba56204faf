"""The inbox over the internal API: lists, replay, suspense and its release, cases, evidence."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from recon.clock import new_id
from recon.webhooks import Endpoint, replay_delivery, unbooked_deliveries_of
from tests.webhooks.conftest import ENDPOINTS, item, standard_headers

if TYPE_CHECKING:
    from tests.webhooks.conftest import Door

Headers = dict[str, str]


async def get(door: Door, path: str, admin: Headers) -> Any:  # noqa: ANN401 - JSON
    response = await door.client.get(path, headers=admin)
    assert response.status == 200, await response.text()
    return await response.json()


async def replay(door: Door, delivery_id: object, admin: Headers, *, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    response = await door.client.post(
        f"/api/v1/webhooks/{delivery_id}/replay",
        headers={**admin, "Idempotency-Key": new_id().hex},
    )
    assert response.status == status, await response.text()
    return await response.json(content_type=None)


async def test_the_inbox_is_paged_newest_first_and_filtered(door: Door, admin: Headers) -> None:
    for number in range(5):
        await door.standard("deposit.succeeded", f"pay_{number}")
    await door.adyen(item())

    first = await get(door, "/api/v1/webhooks?limit=4", admin)
    rest = await get(door, f"/api/v1/webhooks?limit=4&cursor={first['next_cursor']}", admin)
    assert [one["payment_id"] for one in first["items"] + rest["items"]] == [
        "7914073381342284",
        *(f"pay_{number}" for number in (4, 3, 2, 1, 0)),
    ]
    assert rest["next_cursor"] is None
    suspended = await get(door, "/api/v1/webhooks?state=suspended", admin)
    assert [one["endpoint"] for one in suspended["items"]] == ["adyen"]
    standard = await get(door, "/api/v1/webhooks?endpoint=standard", admin)
    assert len(standard["items"]) == 5
    assert standard["items"][0]["amount"] == "20.00"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/webhooks?state=odd", 400),
        ("/api/v1/webhooks?cursor=bm9uZQ==", 400),
        ("/api/v1/webhooks/none", 400),
        ("/api/v1/webhooks/01a205e6-6152-775f-b7ee-b243fe8253c6", 404),
        ("/api/v1/cases?state=odd", 400),
    ],
)
async def test_what_cannot_be_shown_is_a_problem(
    door: Door, admin: Headers, path: str, status: int
) -> None:
    response = await door.client.get(path, headers=admin)
    assert (response.status, response.content_type) == (status, "application/problem+json")


async def test_the_inbox_is_for_its_scope_alone(door: Door) -> None:
    for path in ("/api/v1/webhooks", "/api/v1/cases"):
        assert (await door.client.get(path)).status == 401


async def test_a_delivery_shows_its_bytes_and_its_repeats(door: Door, admin: Headers) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1")
    await door.standard("deposit.succeeded", event_id="msg_1")
    await door.standard("deposit.succeeded", event_id="msg_1", amount="99.00")
    kept = await door.last()

    shown = await get(door, f"/api/v1/webhooks/{kept.delivery_id}", admin)
    assert json.loads(shown["body"])["data"]["amount"] == "20.00"
    assert [repeat["same_bytes"] for repeat in shown["repeats"]] == [True, False]
    assert shown["verified_by"].startswith("key:0:")


async def test_replay_never_books_twice(door: Door, admin: Headers) -> None:
    await door.standard("deposit.succeeded")
    await door.standard("deposit.failed", at=-5)
    for kept in await door.inbox():
        first = await replay(door, kept.delivery_id, admin)
        assert first["state"] == kept.state
    assert await door.available() == "20.00"


async def test_a_suspended_deposit_is_released_once_its_payment_is_registered(
    door: Door, admin: Headers
) -> None:
    await door.adyen(item(psp_reference="PSP1"))
    suspended = await door.last()
    assert (await replay(door, suspended.delivery_id, admin))["state"] == "suspended"
    assert len(await door.cases()) == 1
    assert await door.suspense("~adyen:PSP1") == "20.00"

    await door.register("order-1", endpoint="adyen", user="u_9")
    replays = [replay(door, suspended.delivery_id, admin) for _ in range(4)]
    assert {one["state"] for one in await asyncio.gather(*replays)} == {"booked"}
    assert await door.available("u_9") == "20.00"
    assert await door.suspense("~adyen:PSP1") == "0.00"
    assert await door.cases() == []
    assert (await door.last()).user_id == "u_9"
    assert await door.payment_state("order-1") == "succeeded"

    await door.adyen(item("REFUND", "PSP2", original="PSP1", value=500))
    assert await door.available("u_9") == "15.00"
    await door.adyen(item("CAPTURE", "PSP3", original="PSP1"))
    assert (await door.last()).state == "repeated"


async def test_what_befell_a_suspended_deposit_leaves_suspense_with_it(
    door: Door, admin: Headers
) -> None:
    await door.adyen(item(psp_reference="PSP1"))
    deposit = await door.last()
    await door.adyen(item("REFUND", "PSP2", original="PSP1", value=500))
    await door.adyen(item("REFUND_FAILED", "PSP2", original="PSP1", value=500))
    await door.adyen(item("REFUND", "PSP4", original="PSP1", value=300))
    assert {kept.state for kept in await door.inbox()} == {"suspended"}
    assert await door.suspense("~adyen:PSP4") == "-3.00"

    await door.register("order-1", endpoint="adyen")
    await replay(door, deposit.delivery_id, admin)
    assert await door.available() == "17.00"
    assert {kept.state for kept in await door.inbox()} == {"booked"}
    assert await door.cases() == []
    for book in ("~adyen:PSP1", "~adyen:PSP2", "~adyen:PSP4"):
        assert await door.suspense(book) == "0.00"


async def test_a_suspended_deposit_that_failed_nets_to_nothing_when_released(
    door: Door, admin: Headers
) -> None:
    await door.adyen(item(psp_reference="PSP1"))
    deposit = await door.last()
    await door.adyen(item("CAPTURE_FAILED", "PSP2", original="PSP1"))
    assert await door.suspense("~adyen:PSP1") == "0.00"

    await door.register("order-1", endpoint="adyen")
    await replay(door, deposit.delivery_id, admin)
    assert await door.available() == "0.00"
    assert await door.payment_state("order-1") == "failed"


async def test_a_suspended_payout_takes_the_reservation_when_released(
    door: Door, admin: Headers
) -> None:
    await door.standard("withdrawal.paid", user=None, reference="out-1")
    suspended = await door.last()
    await door.standard("deposit.succeeded", "pay_0", amount="50.00")
    await door.register("out-1", direction="withdrawal")
    assert (await replay(door, suspended.delivery_id, admin))["state"] == "booked"

    assert (await door.available(), await door.reserved()) == ("30.00", "0.00")
    assert await door.suspense("~standard:pay_1") == "0.00"
    assert await door.payment_state("out-1") == "paid"


async def test_a_mismatch_stays_in_suspense_whoever_asks(door: Door, admin: Headers) -> None:
    await door.register("order-1", amount="25.00")
    await door.standard("deposit.succeeded", reference="order-1", amount="20.00")
    again = await replay(door, (await door.last()).delivery_id, admin)

    assert (again["state"], again["reason"]) == ("suspended", "it is registered with 25.00 GBP")
    assert len(await door.cases()) == 1
    assert await door.available() == "0.00"


async def test_a_quarantined_delivery_is_booked_once_its_cause_is_gone(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(account="SecondMerchant"))
    quarantined = await door.last()
    assert (quarantined.state, quarantined.reference) == ("quarantined", "order-1")
    assert await door.available() == "0.00"

    both = {"adyen": Endpoint(name="adyen", provider="adyen", secrets=ENDPOINTS["adyen"].secrets)}
    stored = await replay_delivery(door.pool, both, quarantined.delivery_id)
    assert (stored.state, stored.kind, stored.reference) == (
        "booked",
        "deposit.succeeded",
        "order-1",
    )
    assert await door.available() == "20.00"
    assert await door.cases() == []


async def test_an_unusable_delivery_stays_quarantined_on_replay(door: Door, admin: Headers) -> None:
    body = b'{"type":"deposit.succeeded","timestamp":NaN}'
    await door.post("standard", body, standard_headers(body))

    assert (await replay(door, (await door.last()).delivery_id, admin))["state"] == "quarantined"
    assert len(await door.cases()) == 1


async def test_cases_are_listed_open_and_closed(door: Door, admin: Headers) -> None:
    await door.adyen(item(psp_reference="PSP1"))
    await door.adyen(item(psp_reference="PSP2", reference="order-2"))
    await door.register("order-1", endpoint="adyen")
    released = (await door.inbox())[1]
    await replay(door, released.delivery_id, admin)

    still_open = await get(door, "/api/v1/cases?state=open", admin)
    closed = await get(door, "/api/v1/cases?state=closed", admin)
    every = await get(door, "/api/v1/cases?limit=1", admin)
    assert [case["reference"] for case in still_open["items"]] == ["order-2"]
    assert [case["reference"] for case in closed["items"]] == ["order-1"]
    assert closed["items"][0]["closed_at"] is not None
    assert every["next_cursor"] is not None


async def test_replay_of_nothing_is_404(door: Door, admin: Headers) -> None:
    await replay(door, new_id(), admin, status=404)


async def test_evidence_is_what_a_psp_said_and_nobody_has(door: Door) -> None:
    await door.standard("deposit.succeeded", "pay_0")
    await door.register("order-1", user="u_7", amount="25.00")
    await door.standard("deposit.succeeded", "pay_1", reference="order-1", amount="20.00")
    await door.adyen(item(reference="order-2"))
    await door.standard("deposit.chargeback_reversed", "pay_0", effect_id="d", amount="3.00")

    async with door.pool.acquire() as connection:
        elsewhere = await unbooked_deliveries_of(connection, "u_9", references=[("x", "order-2")])
        found = await unbooked_deliveries_of(connection, "u_7", references=[("adyen", "order-2")])
        others = await unbooked_deliveries_of(connection, "u_8", references=[])
    assert [(one.state, one.reference, str(one.amount)) for one in found] == [
        ("waiting", None, "3.00"),
        ("suspended", "order-2", "20.00"),
        ("suspended", "order-1", "20.00"),
    ]
    assert others == elsewhere == []
