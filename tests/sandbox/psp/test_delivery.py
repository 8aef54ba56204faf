"""Events are sent until they are taken, to wherever the endpoint now points, signed anew."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from recon.sandbox.psp import settings_lines

from .conftest import FAST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .conftest import Sandbox

API_KEY = settings_lines(7, base_url="http://127.0.0.1")["RECON_PSP__STRIPE__API_KEY"]


async def test_a_refused_event_is_sent_again_with_the_same_id_and_bytes(sandbox: Sandbox) -> None:
    sandbox.receiver.refuse.extend([503, 500])
    await sandbox.deposit("adyen", faults=[])
    counts = await sandbox.settle()

    assert [row.status for row in sandbox.receiver.deliveries] == [503, 500, 200]
    assert len({row.body for row in sandbox.receiver.deliveries}) == 1
    assert counts["events"]["delivered"] == 1
    _, listed = await sandbox.get("/deliveries")
    assert [(row["attempt"], row["status"], row["outcome"]) for row in listed["deliveries"]] == [
        (1, 503, "refused"),
        (2, 500, "refused"),
        (3, 200, "delivered"),
    ]
    assert listed["total"] == 3


async def test_every_attempt_has_a_fresh_timestamp(
    start: Callable[..., Awaitable[Sandbox]],
) -> None:
    sandbox = await start(timing=replace(FAST, first_retry_s=1.2, longest_pause_s=1.2))
    await sandbox.put("stripe", {"webhook_url": None})
    sandbox.receiver.refuse.append(503)
    await sandbox.deposit("standard", outcome="succeeded", faults=[])
    await sandbox.settle()

    first, retry = [row for row in sandbox.receiver.deliveries if row.type == "deposit.pending"]
    assert first.headers["webhook-id"] == retry.headers["webhook-id"]
    assert int(first.headers["webhook-timestamp"]) < int(retry.headers["webhook-timestamp"])
    assert first.headers["webhook-signature"] != retry.headers["webhook-signature"]


async def test_a_service_that_never_answers_is_given_up_and_settle_still_returns(
    sandbox: Sandbox, unused_tcp_port: int
) -> None:
    await sandbox.put("adyen", {"webhook_url": f"http://127.0.0.1:{unused_tcp_port}/"})
    await sandbox.deposit("adyen", faults=[])
    counts = await sandbox.settle()

    assert counts["attempts"] == {"no_answer": FAST.attempts}
    assert counts["events"]["gave_up"] == 1
    assert counts["on_the_way"] == 0
    assert sandbox.game.amounts == [2000]


async def test_a_redirect_is_no_delivery(sandbox: Sandbox) -> None:
    sandbox.receiver.refuse.extend([302] * FAST.attempts)
    await sandbox.deposit("adyen", faults=[])
    counts = await sandbox.settle()

    assert counts["attempts"] == {"refused": FAST.attempts}


async def test_settle_waits_for_what_is_late(sandbox: Sandbox) -> None:
    await sandbox.deposit("adyen", faults=["webhook_late"])
    assert sandbox.receiver.deliveries == []
    before = asyncio.get_running_loop().time()
    counts = await sandbox.settle()

    assert asyncio.get_running_loop().time() - before > 0.1
    assert (counts["on_the_way"], counts["crashes"]) == (0, [])
    assert len(sandbox.receiver.deliveries) == 1


async def test_a_game_that_breaks_is_told_on_and_the_service_is_told_all_the_same(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ArithmeticError("the game is down")

    monkeypatch.setattr(sandbox.game, "credit", broken)
    await sandbox.deposit("adyen", faults=[])
    counts = await sandbox.settle()

    assert counts["crashes"] == ["ArithmeticError: the game is down"]
    assert sandbox.receiver.types == ["AUTHORISATION"]


async def test_deliveries_under_way_are_dropped_when_the_sandbox_stops(
    start: Callable[..., Awaitable[Sandbox]],
) -> None:
    sandbox = await start(timing=replace(FAST, spread_s=60.0))
    await sandbox.deposit("stripe", faults=[])
    status, shown = await sandbox.get()
    await sandbox.client.close()

    assert status == 200
    assert shown["endpoints"][0]["counts"]["on_the_way"] == 3
    assert sandbox.receiver.deliveries == []


async def test_attempts_are_listed_by_payment(sandbox: Sandbox) -> None:
    made = await sandbox.deposit("stripe", reference="d1", faults=[])
    await sandbox.deposit("standard", reference="d1", faults=[])
    await sandbox.settle()
    _, one = await sandbox.get(f"/deliveries?payment_id={made['payment_id']}")
    _, other = await sandbox.get("/deliveries?endpoint=standard")

    assert [row["type"] for row in one["deliveries"]] == [
        "payment_intent.processing",
        "payment_intent.succeeded",
    ]
    assert [row["endpoint"] for row in other["deliveries"]] == ["standard", "standard"]


async def test_without_an_address_nothing_is_sent_and_the_game_is_told(
    start: Callable[..., Awaitable[Sandbox]],
) -> None:
    sandbox = await start(service=False)
    await sandbox.deposit("stripe", faults=[])
    counts = await sandbox.settle()

    assert counts["events"]["not_sent"] == 2
    assert sandbox.game.amounts == [2000]


async def test_a_rotated_secret_signs_from_the_next_attempt_on(sandbox: Sandbox) -> None:
    url = (await sandbox.get())[1]["endpoints"][0]["webhook_url"]
    sandbox.receiver.refuse.append(503)
    await sandbox.deposit("stripe", faults=[])
    await sandbox.put("stripe", {"secrets": ["whsec_new", "whsec_old"], "webhook_url": url})
    await sandbox.settle()

    last = sandbox.receiver.deliveries[-1].headers["Stripe-Signature"]
    assert last.count("v1=") == 2


async def test_an_endpoint_can_be_added_and_shows_no_secret(sandbox: Sandbox) -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    url = "http://127.0.0.1:9/webhooks/bank"
    added = await sandbox.put(
        "bank", {"provider": "standard-webhooks", "secret": secret, "webhook_url": url}
    )
    status, listed = await sandbox.get()

    assert (added["endpoint"], added["webhook_url"], added["secrets"]) == ("bank", url, 1)
    assert status == 200
    assert [row["endpoint"] for row in listed["endpoints"]] == [
        "stripe",
        "adyen",
        "standard",
        "bank",
    ]
    assert "whsec" not in str(listed)
    assert listed["endpoints"][0]["counts"]["payments"] == 0


@pytest.mark.parametrize(
    ("endpoint", "body", "status", "code"),
    [
        ("bank", {"provider": "paypal", "secret": "x"}, 400, "unknown_provider"),
        ("bank", {"provider": "stripe"}, 400, "invalid_secret"),
        ("bank", {"provider": "adyen", "secret": "00"}, 400, "invalid_endpoint"),
        ("stripe", {"provider": "adyen"}, 409, "conflict"),
        ("stripe", {"secret": "whatever"}, 400, "invalid_secret"),
        ("stripe", {"no_such": 1}, 400, "invalid_body"),
    ],
)
async def test_an_endpoint_that_cannot_be_is_refused(
    sandbox: Sandbox, endpoint: str, body: dict[str, object], status: int, code: str
) -> None:
    assert (await sandbox.put(endpoint, body, expect=status))["code"] == code


async def test_an_unknown_endpoint_is_not_found(sandbox: Sandbox) -> None:
    assert (await sandbox.deposit("nobody", expect=404))["code"] == "not_found"


async def events(sandbox: Sandbox, query: str = "") -> dict[str, Any]:
    """One page of Stripe's list."""
    status, page = await sandbox.get(f"/stripe/v1/events{query}", Authorization=f"Bearer {API_KEY}")
    assert status == 200, page
    assert (page["object"], page["url"]) == ("list", "/v1/events")
    found: dict[str, Any] = page
    return found


