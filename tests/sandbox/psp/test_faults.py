"""Each planted fault does what it says to what arrives, and to nothing else."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from recon.errors import Invalid
from recon.sandbox.faults import KINDS, LEADING, Faults
from recon.sandbox.psp import adyen, settings_lines

from .conftest import FAST, running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .conftest import Delivery, Sandbox

SEED = 7
API_KEY = settings_lines(SEED, base_url="http://127.0.0.1")["RECON_PSP__STRIPE__API_KEY"]


def verified(delivery: Delivery) -> bool:
    """Whether a receiver with the settings of the sandbox's seed would believe a delivery."""
    lines = settings_lines(SEED)
    secret = json.loads(lines[f"RECON_PSP__{delivery.endpoint.upper()}__SECRETS"])[0]
    if delivery.endpoint == "stripe":
        stamp, signature = delivery.headers["Stripe-Signature"].split(",")[:2]
        signed = stamp.removeprefix("t=").encode() + b"." + delivery.body
        return signature == "v1=" + hmac.new(secret.encode(), signed, sha256).hexdigest()
    if delivery.endpoint == "adyen":
        return bool(
            adyen.sign_item(secret, delivery.item)
            == delivery.item["additionalData"]["hmacSignature"]
        )
    key = base64.b64decode(secret.removeprefix("whsec_"))
    prefix = f"{delivery.headers['webhook-id']}.{delivery.headers['webhook-timestamp']}."
    mac = hmac.new(key, prefix.encode() + delivery.body, sha256).digest()
    return "v1," + base64.b64encode(mac).decode() in delivery.headers["webhook-signature"].split()


def amount_of(delivery: Delivery) -> object:
    """The amount that a delivery speaks of, in the provider's own form."""
    if delivery.endpoint == "stripe":
        return delivery.document["data"]["object"]["amount"]
    if delivery.endpoint == "adyen":
        return delivery.item["amount"]["value"]
    return delivery.document["data"]["amount"]


@pytest.mark.parametrize("endpoint", ["stripe", "adyen", "standard"])
async def test_a_lost_webhook_never_arrives_and_the_game_is_told(
    sandbox: Sandbox, endpoint: str
) -> None:
    made = await sandbox.deposit(endpoint, faults=["webhook_lost"])
    counts = await sandbox.settle()

    assert made["faults"] == ["webhook_lost"]
    assert sandbox.receiver.deliveries == []
    assert counts["events"]["lost"] == (1 if endpoint == "adyen" else 2)
    assert sandbox.game.calls == [("credit", "u_7", "GBP", 2000)]
    assert sandbox.planted() == [("webhook_lost", "20.00", "missing_webhook")]


async def test_a_lost_withdrawal_leaves_the_game_short(sandbox: Sandbox) -> None:
    await sandbox.withdraw("stripe", faults=["webhook_lost"])
    await sandbox.settle()

    assert sandbox.receiver.deliveries == []
    assert sandbox.game.amounts == [-500]
    assert sandbox.planted() == [("webhook_lost", "-5.00", "missing_webhook")]


@pytest.mark.parametrize(("endpoint", "right"), [("stripe", 2000), ("adyen", 2000)])
async def test_a_wrong_amount_goes_to_the_service_and_the_right_one_to_the_game(
    sandbox: Sandbox, endpoint: str, right: int
) -> None:
    await sandbox.deposit(endpoint, faults=["webhook_wrong_amount"])
    await sandbox.settle()

    assert amount_of(sandbox.receiver.deliveries[-1]) in {right - 100, right + 100}
    assert verified(sandbox.receiver.deliveries[-1])
    assert sandbox.game.amounts == [2000]
    assert sandbox.planted() == [("webhook_wrong_amount", "20.00", "amount_mismatch")]


async def test_a_wrong_amount_cannot_strike_a_withdrawal(sandbox: Sandbox) -> None:
    refused = await sandbox.withdraw(faults=["webhook_wrong_amount"], expect=400)

    assert refused["code"] == "fault_not_possible"


