"""Deposits, and what befalls them, over the PSPs' door."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.webhooks.conftest import (
    ADYEN_OLD,
    ENDPOINTS,
    dispute,
    item,
    payment_intent,
    refund,
)

if TYPE_CHECKING:
    from tests.webhooks.conftest import Door


async def test_a_deposit_is_credited_to_the_player_whom_the_signed_body_names(door: Door) -> None:
    assert await door.standard("deposit.succeeded", amount="20.00", user="u_7") == "booked"

    assert await door.available("u_7") == "20.00"
    assert (await door.last()).user_id == "u_7"


async def test_a_delivery_sent_twice_moves_money_once(door: Door) -> None:
    assert await door.standard("deposit.succeeded", event_id="msg_1") == "booked"
    assert await door.standard("deposit.succeeded", event_id="msg_1") == "repeated"

    assert await door.available() == "20.00"
    assert len(await door.inbox()) == 1
    assert await door.pool.fetchval("SELECT same_bytes FROM delivery_repeats") is True
    assert await door.cases() == []


async def test_eight_at_once_move_money_once(door: Door) -> None:
    states = await asyncio.gather(
        *(door.standard("deposit.succeeded", event_id="msg_1") for _ in range(8))
    )

    assert sorted(states) == ["booked"] + ["repeated"] * 7
    assert await door.available() == "20.00"


async def test_an_event_id_with_other_bytes_is_an_alarm_and_books_nothing(door: Door) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1", amount="20.00")
    state = await door.standard("deposit.succeeded", "pay_2", event_id="msg_1", amount="900.00")

    assert state == "quarantined"
    assert await door.available() == "20.00"
    (case,) = await door.cases()
    assert (case.kind, str(case.amount)) == ("event_id_reused", "900.00")
    kept = await door.pool.fetchval("SELECT body FROM delivery_repeats WHERE NOT same_bytes")
    assert json.loads(kept)["data"]["amount"] == "900.00"


async def test_two_events_about_one_payment_book_it_once(door: Door) -> None:
    assert await door.standard("deposit.succeeded", event_id="msg_1") == "booked"
    assert await door.standard("deposit.succeeded", event_id="msg_2") == "repeated"

    assert await door.available() == "20.00"


@pytest.mark.parametrize(("amount", "user"), [("25.00", "u_7"), ("20.00", "u_8")])
async def test_two_stories_about_one_payment_are_quarantined_with_a_case(
    door: Door, amount: str, user: str
) -> None:
    await door.standard("deposit.succeeded", amount="20.00", user="u_7")
    assert await door.standard("deposit.succeeded", amount=amount, user=user) == "quarantined"

    assert await door.available("u_7") == "20.00"
    assert await door.available("u_8") == "0.00"
    assert [case.kind for case in await door.cases()] == ["movement_conflict"]


async def test_the_registered_player_gets_an_anonymous_deposit(door: Door) -> None:
    await door.register("order-1", user="u_9", amount="20.00")
    await door.standard("deposit.succeeded", user=None, reference="order-1")

    assert await door.available("u_9") == "20.00"
    assert await door.payment_state("order-1") == "succeeded"


async def test_pending_moves_nothing_and_is_known_of_the_payment(door: Door) -> None:
    await door.register("order-1")
    assert await door.standard("deposit.pending", reference="order-1") == "ignored"

    assert await door.payment_state("order-1") == "pending"
    assert await door.wallet() is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"amount": "25.00"}, "it is registered with 20.00 GBP"),
        ({"currency": "EUR"}, "it is registered with 20.00 GBP"),
        ({"user": "u_8"}, "it is registered for another player"),
    ],
)
async def test_other_than_registered_goes_to_suspense_as_evidence_of_the_registered_player(
    door: Door, told: dict[str, str], reason: str
) -> None:
    await door.register("order-1", user="u_7", amount="20.00", currency="GBP")
    assert await door.standard("deposit.succeeded", reference="order-1", **told) == "suspended"  # type: ignore[arg-type]  # one of its texts

    currency, amount = told.get("currency", "GBP"), told.get("amount", "20.00")
    assert await door.suspense("~standard:pay_1", currency) == amount
    assert await door.available("u_7") == await door.available("u_8") == "0.00"
    kept = await door.last()
    assert (kept.user_id, kept.reference, kept.reason) == ("u_7", "order-1", reason)
    (case,) = await door.cases()
    assert (case.kind, case.user_id, str(case.amount)) == ("suspended", "u_7", amount)


async def test_a_deposit_registered_as_a_withdrawal_goes_to_suspense(door: Door) -> None:
    await door.standard("deposit.succeeded", "pay_0", amount="20.00")
    await door.register("out-1", direction="withdrawal")
    assert await door.standard("deposit.succeeded", "pay_1", reference="out-1") == "suspended"

    assert (await door.available(), await door.reserved()) == ("0.00", "20.00")


@pytest.mark.parametrize("named", [None, "~standard:pay_9", "with space", ""])
async def test_a_deposit_that_names_no_possible_player_goes_to_suspense(
    door: Door, named: str | None
) -> None:
    assert await door.standard("deposit.succeeded", user=named) == "suspended"

    assert await door.suspense("~standard:pay_1") == "20.00"
    assert (await door.cases())[0].reason == "nobody is named and no payment is registered"


async def test_partial_refunds_are_movements_of_their_own(door: Door) -> None:
    await door.standard("deposit.succeeded", amount="20.00")
    for effect_id, amount in (("rf_1", "5.00"), ("rf_2", "5.00"), ("rf_2", "5.00")):
        await door.standard("deposit.refunded", amount=amount, effect_id=effect_id)

    assert await door.available() == "10.00"


async def test_a_refund_without_an_id_of_its_own_is_the_one_that_is_booked(door: Door) -> None:
    await door.standard("deposit.succeeded")
    await door.standard("deposit.refunded", amount="20.00", effect_id="rf_1")
    assert await door.standard("deposit.refunded", amount="20.00") == "repeated"

    assert await door.available() == "0.00"


@pytest.mark.parametrize("kind", ["deposit.refunded", "deposit.charged_back"])
async def test_what_moved_without_an_id_is_one_of_those_that_are_told_by_theirs_and_no_second(
    door: Door, kind: str
) -> None:
    await door.standard("deposit.succeeded", amount="20.00")
    told = [
        await door.standard(kind, amount="5.00", effect_id=name)
        for name in (None, "r_1", "r_2", "r_1", "r_2", "r_3")
    ]

    assert told == ["booked", "repeated", "booked", "repeated", "repeated", "booked"]
    assert await door.available() == "5.00"


async def test_each_of_two_reversals_gives_again_what_its_own_chargeback_took(door: Door) -> None:
    await door.standard("deposit.succeeded", amount="20.00")
    for name in (None, "d_1", "d_2"):
        await door.standard("deposit.charged_back", amount="5.00", effect_id=name)
    kind = "deposit.chargeback_reversed"
    given = [
        await door.standard(kind, amount="5.00", effect_id=name, at=9)
        for name in ("d_1", "d_2", "d_2", "d_3")
    ]

    assert given == ["booked", "booked", "repeated", "waiting"]
    assert await door.available() == "20.00"


async def test_of_reversals_too_the_one_without_an_id_is_one_of_those_told_by_theirs(
    door: Door,
) -> None:
    await door.standard("deposit.succeeded", amount="20.00")
    for name in ("d_1", "d_2"):
        await door.standard("deposit.charged_back", amount="5.00", effect_id=name)
    given = [
        await door.standard("deposit.chargeback_reversed", amount="5.00", effect_id=name, at=9)
        for name in (None, "d_1", "d_2", "d_2")
    ]

    assert given == ["booked", "repeated", "booked", "repeated"]
    assert await door.available() == "20.00"


@pytest.mark.parametrize("kind", ["deposit.refunded", "deposit.charged_back"])
async def test_an_id_that_stands_for_another_payment_s_movement_is_for_people_and_no_repeat(
    door: Door, kind: str
) -> None:
    await door.standard("deposit.succeeded", "pay_1", user="u_7")
    await door.standard("deposit.succeeded", "pay_2", user="u_8")
    assert await door.standard(kind, "pay_1", user="u_7", amount="5.00", effect_id="1") == "booked"

    # A provider that counts what befalls each payment from one.
    told: dict[str, Any] = {"user": None, "amount": "5.00", "effect_id": "1"}
    assert await door.standard(kind, "pay_2", **told, event_id="e_1") == "quarantined"
    assert await door.standard(kind, "pay_1", **told, event_id="e_2") == "repeated"

    (case,) = await door.cases()
    assert (case.kind, case.user_id) == ("movement_conflict", "u_8")
    assert case.reason == "its id stands for what has moved for payment pay_1"
    assert await door.available("u_7") == "15.00"
    assert await door.available("u_8") == "20.00"


async def test_what_failed_of_one_payment_gives_back_nothing_of_another_s(door: Door) -> None:
    await door.standard("withdrawal.paid", "out_1", user="u_7", amount="5.00", effect_id="1")
    failure = await door.standard("withdrawal.failed", "out_2", amount="5.00", effect_id="1", at=9)

    assert failure == "quarantined"
    assert await door.available("u_7") == "-5.00"


async def test_a_refund_that_overtakes_its_deposit_waits_for_it(door: Door) -> None:
    assert await door.standard("deposit.refunded", user=None, amount="5.00", at=9) == "waiting"
    assert await door.standard("deposit.succeeded", amount="20.00") == "booked"

    assert await door.available() == "15.00"
    assert {kept.state for kept in await door.inbox()} == {"booked"}


async def test_a_refund_of_a_named_player_may_overdraw_until_the_deposit_comes(door: Door) -> None:
    assert await door.standard("deposit.refunded", amount="5.00") == "booked"
    assert await door.available() == "-5.00"

    await door.standard("deposit.succeeded", amount="20.00")
    assert await door.available() == "15.00"


async def test_a_refund_that_names_another_player_than_its_deposit_is_suspended(
    door: Door,
) -> None:
    await door.standard("deposit.succeeded", user="u_7")
    state = await door.standard("deposit.refunded", user="u_8", effect_id="rf_1")

    assert state == "suspended"
    assert await door.available("u_7") == "20.00"
    assert await door.suspense("~standard:rf_1") == "-20.00"


async def test_a_refund_in_another_currency_than_its_deposit_is_suspended(door: Door) -> None:
    await door.standard("deposit.succeeded")
    assert await door.standard("deposit.refunded", currency="EUR", effect_id="rf_1") == "suspended"

    assert await door.available() == "20.00"


async def test_a_chargeback_may_overdraw_and_its_reversal_gives_it_back(door: Door) -> None:
    await door.standard("deposit.succeeded")
    await door.standard("deposit.refunded", effect_id="rf_1")
    await door.standard("deposit.charged_back", effect_id="dsp_1")
    assert await door.available() == "-20.00"

    await door.standard("deposit.chargeback_reversed", effect_id="dsp_1")
    assert await door.standard("deposit.chargeback_reversed", effect_id="dsp_1") == "repeated"
    assert await door.available() == "0.00"


async def test_a_reversal_that_overtakes_its_chargeback_waits_for_it(door: Door) -> None:
    await door.standard("deposit.succeeded")
    assert await door.standard("deposit.chargeback_reversed", effect_id="dsp_1", at=9) == "waiting"
    assert await door.available() == "20.00"

    await door.standard("deposit.charged_back", effect_id="dsp_1", at=5)
    assert await door.available() == "20.00"
    assert {kept.state for kept in await door.inbox()} == {"booked"}


async def test_a_whole_dispute_that_comes_backwards_is_put_right_by_the_deposit(
    door: Door,
) -> None:
    assert (
        await door.standard("deposit.chargeback_reversed", user=None, effect_id="d", at=3)
        == "waiting"
    )
    assert await door.standard("deposit.charged_back", user=None, effect_id="d", at=2) == "waiting"
    assert await door.standard("deposit.succeeded", at=1) == "booked"

    assert await door.available() == "20.00"
    assert {kept.state for kept in await door.inbox()} == {"booked"}


async def test_more_is_never_given_again_than_was_taken(door: Door) -> None:
    await door.standard("deposit.succeeded")
    await door.standard("deposit.charged_back", amount="5.00", effect_id="d")
    state = await door.standard("deposit.chargeback_reversed", amount="9.00", effect_id="d")

    assert state == "quarantined"
    assert await door.available() == "15.00"


async def test_a_chargeback_is_reversed_once_whatever_its_reversal_is_called(door: Door) -> None:
    await door.standard("deposit.succeeded", amount="20.00")
    await door.standard("deposit.charged_back", amount="20.00")
    kind = "deposit.chargeback_reversed"
    assert await door.standard(kind, amount="20.00", effect_id="dp_1") == "booked"

    assert await door.standard(kind, amount="20.00", effect_id="dp_2") == "quarantined"
    assert await door.available() == "20.00"


async def test_a_failure_after_the_success_takes_the_money_back(door: Door) -> None:
    await door.register("order-1")
    await door.standard("deposit.succeeded", reference="order-1", at=1)
    assert await door.standard("deposit.failed", reference="order-1", at=2) == "booked"
    assert await door.standard("deposit.failed", reference="order-1", at=2) == "repeated"

    assert await door.available() == "0.00"
    assert await door.payment_state("order-1") == "failed"


async def test_a_failure_from_before_the_success_takes_nothing(door: Door) -> None:
    await door.standard("deposit.succeeded", at=2)
    assert await door.standard("deposit.failed", at=1) == "ignored"

    assert await door.available() == "20.00"


async def test_a_failure_that_overtakes_the_success_it_undoes_still_undoes_it(door: Door) -> None:
    await door.register("order-1")
    assert await door.standard("deposit.failed", reference="order-1", at=2) == "ignored"
    assert await door.payment_state("order-1") == "failed"
    await door.standard("deposit.succeeded", reference="order-1", at=1)

    assert await door.available() == "0.00"
    assert await door.payment_state("order-1") == "failed"


async def test_a_failed_attempt_and_then_a_success_is_a_success(door: Door) -> None:
    await door.register("order-1")
    await door.standard("deposit.failed", reference="order-1", at=1)
    await door.standard("deposit.succeeded", reference="order-1", at=2)

    assert await door.available() == "20.00"
    assert await door.payment_state("order-1") == "succeeded"


async def test_a_success_after_it_had_failed_after_all_is_for_people(door: Door) -> None:
    await door.standard("deposit.succeeded", at=1)
    await door.standard("deposit.failed", at=2)
    assert await door.standard("deposit.succeeded", at=3) == "quarantined"

    assert await door.available() == "0.00"


async def test_a_failure_for_another_amount_than_credited_is_for_people(door: Door) -> None:
    await door.standard("deposit.succeeded", amount="20.00", at=1)
    assert await door.standard("deposit.failed", amount="5.00", at=2) == "quarantined"

    assert await door.available() == "20.00"


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("JPY", "500"), ("KWD", "1.234"), ("ETH", "0.000000000000000001"), ("GBP", "9" * 20 + ".99")],
)
async def test_every_exponent_and_amounts_past_2_63_are_exact(
    door: Door, currency: str, amount: str
) -> None:
    await door.standard("deposit.succeeded", amount=amount, currency=currency)

    assert await door.available("u_7", currency) == amount


async def test_a_balance_past_38_digits_is_quarantined_and_harms_nothing(door: Door) -> None:
    most = "9" * 36 + ".99"
    assert await door.standard("deposit.succeeded", "pay_1", amount=most) == "booked"
    assert await door.standard("deposit.succeeded", "pay_2", amount=most) == "quarantined"
    assert await door.standard("deposit.refunded", "pay_1", amount=most) == "booked"

    assert await door.available() == "0.00"


# -- Stripe


async def test_stripe_books_what_was_received_for_the_player_in_the_metadata(door: Door) -> None:
    shown = payment_intent(amount=2000, user_id="u_7", reference="order-1") | {"amount": 2500}
    await door.stripe("payment_intent.succeeded", shown)

    assert await door.available() == "20.00"
    kept = await door.last()
    assert (kept.payment_id, kept.reference, kept.kind) == ("pi_1", "order-1", "deposit.succeeded")


async def test_a_stripe_payment_registered_under_its_own_id_is_found(door: Door) -> None:
    await door.register("pi_1", endpoint="stripe", user="u_9")
    await door.stripe("payment_intent.succeeded", payment_intent())

    assert await door.available("u_9") == "20.00"


async def test_a_stripe_intent_may_fail_and_then_succeed_never_the_reverse(door: Door) -> None:
    failed = payment_intent(status="requires_payment_method", user_id="u_7")
    succeeded = payment_intent(user_id="u_7")
    assert await door.stripe("payment_intent.payment_failed", failed, at=1) == "ignored"
    assert await door.stripe("payment_intent.succeeded", succeeded, at=1) == "booked"
    assert await door.stripe("payment_intent.payment_failed", failed, at=1) == "ignored"
    assert await door.stripe("payment_intent.payment_failed", failed, at=9) == "quarantined"

    assert await door.available() == "20.00"


async def test_stripe_processing_moves_nothing(door: Door) -> None:
    await door.register("order-1", endpoint="stripe")
    shown = payment_intent(status="processing", reference="order-1")
    assert await door.stripe("payment_intent.processing", shown) == "ignored"

    assert await door.payment_state("order-1") == "pending"


async def test_a_stripe_refund_is_booked_when_it_has_succeeded_once(door: Door) -> None:
    await door.stripe("payment_intent.succeeded", payment_intent(user_id="u_7"))
    assert await door.stripe("refund.created", refund(status="pending", amount=500)) == "ignored"
    assert await door.available() == "20.00"
    assert await door.stripe("refund.updated", refund(amount=500)) == "booked"
    assert await door.stripe("refund.updated", refund(amount=500)) == "repeated"
    assert await door.available() == "15.00"

    assert await door.stripe("refund.failed", refund(amount=500, status="failed")) == "booked"
    assert await door.stripe("refund.updated", refund(amount=500, status="failed")) == "repeated"
    assert await door.available() == "20.00"


async def test_a_stripe_refund_that_names_only_the_charge_finds_its_payment(door: Door) -> None:
    first = refund("re_1", payment_intent=None, amount=500)
    assert await door.stripe("refund.created", first, at=5) == "waiting"
    await door.stripe("payment_intent.succeeded", payment_intent(user_id="u_7"), at=1)
    assert await door.available() == "15.00"

    second = refund("re_2", payment_intent=None, amount=500)
    assert await door.stripe("refund.created", second) == "booked"
    assert await door.stripe("refund.updated", refund("re_2", amount=500)) == "repeated"
    assert await door.available() == "10.00"


async def test_a_stripe_dispute_moves_money_when_funds_do(door: Door) -> None:
    await door.stripe("payment_intent.succeeded", payment_intent(user_id="u_7"))
    assert await door.stripe("charge.dispute.created", dispute()) == "ignored"
    assert (await door.last()).user_id == "u_7"
    assert await door.available() == "20.00"
    await door.stripe("charge.dispute.funds_withdrawn", dispute())
    assert await door.available() == "0.00"
    await door.stripe("charge.dispute.funds_reinstated", dispute())
    assert await door.stripe("charge.dispute.closed", dispute()) == "ignored"
    assert await door.available() == "20.00"


@pytest.mark.parametrize(
    ("currency", "units", "amount"),
    [("jpy", 500, "500"), ("kwd", 5120, "5.120"), ("isk", 50000, "500"), ("mga", 5, "5.00")],
)
async def test_stripe_has_a_minor_unit_table_of_its_own(
    door: Door, currency: str, units: int, amount: str
) -> None:
    shown = payment_intent(amount=units, currency=currency, user_id="u_7")
    await door.stripe("payment_intent.succeeded", shown)

    assert await door.available("u_7", currency.upper()) == amount


async def test_a_part_of_our_smallest_unit_is_quarantined(door: Door) -> None:
    shown = payment_intent(amount=50001, currency="isk", user_id="u_7")
    assert await door.stripe("payment_intent.succeeded", shown) == "quarantined"

    assert await door.wallet("u_7", "ISK") is None


# -- Adyen


async def test_adyen_books_for_the_registered_player_alone(door: Door) -> None:
    await door.register("order-1", endpoint="adyen", user="u_9")
    named = item() | {"additionalData": {"metadata.user_id": "u_7", "user_id": "u_7"}}
    await door.adyen(named)

    assert (await door.available("u_9"), await door.available("u_7")) == ("20.00", "0.00")
    assert (await door.last()).event_id == "7914073381342284:AUTHORISATION:true"


async def test_an_unregistered_adyen_payment_goes_to_suspense(door: Door) -> None:
    await door.adyen(item(psp_reference="PSP1"))

    assert (await door.last()).state == "suspended"
    assert await door.suspense("~adyen:PSP1") == "20.00"
    assert [case.kind for case in await door.cases()] == ["suspended"]


async def test_a_capture_is_the_payment_that_its_authorisation_was(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(psp_reference="PSP1"))
    await door.adyen(item("CAPTURE", "PSP2", original="PSP1"))

    assert await door.available() == "20.00"
    assert (await door.last()).state == "repeated"


async def test_a_capture_alone_books_too(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item("CAPTURE", "PSP2", original="PSP1"))

    assert await door.available() == "20.00"


async def test_another_payment_under_a_fulfilled_registration_goes_to_suspense(
    door: Door,
) -> None:
    await door.register("ref-1", amount="9.00")
    await door.standard("deposit.succeeded", "a", amount="9.00", reference="ref-1")

    state = await door.standard("deposit.succeeded", "b", amount="9.00", reference="ref-1")

    assert (state, await door.available()) == ("suspended", "9.00")
    assert await door.suspense("~standard:b") == "9.00"
    assert [case.kind for case in await door.cases()] == ["suspended"]


async def test_with_manual_capture_the_authorisation_only_announces_the_money(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENDPOINTS, "adyen", replace(ENDPOINTS["adyen"], manual_capture=True))
    await door.register("order-1", endpoint="adyen")

    await door.adyen(item(psp_reference="PSP1"))
    assert (await door.last()).state == "ignored"
    await door.adyen(item("CAPTURE", "PSP2", original="PSP1"))

    assert await door.available() == "20.00"


async def test_a_refused_authorisation_credits_nothing_and_another_one_does(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(psp_reference="PSP1", success="false"))
    assert await door.payment_state("order-1") == "failed"
    await door.adyen(item(psp_reference="PSP2"))

    assert await door.available() == "20.00"
    assert await door.payment_state("order-1") == "succeeded"


@pytest.mark.parametrize("failed_at", ["2026-01-01T12:00:00Z", "2025-01-01T12:00:00Z"])
async def test_a_failed_capture_takes_back_whatever_its_unsigned_date_says(
    door: Door, failed_at: str
) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(psp_reference="PSP1"))
    await door.adyen(item("CAPTURE_FAILED", "PSP3", original="PSP1", at=failed_at))

    assert await door.available() == "0.00"


@pytest.mark.parametrize("back", ["REFUND_FAILED", "REFUNDED_REVERSED"])
async def test_an_adyen_refund_and_its_coming_back(door: Door, back: str) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(psp_reference="PSP1"))
    await door.adyen(item("REFUND", "PSP2", original="PSP1", value=500))
    await door.adyen(item("REFUND", "PSP3", original="PSP1", value=500))
    assert await door.available() == "10.00"
    await door.adyen(item(back, "PSP2", original="PSP1", value=500))
    assert await door.available() == "15.00"


async def test_a_refund_that_adyen_refused_has_moved_nothing(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(psp_reference="PSP1"))
    await door.adyen(item("REFUND", "PSP2", original="PSP1", success="false"))

    assert await door.available() == "20.00"
    assert (await door.last()).state == "ignored"


async def test_an_adyen_dispute_to_its_second_chargeback(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(psp_reference="PSP1"))
    seen = []
    for code in (
        "NOTIFICATION_OF_CHARGEBACK",
        "CHARGEBACK",
        "CHARGEBACK",
        "CHARGEBACK_REVERSED",
        "SECOND_CHARGEBACK",
        "PREARBITRATION_LOST",
    ):
        await door.adyen(item(code, "DSP1", original="PSP1"))
        seen.append(await door.available())

    assert seen == ["20.00", "0.00", "0.00", "20.00", "0.00", "0.00"]


async def test_a_card_that_was_only_verified_moves_nothing(door: Door) -> None:
    await door.adyen(item(value=0))

    assert (await door.last()).state == "ignored"


@pytest.mark.parametrize(
    ("currency", "value", "amount"),
    [("JPY", 500, "500"), ("ISK", 50000, "500"), ("CLP", 100, "1"), ("IDR", 7, "7.00")],
)
async def test_adyen_has_a_minor_unit_table_of_its_own(
    door: Door, currency: str, value: int, amount: str
) -> None:
    await door.register("order-1", endpoint="adyen", amount=amount, currency=currency)
    await door.adyen(item(value=value, currency=currency))

    assert await door.available("u_7", currency) == amount


async def test_items_of_one_notification_are_deliveries_of_their_own(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(
        item("REFUND", "PSP2", original="PSP1", value=500),
        item(psp_reference="PSP1"),
        item(psp_reference="PSP1"),
        item("NO_SUCH_CODE", "PSP9"),
    )

    assert await door.available() == "15.00"
    assert len(await door.inbox()) == 3


async def test_a_refund_before_its_deposit_in_one_notification_waits_for_it(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(
        item("REFUND", "PSP2", original="PSP1", value=500, reference="another"),
        item(psp_reference="PSP1"),
    )

    assert await door.available() == "15.00"
    assert {kept.state for kept in await door.inbox()} == {"booked"}


async def test_a_redelivery_signed_by_a_younger_key_is_a_repeat_not_an_alarm(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(), key=ADYEN_OLD)
    await door.adyen(item())

    assert await door.available() == "20.00"
    assert await door.cases() == []
    (kept,) = await door.inbox()
    assert kept.verified_by.startswith("key:1:")
