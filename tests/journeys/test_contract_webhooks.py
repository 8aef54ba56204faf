"""The webhook part of the contract, sentence by sentence, with senders of our own."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.journeys.conftest import Api, Recon, calling
from tests.journeys.test_contract_stub import (
    PSPS,
    STRIPE_OLD_SECRET,
    Sender,
    adyen_call,
    adyen_item,
    bank_event,
    bank_headers,
    dispute,
    intent,
    refund,
    sending,
    stripe_event,
    stripe_signature,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from recon.db.embedded import EmbeddedPostgres

LIMIT = 256 * 1024


@dataclass
class World:
    """One service for the module, with a sender and a caller that may do everything."""

    psp: Sender
    api: Api

    async def wallet(self, user: str, currency: str = "GBP") -> dict[str, Any]:
        status, found = await self.api.get(f"/api/v1/wallets/{user}?currency={currency}")
        assert status == 200, found
        return dict(found)

    async def money(self, user: str) -> str:
        return str((await self.wallet(user))["available"])

    async def opened(self, user: str) -> bool:
        status, _ = await self.api.get(f"/api/v1/wallets/{user}?currency=GBP")
        return status == 200

    async def register(self, reference: str, user: str, amount: str, **more: str) -> None:
        wish = {
            "reference": reference,
            "endpoint": "bank",
            "direction": "deposit",
            "user_id": user,
            "amount": amount,
            "currency": "GBP",
            **more,
        }
        status, answer = await self.api.post("/api/v1/payments", wish)
        assert status == 201, answer

    async def cases(self) -> list[dict[str, Any]]:
        _, page = await self.api.get("/api/v1/cases?state=open&limit=500")
        return list(page["items"])

    async def inbox(self, state: str) -> list[dict[str, Any]]:
        _, page = await self.api.get(f"/api/v1/webhooks?state={state}&limit=500")
        return list(page["items"])


@pytest.fixture(scope="module")
async def world(
    server: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    administrator = await asyncpg.connect(server.dsn_for("postgres"))
    await administrator.execute(
        f"CREATE DATABASE contract_webhooks TEMPLATE {template} STRATEGY file_copy"
    )
    home: Path = tmp_path_factory.mktemp("contract")
    recon = Recon(
        {
            "RECON_DATABASE_URL": server.service_dsn_for("contract_webhooks"),
            "RECON_RECONCILE_EVERY": "off",
            **PSPS,
        },
        home,
    )
    try:
        service = await recon.start("serve", "--port", "0", "--json")
        scopes = ("read:wallet", "write:payment", "read:payment", "admin:webhook",
                  "read:discrepancy")  # fmt: skip
        async with calling(recon, service, *scopes) as api, sending(service.url) as psp:
            yield World(psp, api)
        code, out, said = await recon.run("verify", "--json")
        assert (code, json.loads(out)["faults"]) == (0, []), said
    finally:
        await recon.stop_all()
        await administrator.execute("DROP DATABASE contract_webhooks WITH (FORCE)")
        await administrator.close()


def _bank_fields(event_type: str, fields: dict[str, Any]) -> bytes:
    document = {"type": event_type, "timestamp": "2026-01-01T00:00:00Z", "data": fields}
    return json.dumps(document).encode()


# --- signatures ----------------------------------------------------------------------------------


async def test_stripe_every_configured_secret_is_tried(world: World) -> None:
    body = stripe_event("payment_intent.succeeded", intent("pi_old", "u_old", 1099))
    assert (await world.psp.stripe(body, secret=STRIPE_OLD_SECRET)).status == 200
    assert await world.money("u_old") == "10.99"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 400),
        ("", 400),
        ("t=soon,v1=00", 400),
        ("v1=00", 400),
        ("t={now}", 400),
        ("t={now},v0=00", 400),
        ("t={now},v1=00", 401),
        ("t={stale},v1={stale_mac}", 401),
        ("t={future},v1={future_mac}", 401),
    ],
)
async def test_stripe_missing_or_malformed_is_400_wrong_or_stale_401(
    world: World, header: str | None, status: int
) -> None:
    body = stripe_event("payment_intent.succeeded", intent("pi_bad", "u_bad", 1099))
    now = int(time.time())
    known = {"now": str(now), "stale": str(now - 320), "future": str(now + 320)}
    known["stale_mac"] = stripe_signature(body, at=now - 320).split("v1=")[1].split(",")[0]
    known["future_mac"] = stripe_signature(body, at=now + 320).split("v1=")[1].split(",")[0]
    headers = {} if header is None else {"Stripe-Signature": header.format(**known)}

    answer = await world.psp.post("stripe_uk", body, headers)

    assert answer.status == status, answer.text
    assert not await world.opened("u_bad")


async def test_a_signature_within_300_s_either_way_is_fresh(world: World) -> None:
    now = int(time.time())
    for number, at in enumerate((now - 280, now + 280)):
        body = stripe_event("payment_intent.succeeded", intent(f"pi_f{number}", "u_fresh", 100))
        assert (await world.psp.stripe(body, at=at)).status == 200
    assert await world.money("u_fresh") == "2.00"


@pytest.mark.parametrize("scheme", ["v1", "v1a"])
async def test_the_bank_signs_by_shared_or_by_public_key(world: World, scheme: str) -> None:
    body = bank_event("deposit.succeeded", f"p_{scheme}", f"u_{scheme}", "5.00")
    assert (await world.psp.bank(body, scheme=scheme)).status == 200
    assert await world.money(f"u_{scheme}") == "5.00"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"webhook-id": None}, 400),
        ({"webhook-timestamp": None}, 400),
        ({"webhook-signature": None}, 400),
        ({"webhook-timestamp": "now"}, 400),
        ({"webhook-signature": "v1,!!"}, 400),
        ({"webhook-id": "another"}, 401),
        ({"webhook-signature": "v1,AAAA"}, 401),
        ({"webhook-signature": "v1a,AAAA"}, 401),
    ],
)
async def test_the_bank_missing_or_malformed_is_400_wrong_401(
    world: World, change: dict[str, str | None], status: int
) -> None:
    body = bank_event("deposit.succeeded", "p_bad", "u_badbank", "5.00")
    headers = bank_headers(body, "msg_bad")
    for name, value in change.items():
        if value is None:
            del headers[name]
        else:
            headers[name] = value

    answer = await world.psp.post("bank", body, headers)

    assert answer.status == status, answer.text
    assert not await world.opened("u_badbank")


async def test_adyen_one_forged_item_refuses_the_whole_call(world: World) -> None:
    await world.register("ref-forged", "u_forged", "11.30", endpoint="cards")
    good = adyen_item("AUTHORISATION", "psp_g", "ref-forged", 1130)
    wrong = adyen_item("AUTHORISATION", "psp_w", "ref-forged", 99900, signature="AAAA")
    unsigned = adyen_item("AUTHORISATION", "psp_u", "ref-forged", 99900)
    del unsigned["additionalData"]["hmacSignature"]

    assert (await world.psp.adyen(good, wrong)).status == 401
    assert (await world.psp.adyen(good, unsigned)).status == 400
    assert not await world.opened("u_forged")

    answer = await world.psp.adyen(good)
    assert (answer.status, answer.text) == (200, "[accepted]")
    assert await world.money("u_forged") == "11.30"


# --- the other rows of the table -----------------------------------------------------------------


async def test_an_unknown_endpoint_is_404(world: World) -> None:
    assert (await world.psp.post("nobody", b"{}", {})).status == 404


async def test_the_border_of_size_is_256_kib(world: World) -> None:
    def padded(size: int) -> bytes:
        body = bank_event("deposit.succeeded", "p_large", "u_large", "1.00")
        return body[:-1] + b" " * (size - len(body)) + b"}"

    body = padded(LIMIT)
    assert (await world.psp.bank(body)).status == 200
    assert (await world.psp.bank(padded(LIMIT + 1))).status == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 4096 + 2):
            yield b" " * 4096

    headers = bank_headers(b"", "msg_chunked")
    assert (await world.psp.post("bank", chunks(), headers)).status == 413


async def test_compressed_or_not_json_is_415(world: World) -> None:
    body = bank_event("deposit.succeeded", "p_gz", "u_gz", "1.00")
    packed = gzip.compress(body)
    for encoding in ("gzip", "deflate", "br"):
        headers = {**bank_headers(packed, "msg_gz"), "Content-Encoding": encoding}
        assert (await world.psp.post("bank", packed, headers)).status == 415
    assert (await world.psp.bank(b"deposit=1")).status == 415
    assert (await world.psp.bank(b"")).status == 415
    assert (await world.psp.stripe(b"\xff\xfe")).status == 415
    assert not await world.opened("u_gz")


@pytest.mark.parametrize(
    "hostile",
    [
        b"[]", b"null", b"7", b'"x"', b"{}", b'{"data":[]}', b'{"notificationItems":[]}',
        b'{"notificationItems":[null]}', b'{"notificationItems":[{"NotificationRequestItem":7}]}',
        b"\x00", b"[" * 5000, b'{"a":' * 3000, b"9" * 5000, b'{"id":"e","type":"t"}',
        b'{"notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":7}}}]}',
    ],
)  # fmt: skip
async def test_hostile_bodies_never_end_as_500(world: World, hostile: bytes) -> None:
    answers = [
        await world.psp.stripe(hostile),
        await world.psp.bank(hostile),
        await world.psp.post("cards", hostile, {}),
    ]
    assert all(answer.status in {200, 400, 401, 415} for answer in answers), [
        (answer.status, answer.text) for answer in answers
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"amount": 5.0},
        {"amount": 5},
        {"amount": "-5.00"},
        {"amount": "5.001"},
        {"amount": "NaN"},
        {"amount": "1e3"},
        {"amount": ""},
        {"amount": "5" * 60},
        {"currency": "ZZZ"},
        {"currency": None},
        {"payment_id": ""},
        {"payment_id": 7},
    ],
)
async def test_authentic_but_unusable_is_200_and_quarantined(
    world: World, data: dict[str, Any]
) -> None:
    fields = {
        "payment_id": "p_unusable",
        "user_id": "u_unusable",
        "amount": "5.00",
        "currency": "GBP",
        **data,
    }
    event_id = f"msg_unusable_{time.monotonic_ns()}"
    body = _bank_fields("deposit.succeeded", fields)

    assert (await world.psp.bank(body, event_id)).status == 200

    kept = {one["event_id"]: one for one in await world.inbox("quarantined")}
    assert kept[event_id]["reason"]
    assert not await world.opened("u_unusable")


async def test_a_type_that_moves_no_money_is_200_and_ignored(world: World) -> None:
    body = stripe_event("plan.created", {"object": "plan", "id": "price_1", "amount": 2000})
    assert (await world.psp.stripe(body)).status == 200
    assert (await world.psp.bank(bank_event("weather.changed", "p", "u_w", "1.00"))).status == 200
    answer = await world.psp.adyen(adyen_item("REPORT_AVAILABLE", "psp_r", "none", 0))
    assert (answer.status, answer.text) == (200, "[accepted]")


# --- uniqueness ----------------------------------------------------------------------------------


async def test_a_repeat_in_parallel_and_later_moves_money_once(world: World) -> None:
    body = stripe_event("payment_intent.succeeded", intent("pi_once", "u_once", 2000))

    answers = await asyncio.gather(*(world.psp.stripe(body) for _ in range(10)))
    answers.append(await world.psp.stripe(body, at=int(time.time()) - 60))

    assert [answer.status for answer in answers] == [200] * 11
    assert await world.money("u_once") == "20.00"


async def test_the_same_event_id_with_other_bytes_is_an_alarm_not_a_repeat(world: World) -> None:
    for amount in (2000, 9000):
        body = stripe_event(
            "payment_intent.succeeded", intent("pi_alarm", "u_alarm", amount), event_id="evt_alarm"
        )
        assert (await world.psp.stripe(body)).status == 200

    assert await world.money("u_alarm") == "20.00"
    (first,) = [one for one in await world.inbox("booked") if one["event_id"] == "evt_alarm"]
    alarms = [case for case in await world.cases() if case["delivery_id"] == first["delivery_id"]]
    assert alarms
    _, detail = await world.api.get(f"/api/v1/webhooks/{first['delivery_id']}")
    assert [one["same_bytes"] for one in detail["repeats"]] == [False]


async def test_two_events_about_one_movement_book_it_once(world: World) -> None:
    for _ in range(2):
        body = stripe_event("payment_intent.succeeded", intent("pi_two", "u_two", 2000))
        assert (await world.psp.stripe(body)).status == 200
    for event_type in ("refund.created", "refund.updated"):
        body = stripe_event(event_type, refund("re_1", "pi_two", 500))
        assert (await world.psp.stripe(body)).status == 200

    assert await world.money("u_two") == "15.00"


async def test_two_partial_refunds_are_two_movements(world: World) -> None:
    body = stripe_event("payment_intent.succeeded", intent("pi_part", "u_part", 2000))
    await world.psp.stripe(body)
    for refund_id in ("re_a", "re_b"):
        await world.psp.stripe(stripe_event("refund.created", refund(refund_id, "pi_part", 500)))
    assert await world.money("u_part") == "10.00"

    await world.psp.stripe(
        stripe_event("refund.failed", refund("re_b", "pi_part", 500, status="failed"))
    )
    assert await world.money("u_part") == "15.00"


async def test_a_pending_refund_moves_nothing_until_it_succeeded(world: World) -> None:
    await world.psp.stripe(
        stripe_event("payment_intent.succeeded", intent("pi_pend", "u_pend", 2000))
    )
    pending = refund("re_p", "pi_pend", 500, status="pending")
    await world.psp.stripe(stripe_event("refund.created", pending))
    assert await world.money("u_pend") == "20.00"
    await world.psp.stripe(stripe_event("refund.updated", refund("re_p", "pi_pend", 500)))
    assert await world.money("u_pend") == "15.00"


async def test_a_chargeback_overdraws_and_its_reversal_restores(world: World) -> None:
    user = "u_cb"
    await world.psp.stripe(stripe_event("payment_intent.succeeded", intent("pi_cb", user, 2000)))
    await world.register("wd-cb", user, "15.00", direction="withdrawal")
    withdrawn = stripe_event("charge.dispute.funds_withdrawn", dispute("dp_1", "pi_cb", 2000))
    assert (await world.psp.stripe(withdrawn)).status == 200
    assert await world.money(user) == "-15.00"

    again = stripe_event("charge.dispute.funds_reinstated", dispute("dp_1", "pi_cb", 2000))
    assert (await world.psp.stripe(again)).status == 200
    assert await world.money(user) == "5.00"


async def test_opening_and_closing_a_dispute_moves_nothing(world: World) -> None:
    await world.psp.stripe(stripe_event("payment_intent.succeeded", intent("pi_dp", "u_dp", 2000)))
    for event_type in ("charge.dispute.created", "charge.dispute.closed"):
        answer = await world.psp.stripe(stripe_event(event_type, dispute("dp_2", "pi_dp", 2000)))
        assert answer.status == 200
    assert await world.money("u_dp") == "20.00"


async def test_the_same_payment_id_at_two_endpoints_is_two_payments(world: World) -> None:
    await world.psp.stripe(
        stripe_event("payment_intent.succeeded", intent("shared_1", "u_shared", 300))
    )
    await world.psp.deposit("shared_1", "u_shared", "4.00")
    assert await world.money("u_shared") == "7.00"


async def test_a_refund_before_its_deposit_is_booked_when_that_comes(world: World) -> None:
    early = stripe_event("refund.created", refund("re_early", "pi_early", 500))
    assert (await world.psp.stripe(early)).status == 200
    await world.psp.stripe(
        stripe_event("payment_intent.succeeded", intent("pi_early", "u_early", 2000))
    )
    assert await world.money("u_early") == "15.00"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("amount", {"amount": "21.00"}),
        ("currency", {"currency": "EUR"}),
        ("player", {"user_id": "u_mm_other"}),
    ],
)
async def test_what_differs_from_the_registered_payment_goes_to_suspense_with_a_case(
    world: World, name: str, change: dict[str, Any]
) -> None:
    user, reference = f"u_mm_{name}", f"ref-mm-{name}"
    await world.register(reference, user, "20.00")
    fields = {"amount": "20.00", "currency": "GBP", "user_id": user, "reference": reference}
    fields |= change
    body = _bank_fields("deposit.succeeded", {"payment_id": f"p_mm_{name}", **fields})

    answer = await world.psp.bank(body, f"msg_mm_{name}")

    assert answer.status == 200
    assert not await world.opened(user)
    assert not await world.opened("u_mm_other")
    assert f"msg_mm_{name}" in {one["event_id"] for one in await world.inbox("suspended")}
    (kept,) = [o for o in await world.inbox("suspended") if o["event_id"] == f"msg_mm_{name}"]
    assert kept["delivery_id"] in {case["delivery_id"] for case in await world.cases()}


async def test_nobody_named_goes_to_suspense_with_a_case(world: World) -> None:
    before = len(await world.cases())
    for user in (None, "~house", "x" * 129):
        shown = intent(f"pi_nobody_{user}"[:64], user, 700)
        body = stripe_event("payment_intent.succeeded", shown)
        assert (await world.psp.stripe(body)).status == 200
    item = adyen_item("AUTHORISATION", "psp_nobody", "never-registered", 700)
    assert (await world.psp.adyen(item)).status == 200
    assert len(await world.cases()) == before + 4


async def test_the_player_is_the_one_registered_where_the_body_names_none(world: World) -> None:
    await world.register("ref-reg", "u_reg", "9.00")
    body = bank_event("deposit.succeeded", "p_reg", None, "9.00", reference="ref-reg")
    assert (await world.psp.bank(body)).status == 200
    assert await world.money("u_reg") == "9.00"
    _, payment = await world.api.get("/api/v1/payments/ref-reg")
    assert payment["state"] == "succeeded"
    assert [one["event_type"] for one in payment["deliveries"]] == ["deposit.succeeded"]


# --- adyen's events ------------------------------------------------------------------------------


async def test_adyen_from_authorisation_to_reversed_chargeback(world: World) -> None:
    user = "u_card"
    await world.register("ref-card", user, "30.00", endpoint="cards")
    steps = [
        (adyen_item("AUTHORISATION", "A1", "ref-card", 3000), "30.00"),
        (adyen_item("REFUND", "R1", "ref-card", 500, original="A1"), "25.00"),
        (adyen_item("REFUND", "R2", "ref-card", 500, original="A1"), "20.00"),
        (adyen_item("REFUND_FAILED", "R2", "ref-card", 500, original="A1"), "25.00"),
        (adyen_item("REFUND", "R3", "ref-card", 500, original="A1", success="false"), "25.00"),
        (adyen_item("NOTIFICATION_OF_CHARGEBACK", "C1", "ref-card", 3000, original="A1"), "25.00"),
        (adyen_item("CHARGEBACK", "C1", "ref-card", 3000, original="A1"), "-5.00"),
        (adyen_item("CHARGEBACK_REVERSED", "C1", "ref-card", 3000, original="A1"), "25.00"),
    ]
    for item, expected in steps:
        for _ in range(2):
            answer = await world.psp.adyen(item)
            assert (answer.status, answer.text) == (200, "[accepted]")
        assert await world.money(user) == expected, item["eventCode"]


async def test_adyen_a_refused_authorisation_moves_nothing(world: World) -> None:
    await world.register("ref-refused", "u_refused", "30.00", endpoint="cards")
    item = adyen_item("AUTHORISATION", "A9", "ref-refused", 3000, success="false")
    assert (await world.psp.adyen(item)).status == 200
    assert not await world.opened("u_refused")
    _, payment = await world.api.get("/api/v1/payments/ref-refused")
    assert payment["state"] == "failed"


async def test_adyen_another_merchant_account_is_kept_and_moves_nothing(world: World) -> None:
    await world.register("ref-merchant", "u_merchant", "30.00", endpoint="cards")
    item = adyen_item("AUTHORISATION", "A10", "ref-merchant", 3000, merchant="Another")
    assert (await world.psp.adyen(item)).status == 200
    assert not await world.opened("u_merchant")


async def test_adyen_a_colon_that_moves_the_borders_of_signed_fields_moves_nothing(
    world: World,
) -> None:
    # Signed for the reference "x" and the amount 1; read as another split of the same string.
    honest = adyen_item("AUTHORISATION", "A11", "ref-b:1", 1)
    assert (await world.psp.adyen(honest)).status in {200, 401}
    assert (await world.psp.adyen({**honest, "merchantReference": "ref-b"})).status == 401


async def test_adyen_payout_accepted_then_declined_gives_the_money_back(world: World) -> None:
    user = "u_payout"
    await world.psp.deposit("p_payout", user, "50.00")
    for reference in ("wd-a", "wd-b"):
        await world.register(reference, user, "20.00", direction="withdrawal", endpoint="cards")
    assert await world.money(user) == "10.00"

    await world.psp.adyen(adyen_item("PAYOUT_THIRDPARTY", "W1", "wd-a", 2000))
    assert await world.money(user) == "10.00"
    await world.psp.adyen(adyen_item("PAYOUT_DECLINE", "W1d", "wd-a", 2000, original="W1"))
    assert await world.money(user) == "30.00"
    await world.psp.adyen(adyen_item("PAYOUT_DECLINE", "W2", "wd-b", 2000))
    assert await world.money(user) == "50.00"


# --- withdrawals ---------------------------------------------------------------------------------


async def test_a_withdrawal_reserves_is_paid_and_may_come_back(world: World) -> None:
    user = "u_wd"
    await world.psp.deposit("p_wd", user, "50.00")
    await world.register("wd-1", user, "20.00", direction="withdrawal")
    assert await world.money(user) == "30.00"
    for event_type, state, expected in (
        ("withdrawal.accepted", "accepted", "30.00"),
        ("withdrawal.paid", "paid", "30.00"),
        ("withdrawal.returned", "returned", "50.00"),
    ):
        body = bank_event(event_type, "po_1", user, "20.00", reference="wd-1")
        assert (await world.psp.bank(body)).status == 200
        _, payment = await world.api.get("/api/v1/payments/wd-1")
        assert (payment["state"], await world.money(user)) == (state, expected)


async def test_a_withdrawal_that_fails_gives_the_money_back_once(world: World) -> None:
    user = "u_wdf"
    await world.psp.deposit("p_wdf", user, "50.00")
    await world.register("wd-2", user, "20.00", direction="withdrawal")
    for _ in range(2):
        body = bank_event("withdrawal.failed", "po_2", user, "20.00", reference="wd-2")
        assert (await world.psp.bank(body)).status == 200
    assert await world.money(user) == "50.00"


async def test_stripe_payouts_follow_the_registered_withdrawal(world: World) -> None:
    user = "u_spo"
    await world.psp.deposit("p_spo", user, "50.00")
    await world.register("po_s1", user, "20.00", direction="withdrawal", endpoint="stripe_uk")
    payout = {"id": "po_s1", "object": "payout", "amount": 2000, "currency": "gbp",
              "metadata": {}, "status": "paid"}  # fmt: skip
    await world.psp.stripe(stripe_event("payout.paid", payout))
    assert await world.money(user) == "30.00"
    await world.psp.stripe(stripe_event("payout.failed", {**payout, "status": "failed"}))
    assert await world.money(user) == "50.00"


async def test_more_than_there_is_cannot_be_withdrawn(world: World) -> None:
    await world.psp.deposit("p_more", "u_more", "10.00")
    wish = {"reference": "wd-more", "endpoint": "bank", "direction": "withdrawal",
            "user_id": "u_more", "amount": "10.01", "currency": "GBP"}  # fmt: skip
    status, problem = await world.api.post("/api/v1/payments", wish)
    assert (status, problem["code"]) == (422, "insufficient_balance")


# --- the flood -----------------------------------------------------------------------------------


async def test_a_flood_of_unverified_calls_is_429_with_retry_after_and_spares_the_verified(
    world: World,
) -> None:
    body = adyen_call(adyen_item("AUTHORISATION", "F1", "x", 1, signature="AAAA"))
    answers = [await world.psp.post("cards", body, {}) for _ in range(150)]
    statuses = {answer.status for answer in answers}
    assert statuses == {401, 429}
    refused = next(answer for answer in answers if answer.status == 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json["code"]

    genuine = adyen_item("AUTHORISATION", "F2", "never-registered-2", 100)
    assert (await world.psp.adyen(genuine)).status == 200


async def test_problems_name_their_code_and_request_id(world: World) -> None:
    answer = await world.psp.post("nobody", b"{}", {"X-Request-Id": "psp-1"})
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json
    assert set(problem) >= {"type", "title", "status", "detail", "code", "message", "request_id"}
    assert (problem["status"], problem["request_id"]) == (404, "psp-1")
    assert answer.headers["X-Request-Id"] == "psp-1"
