"""What each provider sends about a payment, in its own words and shapes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .conftest import Sandbox


async def test_a_stripe_deposit_is_a_payment_intent_that_names_the_player(sandbox: Sandbox) -> None:
    made = await sandbox.deposit("stripe")
    await sandbox.settle()

    assert sandbox.receiver.types == ["payment_intent.processing", "payment_intent.succeeded"]
    event = sandbox.receiver.deliveries[1].document
    intent = event["data"]["object"]
    assert event["object"] == "event"
    assert intent["id"] == made["payment_id"]
    assert (intent["amount_received"], intent["currency"]) == (2000, "gbp")
    assert intent["metadata"] == {"user_id": "u_7", "reference": "d1"}
    assert sandbox.game.calls == [("credit", "u_7", "GBP", 2000)]


async def test_stripe_refunds_and_disputes_point_at_the_payment_and_name_no_player(
    sandbox: Sandbox,
) -> None:
    made = await sandbox.deposit("stripe")
    await sandbox.settle()
    refund = await sandbox.post(
        "stripe/refunds", {"payment_id": made["payment_id"], "amount": "5.00"}
    )
    await sandbox.settle()
    dispute = await sandbox.post(
        "stripe/chargebacks", {"payment_id": made["payment_id"], "outcome": "reversed"}
    )
    await sandbox.settle()

    assert sandbox.receiver.types[2:] == [
        "refund.created",
        "refund.updated",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    objects = [row.document["data"]["object"] for row in sandbox.receiver.deliveries]
    charge = objects[1]["latest_charge"]
    for shown in objects[2:]:
        assert (shown["payment_intent"], shown["charge"]) == (made["payment_id"], charge)
        assert shown["metadata"] == {}
    assert [shown["id"] for shown in objects[2:4]] == [refund["effect_id"]] * 2
    assert (objects[3]["status"], objects[3]["amount"]) == ("succeeded", 500)
    assert {shown["id"] for shown in objects[4:]} == {dispute["effect_id"]}
    assert objects[5]["amount"] == 1500
    assert objects[5]["balance_transactions"][0]["net"] == -1500 - 1500  # the fee on top
    assert objects[7]["status"] == "won"
    assert sandbox.game.amounts == [2000, -500, -1500, 1500]


async def test_a_stripe_refund_that_fails_gives_the_money_back(sandbox: Sandbox) -> None:
    made = await sandbox.deposit("stripe")
    await sandbox.settle()
    refund = {"payment_id": made["payment_id"], "amount": "5.00", "outcome": "failed"}
    await sandbox.post("stripe/refunds", refund)
    await sandbox.settle()
    whole = await sandbox.post("stripe/refunds", {"payment_id": made["payment_id"]})
    await sandbox.settle()

    assert sandbox.receiver.types[2:5] == ["refund.created", "refund.updated", "refund.failed"]
    failed = sandbox.receiver.deliveries[4].document["data"]["object"]
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    last = sandbox.receiver.deliveries[-1].document["data"]["object"]
    assert (last["id"], last["amount"]) == (whole["effect_id"], 2000)
    assert sandbox.game.amounts == [2000, -500, 500, -2000]


async def test_stripe_refunds_are_pending_at_first_or_succeed_at_once(sandbox: Sandbox) -> None:
    for number in range(8):
        made = await sandbox.deposit("stripe", reference=f"d{number}")
        await sandbox.post("stripe/refunds", {"payment_id": made["payment_id"]})
    await sandbox.settle()

    created = [row for row in sandbox.receiver.deliveries if row.type == "refund.created"]
    statuses = {row.document["data"]["object"]["status"] for row in created}
    assert statuses == {"pending", "succeeded"}


@pytest.mark.parametrize(
    ("endpoint", "outcome", "types", "game"),
    [
        ("stripe", "paid", ["payout.created", "payout.paid"], [-500]),
        ("stripe", "accepted", ["payout.created"], []),
        ("stripe", "failed", ["payout.created", "payout.failed"], []),
        ("stripe", "returned", ["payout.created", "payout.paid", "payout.failed"], [-500, 500]),
        ("adyen", "accepted", ["PAYOUT_THIRDPARTY"], [-500]),
        ("adyen", "failed", ["PAYOUT_DECLINE"], []),
        ("adyen", "returned", ["PAYOUT_THIRDPARTY", "PAIDOUT_REVERSED"], [-500, 500]),
        ("standard", "paid", ["withdrawal.accepted", "withdrawal.paid"], [-500]),
        ("standard", "accepted", ["withdrawal.accepted"], []),
        ("standard", "failed", ["withdrawal.accepted", "withdrawal.failed"], []),
        (
            "standard",
            "returned",
            ["withdrawal.accepted", "withdrawal.paid", "withdrawal.returned"],
            [-500, 500],
        ),
    ],
)
async def test_a_withdrawal_ends_as_asked(
    sandbox: Sandbox, endpoint: str, outcome: str, types: list[str], game: list[int]
) -> None:
    await sandbox.withdraw(endpoint, outcome=outcome)
    await sandbox.settle()

    assert sandbox.receiver.types == types
    assert sandbox.game.amounts == game


async def test_adyen_never_says_that_a_payout_was_paid(sandbox: Sandbox) -> None:
    refused = await sandbox.withdraw("adyen", outcome="paid", expect=422)

    assert refused["code"] == "unsupported_outcome"
    assert sandbox.receiver.deliveries == []


@pytest.mark.parametrize(
    ("endpoint", "types"),
    [
        ("stripe", ["payment_intent.processing", "payment_intent.payment_failed"]),
        ("adyen", ["AUTHORISATION"]),
        ("standard", ["deposit.pending", "deposit.failed"]),
    ],
)
async def test_a_deposit_that_fails_moves_nothing(
    sandbox: Sandbox, endpoint: str, types: list[str]
) -> None:
    made = await sandbox.deposit(endpoint, outcome="failed")
    await sandbox.settle()

    assert sandbox.receiver.types == types
    assert sandbox.game.calls == []
    if endpoint == "adyen":
        assert sandbox.receiver.deliveries[0].item["success"] == "false"
    refund = {"payment_id": made["payment_id"]}
    refused = await sandbox.post(f"{endpoint}/refunds", refund, expect=409)
    assert refused["code"] == "not_refundable"


@pytest.mark.parametrize(
    ("endpoint", "types"),
    [
        ("stripe", ["payment_intent.succeeded", "payment_intent.payment_failed"]),
        ("adyen", ["AUTHORISATION", "CAPTURE_FAILED"]),
        ("standard", ["deposit.succeeded", "deposit.failed"]),
    ],
)
async def test_a_deposit_that_fails_after_all_is_taken_back_from_the_game(
    sandbox: Sandbox, endpoint: str, types: list[str]
) -> None:
    await sandbox.deposit(endpoint, outcome="reversed")
    await sandbox.settle()

    assert sandbox.receiver.types[-2:] == types
    assert sandbox.game.amounts == [2000, -2000]


async def test_an_adyen_item_has_the_provider_s_shape_and_a_zone_in_its_date(
    sandbox: Sandbox,
) -> None:
    made = await sandbox.deposit("adyen")
    await sandbox.settle()

    (delivery,) = sandbox.receiver.deliveries
    item = delivery.item
    assert delivery.document["live"] == "false"
    assert item["pspReference"] == made["payment_id"]
    assert (item["merchantReference"], item["merchantAccountCode"]) == ("d1", "ReconSandboxECOM")
    assert item["amount"] == {"currency": "GBP", "value": 2000}
    assert (item["eventCode"], item["success"]) == ("AUTHORISATION", "true")
    assert "originalReference" not in item
    assert "u_7" not in delivery.body.decode()
    offset = datetime.fromisoformat(item["eventDate"]).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 3600


async def test_adyen_refunds_and_chargebacks_have_their_own_reference_beside_the_payment_s(
    sandbox: Sandbox,
) -> None:
    made = await sandbox.deposit("adyen")
    body = {"payment_id": made["payment_id"]}
    await sandbox.settle()
    await sandbox.post("adyen/refunds", body | {"amount": "5.00", "outcome": "failed"})
    await sandbox.settle()
    await sandbox.post("adyen/refunds", body | {"amount": "2.00"})
    await sandbox.settle()
    await sandbox.post("adyen/chargebacks", body | {"outcome": "reversed"})
    await sandbox.settle()

    assert sandbox.receiver.types == [
        "AUTHORISATION",
        "REFUND",
        "REFUND_FAILED",
        "REFUND",
        "NOTIFICATION_OF_CHARGEBACK",
        "CHARGEBACK",
        "CHARGEBACK_REVERSED",
    ]
    items = [delivery.item for delivery in sandbox.receiver.deliveries]
    assert {item["originalReference"] for item in items[1:]} == {made["payment_id"]}
    own = [item["pspReference"] for item in items]
    assert own[1] == own[2]
    assert own[4] == own[5] == own[6]
    assert len(set(own)) == 4
    assert [item["amount"]["value"] for item in items] == [2000, 500, 500, 200, 1800, 1800, 1800]
    assert sandbox.game.amounts == [2000, -500, 500, -200, -1800, 1800]


async def test_adyen_without_auto_capture_sends_a_capture_of_its_own(sandbox: Sandbox) -> None:
    await sandbox.put("adyen", {"auto_capture": False})
    made = await sandbox.deposit("adyen")
    await sandbox.settle()

    assert sandbox.receiver.types == ["AUTHORISATION", "CAPTURE"]
    assert sandbox.receiver.deliveries[1].item["originalReference"] == made["payment_id"]
    assert sandbox.game.amounts == [2000]


async def test_a_standard_event_has_the_contract_s_body(sandbox: Sandbox) -> None:
    made = await sandbox.deposit("standard")
    await sandbox.settle()
    refund = await sandbox.post(
        "standard/refunds", {"payment_id": made["payment_id"], "amount": "5.00"}
    )
    await sandbox.settle()

    assert sandbox.receiver.types == ["deposit.pending", "deposit.succeeded", "deposit.refunded"]
    paid, refunded = (row.document for row in sandbox.receiver.deliveries[1:])
    assert set(paid) == {"type", "timestamp", "data"}
    assert paid["timestamp"].endswith("Z")
    assert paid["data"] == {
        "payment_id": made["payment_id"],
        "reference": "d1",
        "user_id": "u_7",
        "amount": "20.00",
        "currency": "GBP",
    }
    assert refunded["data"]["effect_id"] == refund["effect_id"]
    assert refunded["data"]["amount"] == "5.00"
    failed = {"payment_id": made["payment_id"], "outcome": "failed"}
    assert (await sandbox.post("standard/refunds", failed, expect=422))["code"] == (
        "unsupported_outcome"
    )


@pytest.mark.parametrize(
    ("endpoint", "currency", "amount", "units"),
    [
        ("stripe", "JPY", "1500", 1500),
        ("stripe", "KWD", "1.250", 1250),
        ("stripe", "ISK", "25", 2500),
        ("stripe", "UGX", "5", 500),
        ("stripe", "MGA", "1200.00", 1200),
        ("adyen", "JPY", "1500", 1500),
        ("adyen", "KWD", "1.255", 1255),
        ("adyen", "CLP", "25", 2500),
        ("adyen", "ISK", "25", 2500),
        ("adyen", "IDR", "25000.00", 25000),
        ("adyen", "CVE", "25.00", 25),
        ("standard", "ETH", "100000000000.000000000000000001", None),
    ],
)
async def test_amounts_travel_in_each_provider_s_own_units(
    sandbox: Sandbox, endpoint: str, currency: str, amount: str, units: int | None
) -> None:
    await sandbox.deposit(endpoint, amount=amount, currency=currency)
    await sandbox.settle()

    last = sandbox.receiver.deliveries[-1]
    if endpoint == "stripe":
        assert last.document["data"]["object"]["amount_received"] == units
    elif endpoint == "adyen":
        assert last.item["amount"]["value"] == units
    else:
        assert last.document["data"]["amount"] == amount


@pytest.mark.parametrize(
    ("endpoint", "changes", "code"),
    [
        ("stripe", {"amount": "1.255", "currency": "KWD"}, "invalid_amount"),
        ("stripe", {"amount": "1.50", "currency": "MGA"}, "invalid_amount"),
        ("stripe", {"amount": "1000000.00"}, "invalid_amount"),
        ("stripe", {"amount": "1", "currency": "BTC"}, "unsupported_currency"),
        ("stripe", {"amount": "1", "currency": "IQD"}, "unsupported_currency"),
        ("adyen", {"amount": "1.50", "currency": "IDR"}, "invalid_amount"),
        ("adyen", {"reference": "a:b"}, "invalid_reference"),
        ("standard", {"amount": "0.00"}, "invalid_amount"),
        ("standard", {"amount": "-1.00"}, "invalid_amount"),
        ("standard", {"amount": 1}, "invalid_body"),
        ("standard", {"currency": "XXX"}, "unknown_currency"),
        ("standard", {"surprise": 1}, "invalid_body"),
        ("standard", {"faults": ["no_such"]}, "unknown_fault"),
        ("standard", {"faults": ["answer_500"]}, "fault_not_possible"),
        (
            "standard",
            {"faults": ["webhook_wrong_amount", "game_update_lost"]},
            "fault_not_possible",
        ),
        ("standard", {"faults": ["webhook_lost", "webhook_late"]}, "fault_not_possible"),
        ("standard", {"outcome": "failed", "faults": ["webhook_lost"]}, "fault_not_possible"),
        ("adyen", {"faults": ["webhook_reordered"]}, "fault_not_possible"),
    ],
)
async def test_a_deposit_that_cannot_be_is_refused_and_leaves_nothing(
    sandbox: Sandbox, endpoint: str, changes: dict[str, object], code: str
) -> None:
    refused = await sandbox.deposit(endpoint, expect=400, **changes)
    counts = await sandbox.settle()

    assert refused["code"] == code
    assert set(refused) == {"code", "message", "request_id"}
    assert (counts["payments"], sandbox.receiver.deliveries, sandbox.game.calls) == (0, [], [])
    assert sandbox.planted() == []
    await sandbox.deposit(endpoint)


async def test_a_reference_is_taken_once_and_a_refund_never_exceeds_what_is_left(
    sandbox: Sandbox,
) -> None:
    made = await sandbox.deposit("standard")
    assert (await sandbox.deposit("standard", expect=409))["code"] == "reference_taken"
    refund = {"payment_id": made["payment_id"], "amount": "15.00"}
    await sandbox.post("standard/refunds", refund)
    again = await sandbox.post("standard/refunds", refund, expect=409)
    assert again["code"] == "refund_too_large"
    await sandbox.post("standard/refunds", {"payment_id": made["payment_id"]})
    nothing = await sandbox.post(
        "standard/chargebacks", {"payment_id": made["payment_id"]}, expect=409
    )
    await sandbox.settle()

    assert nothing["code"] == "not_refundable"
    assert sorted(sandbox.game.amounts) == [-1500, -500, 2000]
    unknown = await sandbox.post("standard/refunds", {"payment_id": "pay_x"}, expect=404)
    assert unknown["code"] == "not_found"


async def test_ids_follow_from_the_seed_and_the_reference_alone(
    start: Callable[..., Awaitable[Sandbox]],
) -> None:
    first, second, third = await start(seed=1), await start(seed=1), await start(seed=2)
    await second.deposit("stripe", reference="another first")
    ids = [
        (await sandbox.deposit("stripe", reference="d9"))["payment_id"]
        for sandbox in (first, second, third)
    ]

    assert ids[0] == ids[1]
    assert ids[0] != ids[2]
    assert ids[0].startswith("pi_")