async def test_a_lost_game_update_reaches_the_service_alone(sandbox: Sandbox) -> None:
    await sandbox.deposit("standard", faults=["game_update_lost"])
    await sandbox.withdraw("standard", user_id="u_8", faults=["game_update_lost"])
    await sandbox.settle()

    assert sorted(sandbox.receiver.types) == [
        "deposit.pending",
        "deposit.succeeded",
        "withdrawal.accepted",
        "withdrawal.paid",
    ]
    assert sandbox.game.calls == []
    assert sandbox.planted() == [
        ("game_update_lost", "-20.00", "missing_game_update"),
        ("game_update_lost", "5.00", "missing_game_update"),
    ]


async def test_a_doubled_game_update_is_applied_twice_and_reported_once(sandbox: Sandbox) -> None:
    await sandbox.deposit("standard", faults=["game_update_doubled"])
    await sandbox.withdraw("standard", user_id="u_8", faults=["game_update_doubled"])
    await sandbox.settle()

    assert len(sandbox.receiver.deliveries) == 4
    assert Counter(sandbox.game.amounts) == {2000: 2, -500: 2}
    assert sandbox.planted() == [
        ("game_update_doubled", "20.00", "duplicate"),
        ("game_update_doubled", "-5.00", "duplicate"),
    ]


async def test_a_doubled_webhook_comes_as_one_event_twice_or_as_two_events(
    sandbox: Sandbox,
) -> None:
    for number in range(12):
        await sandbox.deposit("stripe", reference=f"d{number}", faults=["webhook_doubled"])
    await sandbox.settle()

    shapes = Counter[int]()
    succeeded = [row.document for row in sandbox.receiver.deliveries if "succeeded" in row.type]
    assert len(succeeded) == 24
    for number in range(12):
        of_one = [
            event
            for event in succeeded
            if event["data"]["object"]["metadata"]["reference"] == f"d{number}"
        ]
        assert of_one[0]["data"] == of_one[1]["data"]
        shapes[len({event["id"] for event in of_one})] += 1
    assert set(shapes) == {1, 2}
    assert sandbox.game.amounts == [2000] * 12
    assert sandbox.planted() == [("webhook_doubled", "20.00", None)] * 12


async def test_a_doubled_webhook_comes_at_the_same_time_or_once_the_first_was_answered(
    start: Callable[..., Awaitable[Sandbox]],
) -> None:
    sandbox = await start(timing=replace(FAST, spread_s=0.0))
    sandbox.receiver.answer_after_s = 0.3
    for number in range(12):
        await sandbox.deposit("adyen", reference=f"d{number}", faults=["webhook_doubled"])
    await sandbox.settle()

    arrivals: dict[bytes, list[float]] = {}
    for row in sandbox.receiver.deliveries:
        arrivals.setdefault(row.body, []).append(row.at)
    assert {len(times) for times in arrivals.values()} == {2}
    together = {max(times) - min(times) < 0.3 for times in arrivals.values()}
    assert together == {True, False}


async def test_a_late_webhook_arrives_seconds_after_the_game_was_told(sandbox: Sandbox) -> None:
    await sandbox.deposit("adyen", faults=[], reference="prompt")
    began_s = asyncio.get_running_loop().time()
    await sandbox.deposit("adyen", faults=["webhook_late"], reference="late")
    await sandbox.settle()

    _, late = sandbox.receiver.deliveries
    assert late.item["merchantReference"] == "late"
    assert late.at - began_s >= FAST.late_s[0]
    assert sandbox.planted() == [("webhook_late", "20.00", None)]


@pytest.mark.parametrize(
    ("endpoint", "types"),
    [
        ("stripe", ["payment_intent.succeeded", "payment_intent.processing"]),
        ("standard", ["deposit.succeeded", "deposit.pending"]),
    ],
)
async def test_a_reordered_deposit_succeeds_before_it_is_pending(
    sandbox: Sandbox, endpoint: str, types: list[str]
) -> None:
    await sandbox.deposit(endpoint, faults=["webhook_reordered"])
    await sandbox.settle()

    assert sandbox.receiver.types == types
    assert sandbox.planted() == [("webhook_reordered", "20.00", None)]