async def test_stripe_lists_the_events_that_never_arrived(sandbox: Sandbox) -> None:
    await sandbox.deposit("stripe", reference="d1", faults=[])
    await sandbox.deposit("stripe", reference="d2", faults=["webhook_lost"])
    await sandbox.settle()
    missed = await events(sandbox, "?delivery_success=false&type=payment_intent.succeeded")
    arrived = await events(sandbox, "?delivery_success=true&types[]=payment_intent.succeeded")

    (lost,) = missed["data"]
    assert lost["data"]["object"]["metadata"]["reference"] == "d2"
    assert lost["pending_webhooks"] == 1
    assert missed["has_more"] is False
    (delivered,) = arrived["data"]
    assert delivered["data"]["object"]["metadata"]["reference"] == "d1"
    assert delivered["pending_webhooks"] == 0
    status, shown = await sandbox.get(
        f"/stripe/v1/events/{lost['id']}", Authorization=f"Bearer {API_KEY}"
    )
    assert (status, shown) == (200, lost)


async def test_stripe_s_list_is_paged_newest_first(sandbox: Sandbox) -> None:
    for number in range(7):
        await sandbox.withdraw("stripe", reference=f"w{number}", outcome="accepted", faults=[])
    await sandbox.settle()
    pages, after = [], ""
    while True:
        page = await events(sandbox, f"?limit=3&type=payout.*{after}")
        pages.append([row["data"]["object"]["metadata"]["reference"] for row in page["data"]])
        if not page["has_more"]:
            break
        after = f"&starting_after={page['data'][-1]['id']}"

    assert pages == [["w6", "w5", "w4"], ["w3", "w2", "w1"], ["w0"]]
    newest = (await events(sandbox, "?limit=1"))["data"][0]
    first = (await events(sandbox, f"?ending_before={page['data'][-1]['id']}&limit=2"))["data"]
    assert [row["data"]["object"]["metadata"]["reference"] for row in first] == ["w2", "w1"]
    created = newest["created"]
    assert (await events(sandbox, f"?created[gt]={created}"))["data"] == []
    assert len((await events(sandbox, f"?created[gte]={created - 60}"))["data"]) == 7


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/stripe/v1/events", "sk_test_wrong", 401, "api_key_invalid"),
        ("/stripe/v1/events?limit=0", API_KEY, 400, "parameter_invalid_integer"),
        ("/stripe/v1/events?limit=x", API_KEY, 400, "parameter_invalid_integer"),
        ("/stripe/v1/events?starting_after=evt_x", API_KEY, 400, "resource_missing"),
        ("/stripe/v1/events?surprise=1", API_KEY, 400, "parameter_unknown"),
        ("/stripe/v1/events/evt_x", API_KEY, 404, "resource_missing"),
        ("/adyen/v1/events", API_KEY, 404, "not_found"),
    ],
)
async def test_stripe_s_list_refuses_in_stripe_s_words(
    sandbox: Sandbox, path: str, key: str, status: int, code: str
) -> None:
    basic = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
    for authorization in (f"Bearer {key}", basic):
        answered, body = await sandbox.get(path, Authorization=authorization)
        assert (answered, body["error"]["code"]) == (status, code)
