"""Withdrawals over the PSPs' door: the reservation, the payout, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.webhooks.conftest import item, payout

if TYPE_CHECKING:
    from tests.webhooks.conftest import Door


async def funded(door: Door, *, endpoint: str = "standard", amount: str = "20.00") -> None:
    """Player u_7 has 50.00 and asks for ``amount`` under out-1."""
    await door.standard("deposit.succeeded", "pay_0", amount="50.00", at=-100)
    await door.register("out-1", endpoint=endpoint, direction="withdrawal", amount=amount)


async def balances(door: Door) -> tuple[str, str]:
    return await door.available(), await door.reserved()


async def test_a_withdrawal_is_reserved_accepted_and_paid(door: Door) -> None:
    await funded(door)
    assert await balances(door) == ("30.00", "20.00")
    assert await door.standard("withdrawal.accepted", reference="out-1", at=1) == "ignored"
    assert await balances(door) == ("30.00", "20.00")
    assert await door.payment_state("out-1") == "accepted"
    assert await door.standard("withdrawal.paid", reference="out-1", at=2) == "booked"
    assert await door.standard("withdrawal.paid", reference="out-1", at=2) == "repeated"

    assert await balances(door) == ("30.00", "0.00")
    assert await door.payment_state("out-1") == "paid"


async def test_accepted_after_paid_changes_nothing(door: Door) -> None:
    await funded(door)
    await door.standard("withdrawal.paid", reference="out-1", at=2)
    await door.standard("withdrawal.accepted", reference="out-1", at=1)

    assert await door.payment_state("out-1") == "paid"


@pytest.mark.parametrize("failure", ["withdrawal.failed", "withdrawal.returned"])
async def test_a_failure_before_it_was_paid_gives_the_reservation_back(
    door: Door, failure: str
) -> None:
    await funded(door)
    assert await door.standard(failure, reference="out-1") == "booked"
    assert await door.standard(failure, reference="out-1") == "repeated"

    assert await balances(door) == ("50.00", "0.00")


@pytest.mark.parametrize("failure", ["withdrawal.failed", "withdrawal.returned"])
async def test_paid_and_then_returned_gives_it_back(door: Door, failure: str) -> None:
    await funded(door)
    await door.standard("withdrawal.paid", reference="out-1", effect_id="po_1", at=1)
    state = await door.standard(failure, reference="out-1", effect_id="po_1", at=2)

    assert state == "booked"
    assert await balances(door) == ("50.00", "0.00")
    assert await door.payment_state("out-1") == "returned"


@pytest.mark.parametrize("failure", ["withdrawal.failed", "withdrawal.returned"])
async def test_a_return_that_overtakes_the_payment_ends_the_same(door: Door, failure: str) -> None:
    await funded(door)
    await door.standard(failure, reference="out-1", effect_id="po_1", at=2)
    assert await door.standard("withdrawal.paid", reference="out-1", effect_id="po_1", at=1) == (
        "booked"
    )

    assert await balances(door) == ("50.00", "0.00")
    assert await door.payment_state("out-1") == "returned"
    assert await door.standard(failure, reference="out-1", effect_id="po_1", at=2) == "repeated"


async def test_paid_truly_after_it_failed_is_taken_from_what_is_available(door: Door) -> None:
    await funded(door)
    await door.standard("withdrawal.failed", reference="out-1", at=1)
    await door.standard("withdrawal.paid", reference="out-1", at=2)

    assert await balances(door) == ("30.00", "0.00")
    assert await door.payment_state("out-1") == "paid"


async def test_a_failure_from_before_it_was_paid_returns_nothing(door: Door) -> None:
    await funded(door)
    await door.standard("withdrawal.paid", reference="out-1", at=2)
    assert await door.standard("withdrawal.failed", reference="out-1", at=1) == "ignored"

    assert await balances(door) == ("30.00", "0.00")


async def test_another_payout_after_a_return_is_paid_and_a_third_is_for_people(door: Door) -> None:
    await funded(door)
    await door.standard("withdrawal.paid", reference="out-1", effect_id="po_1", at=1)
    await door.standard("withdrawal.returned", reference="out-1", effect_id="po_1", at=2)
    again = await door.standard("withdrawal.paid", reference="out-1", effect_id="po_2", at=3)
    third = await door.standard("withdrawal.paid", reference="out-1", effect_id="po_3", at=4)

    assert (again, third) == ("booked", "suspended")
    assert await balances(door) == ("30.00", "0.00")
    assert await door.suspense("~standard:po_3") == "-20.00"


async def test_an_unregistered_payout_is_a_fact_that_may_overdraw(door: Door) -> None:
    await door.standard("withdrawal.paid", amount="20.00")

    assert await balances(door) == ("-20.00", "0.00")


async def test_an_unregistered_return_waits_for_its_payout(door: Door) -> None:
    assert await door.standard("withdrawal.returned", at=2) == "waiting"
    assert await door.standard("withdrawal.paid", at=1) == "booked"

    assert await balances(door) == ("0.00", "0.00")
    assert {kept.state for kept in await door.inbox()} == {"booked"}


async def test_a_payout_that_names_nobody_goes_to_suspense(door: Door) -> None:
    assert await door.standard("withdrawal.paid", user=None) == "suspended"

    assert await door.suspense("~standard:pay_1") == "-20.00"


@pytest.mark.parametrize("told", [{"amount": "25.00"}, {"currency": "EUR"}, {"user": "u_8"}])
async def test_paid_other_than_registered_goes_to_suspense_and_the_reservation_stands(
    door: Door, told: dict[str, str]
) -> None:
    await funded(door)
    assert await door.standard("withdrawal.paid", reference="out-1", **told) == "suspended"  # type: ignore[arg-type]  # one of its texts

    assert await balances(door) == ("30.00", "20.00")
    assert await door.payment_state("out-1") == "registered"
    kept = await door.last()
    assert (kept.user_id, kept.reference) == ("u_7", "out-1")


async def test_failed_with_another_amount_than_registered_is_for_people(door: Door) -> None:
    await funded(door)
    assert await door.standard("withdrawal.failed", reference="out-1", amount="5.00") == (
        "quarantined"
    )

    assert await balances(door) == ("30.00", "20.00")
    assert [case.kind for case in await door.cases()] == ["quarantined"]


async def test_more_never_comes_back_than_was_paid(door: Door) -> None:
    await door.standard("withdrawal.paid", amount="20.00", effect_id="po_1", at=1)
    state = await door.standard("withdrawal.returned", amount="30.00", effect_id="po_1", at=2)

    assert state == "quarantined"
    assert await door.available() == "-20.00"


@pytest.mark.parametrize(("payout", "back"), [(None, "rt_1"), ("po_1", None)])
async def test_a_part_that_comes_back_under_another_id_is_of_the_one_payout(
    door: Door, payout: str | None, back: str | None
) -> None:
    await door.standard("withdrawal.paid", "out_1", amount="10.00", effect_id=payout)
    kind = "withdrawal.returned"
    # The bank keeps its fee.
    assert await door.standard(kind, "out_1", amount="9.50", effect_id=back, at=9) == "booked"
    again = await door.standard(kind, "out_1", amount="9.50", effect_id=back, at=9)

    assert again == "repeated"
    assert await door.available() == "-0.50"


async def test_parts_that_come_back_under_ids_of_their_own_are_no_more_than_was_paid(
    door: Door,
) -> None:
    kind = "withdrawal.returned"
    assert await door.standard(kind, "out_1", amount="6.00", effect_id="rt_1", at=9) == "waiting"
    await door.standard("withdrawal.paid", "out_1", amount="10.00")
    assert await door.available() == "-4.00"
    assert await door.standard(kind, "out_1", amount="6.00", effect_id="rt_2") == "quarantined"
    assert await door.standard(kind, "out_1", amount="4.00", effect_id="rt_3") == "booked"

    assert await door.available() == "0.00"


@pytest.mark.parametrize("reference", ["out-1", None])
async def test_a_part_that_comes_back_before_its_payout_is_told_of_waits_for_it(
    door: Door, reference: str | None
) -> None:
    if reference:
        await funded(door, amount="10.00")
    else:
        await door.standard("deposit.succeeded", "pay_0", amount="50.00", at=-100)
    told: dict[str, Any] = {"reference": reference, "amount": "9.50", "effect_id": "rt_1"}
    assert await door.standard("withdrawal.returned", **told, at=9) == "waiting"
    assert await door.standard("withdrawal.paid", reference=reference, amount="10.00") == "booked"

    assert await balances(door) == ("49.50", "0.00")
    assert await door.cases() == []


async def test_what_comes_back_of_a_reservation_and_is_no_part_of_it_is_for_people(
    door: Door,
) -> None:
    await funded(door, amount="10.00")
    for kind, amount in {"withdrawal.returned": "10.01", "withdrawal.failed": "9.50"}.items():
        state = await door.standard(kind, reference="out-1", amount=amount)
        assert state == "quarantined"

    assert await balances(door) == ("40.00", "10.00")


async def test_a_payout_comes_back_once_whatever_its_return_is_called(door: Door) -> None:
    await door.standard("withdrawal.paid", "out_1", amount="10.00", effect_id="po_1")
    kind = "withdrawal.returned"
    assert await door.standard(kind, "out_1", amount="9.50", at=9) == "booked"

    assert await door.standard(kind, "out_1", amount="10.00", effect_id="po_1") == "quarantined"
    assert await door.available() == "-0.50"


@pytest.mark.parametrize("failed", ["payout.failed", "payout.canceled"])
async def test_a_stripe_payout_that_failed_in_the_same_second_failed_after_it_was_paid(
    door: Door, failed: str
) -> None:
    await funded(door, endpoint="stripe")
    shown = payout(user_id="u_7", reference="out-1")
    await door.stripe("payout.created", shown)
    await door.stripe("payout.paid", shown)
    assert await balances(door) == ("30.00", "0.00")
    await door.stripe(failed, shown)

    assert await balances(door) == ("50.00", "0.00")


async def test_a_stripe_failure_that_overtakes_paid_ends_the_same(door: Door) -> None:
    await funded(door, endpoint="stripe")
    shown = payout(user_id="u_7", reference="out-1")
    await door.stripe("payout.failed", shown)
    await door.stripe("payout.paid", shown)

    assert await balances(door) == ("50.00", "0.00")


async def test_adyen_keeps_the_reservation_when_the_payout_is_only_accepted(door: Door) -> None:
    await funded(door, endpoint="adyen")
    await door.adyen(item("PAYOUT_THIRDPARTY", "PSP1", reference="out-1"))

    assert await balances(door) == ("30.00", "20.00")
    assert await door.payment_state("out-1") == "accepted"


@pytest.mark.parametrize(
    ("code", "success", "state"),
    [
        ("PAYOUT_DECLINE", "true", "failed"),
        ("PAYOUT_EXPIRE", "true", "failed"),
        ("PAIDOUT_REVERSED", "true", "returned"),
        ("PAYOUT_DECLINE", "false", "accepted"),
    ],
)
async def test_adyen_gives_the_reservation_back_when_the_payout_ends(
    door: Door, code: str, success: str, state: str
) -> None:
    await funded(door, endpoint="adyen")
    await door.adyen(item("PAYOUT_THIRDPARTY", "PSP1", reference="out-1"))
    await door.adyen(item(code, "PSP2", original="PSP1", reference="out-1", success=success))

    given = ("30.00", "20.00") if state == "accepted" else ("50.00", "0.00")
    assert await balances(door) == given
    assert await door.payment_state("out-1") == state


async def test_a_payout_that_adyen_rejects_gives_the_reservation_back(door: Door) -> None:
    await funded(door, endpoint="adyen")
    await door.adyen(item("PAYOUT_THIRDPARTY", "PSP1", reference="out-1", success="false"))

    assert await balances(door) == ("50.00", "0.00")