async def test_a_reordered_withdrawal_is_paid_before_it_is_accepted(sandbox: Sandbox) -> None:
    await sandbox.withdraw("standard", faults=["webhook_reordered"])
    await sandbox.settle()

    assert sandbox.receiver.types == ["withdrawal.paid", "withdrawal.accepted"]


@pytest.mark.parametrize("endpoint", ["stripe", "adyen", "standard"])
async def test_a_refund_overtakes_the_deposit_that_it_takes_back(
    sandbox: Sandbox, endpoint: str
) -> None:
    made = await sandbox.deposit(endpoint, faults=["webhook_late"])
    await sandbox.post(
        f"{endpoint}/refunds",
        {"payment_id": made["payment_id"], "amount": "5.00", "faults": ["webhook_reordered"]},
    )
    await sandbox.settle()

    deposit = {"stripe": "payment_intent.succeeded", "adyen": "AUTHORISATION"}
    assert sandbox.receiver.types[-1] == deposit.get(endpoint, "deposit.succeeded")
    assert ("webhook_reordered", "5.00", None) in sandbox.planted()


async def test_a_refund_cannot_overtake_a_deposit_that_has_arrived(sandbox: Sandbox) -> None:
    made = await sandbox.deposit("adyen")
    await sandbox.settle()
    refund = {"payment_id": made["payment_id"], "faults": ["webhook_reordered"]}
    refused = await sandbox.post("adyen/refunds", refund, expect=400)

    assert refused["code"] == "fault_not_possible"


@pytest.mark.parametrize("endpoint", ["stripe", "adyen", "standard"])
async def test_a_bad_signature_is_refused_and_the_retry_is_right(
    sandbox: Sandbox, endpoint: str
) -> None:
    sandbox.receiver.verify = verified
    await sandbox.deposit(endpoint, faults=["webhook_bad_signature"])
    counts = await sandbox.settle()

    statuses = [row.status for row in sandbox.receiver.deliveries]
    assert statuses == ([401, 200] if endpoint == "adyen" else [200, 401, 200])
    assert counts["attempts"]["bad_signature"] == 1
    assert counts["events"]["waiting"] == counts["events"]["gave_up"] == 0
    assert sandbox.game.amounts == [2000]
    assert sandbox.planted() == [("webhook_bad_signature", "20.00", None)]


async def test_a_receiver_that_takes_a_forged_webhook_is_told_on(sandbox: Sandbox) -> None:
    await sandbox.deposit("adyen", faults=["webhook_bad_signature"])
    counts = await sandbox.settle()

    assert counts["attempts"] == {"forged_taken": 1}


async def test_a_lost_answer_makes_the_provider_send_the_same_event_again(
    sandbox: Sandbox,
) -> None:
    await sandbox.deposit("standard", faults=["webhook_answer_lost"])
    counts = await sandbox.settle()

    assert sandbox.receiver.types == ["deposit.pending", "deposit.succeeded", "deposit.succeeded"]
    first, again = sandbox.receiver.deliveries[1:]
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert counts["attempts"] == {"delivered": 2, "answer_lost": 1}
    assert sandbox.planted() == [("webhook_answer_lost", "20.00", None)]


async def test_a_payment_whose_difference_is_planted_is_left_alone(sandbox: Sandbox) -> None:
    made = await sandbox.deposit("stripe", faults=["game_update_lost"])
    await sandbox.settle()
    for what in ("refunds", "chargebacks"):
        body = {"payment_id": made["payment_id"]}
        refused = await sandbox.post(f"stripe/{what}", body, expect=409)
        assert refused["code"] == "not_refundable"


async def test_one_player_is_given_one_difference_however_high_the_rates(
    start: Callable[..., Awaitable[Sandbox]],
) -> None:
    sandbox = await start(rates=dict.fromkeys(LEADING, 1.0))
    for number in range(6):
        await sandbox.deposit("standard", reference=f"d{number}", user_id=f"u_{number % 2}")
    await sandbox.settle()

    assert len(sandbox.planted()) == 2
    assert sorted(planted.user_id for planted in sandbox.faults.planted) == ["u_0", "u_1"]


async def test_the_same_seed_plants_the_same_faults_in_any_order_of_payments() -> None:
    rates = {kind: 0.3 for kind in KINDS if kind.startswith(("webhook", "game_update"))}
    seen = []
    for seed, order in ((1, range(30)), (1, range(29, -1, -1)), (2, range(30))):
        async with running(seed=seed, rates=rates) as sandbox:
            for number in order:
                await sandbox.deposit("standard", reference=f"d{number}", user_id=f"u_{number}")
            await sandbox.settle()
            seen.append(
                sorted((planted.user_id, planted.fault) for planted in sandbox.faults.planted)
            )

    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert {fault for _, fault in seen[0]} >= {"webhook_lost", "webhook_late", "game_update_lost"}


def test_faults_refuse_what_they_do_not_know() -> None:
    faults = Faults(1, {"webhook_lost": 0.5})
    with pytest.raises(Invalid, match="webhook_lots"):
        faults.rates["webhook_lots"] = 0.1
    with pytest.raises(Invalid):
        faults.rates["webhook_late"] = 1.5
    with pytest.raises(Invalid):
        faults.rates.update({"webhook_late": 0.2, "nonsense": 0.2})
    with pytest.raises(Invalid):
        faults.strikes("nonsense")

    assert faults.rates == {"webhook_lost": 0.5}


def test_a_rate_is_met_and_a_key_always_draws_the_same() -> None:
    faults = Faults(1, {"webhook_late": 0.25})
    drawn = [faults.strikes("webhook_late", key=f"d{number}") for number in range(4000)]
    again = [faults.strikes("webhook_late", key=f"d{number}") for number in range(4000)]

    assert 900 < sum(drawn) < 1100
    assert drawn == again
    assert Faults(2, {"webhook_late": 0.0}).strikes("webhook_late", force=frozenset(KINDS))


async def test_a_missed_webhook_never_arrives_and_is_listed(sandbox: Sandbox) -> None:
    made = await sandbox.deposit("stripe", faults=["webhook_missed", "game_update_lost"])
    await sandbox.settle()

    assert made["faults"] == ["game_update_lost", "webhook_missed"]
    assert sandbox.receiver.deliveries == []
    planted = {fault: cause for fault, _, cause in sandbox.planted()}
    assert planted == {"game_update_lost": "missing_game_update", "webhook_missed": None}
    status, page = await sandbox.get(
        "/stripe/v1/events?delivery_success=false&types[]=payment_intent.succeeded",
        Authorization=f"Bearer {API_KEY}",
    )
    assert status == 200
    (event,) = page["data"]
    assert event["data"]["object"]["id"] == made["payment_id"]


async def test_what_is_lost_for_good_is_in_no_list(sandbox: Sandbox) -> None:
    await sandbox.put("stripe", {"provider": "stripe", "list_lost": False})
    await sandbox.deposit("stripe", faults=["webhook_lost"], reference="lost")
    await sandbox.deposit("stripe", faults=["webhook_missed"], reference="missed")
    await sandbox.settle()

    _, page = await sandbox.get("/stripe/v1/events", Authorization=f"Bearer {API_KEY}")
    told = {event["data"]["object"]["metadata"]["reference"] for event in page["data"]}
    assert told == {"missed"}


@pytest.mark.parametrize(
    ("endpoint", "faults"),
    [
        ("adyen", ["webhook_missed"]),
        ("standard", ["webhook_missed"]),
        ("stripe", ["webhook_missed", "webhook_late"]),
        ("stripe", ["webhook_missed", "webhook_lost"]),
    ],
)
async def test_a_missed_webhook_is_stripe_s_alone_and_nothing_else_befalls_it(
    sandbox: Sandbox, endpoint: str, faults: list[str]
) -> None:
    refused = await sandbox.deposit(endpoint, faults=faults, expect=400)
    assert refused["code"] == "fault_not_possible"


async def test_stripe_s_list_takes_twenty_types_or_one_pattern(sandbox: Sandbox) -> None:
    many = "&".join(f"types[]=a.{number}" for number in range(21))
    for query in (many, "type=*&types[]=payout.paid"):
        status, page = await sandbox.get(
            f"/stripe/v1/events?{query}", Authorization=f"Bearer {API_KEY}"
        )
        assert (status, page["error"]["code"]) == (400, "parameter_invalid")
