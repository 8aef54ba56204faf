"""A payment that Adyen captures in parts: every capture is money of its own, and none vanishes."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from tests.webhooks.conftest import ENDPOINTS, Door, item

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def manual_capture() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENDPOINTS, "adyen", replace(ENDPOINTS["adyen"], manual_capture=True))
        yield


def authorised() -> dict[str, Any]:
    return item(psp_reference="PSP1")


def captured(capture: str, value: int = 1000) -> dict[str, Any]:
    return item("CAPTURE", capture, original="PSP1", value=value)


async def states(door: Door) -> list[str]:
    return [str(stored.state) for stored in reversed(await door.inbox())]


async def test_two_captures_of_one_amount_are_two_movements(door: Door) -> None:
    await door.register("order-1", endpoint="adyen", amount="20.00")
    for told in (authorised(), captured("C1"), captured("C2")):
        await door.adyen(told)

    assert await states(door) == ["ignored", "suspended", "suspended"]
    assert await door.suspense("~adyen:C1") == "10.00"
    assert await door.suspense("~adyen:C2") == "10.00"
    assert [(case.kind, str(case.amount), case.reason) for case in await door.cases()] == [
        ("suspended", "10.00", "it is registered with 20.00 GBP"),
        ("suspended", "10.00", "it is registered with 20.00 GBP"),
    ]


async def test_the_same_capture_told_twice_is_one(door: Door) -> None:
    await door.register("order-1", endpoint="adyen", amount="20.00")
    await door.adyen(captured("C1", 2000))
    await door.adyen(captured("C1", 2000))

    assert await door.available() == "20.00"
    assert await door.cases() == []


async def test_a_capture_beyond_what_is_registered_is_suspended(door: Door) -> None:
    await door.register("order-1", endpoint="adyen", amount="10.00")
    await door.adyen(captured("C1"))
    await door.adyen(captured("C2"))

    assert (await door.available(), await door.suspense("~adyen:C2")) == ("10.00", "10.00")
    (case,) = await door.cases()
    assert case.reason == "another capture of this payment is booked already"


async def test_captures_that_beat_the_registration_are_released_by_it_as_far_as_it_goes(
    door: Door,
) -> None:
    await door.adyen(captured("C1"))
    await door.adyen(captured("C2"))
    await door.register("order-1", endpoint="adyen", amount="10.00")

    assert await door.available() == "10.00"
    suspense = [await door.suspense(book) for book in ("~adyen:C1", "~adyen:C2")]
    assert sorted(suspense) == ["0.00", "10.00"]
    assert len(await door.cases()) == 1


@pytest.mark.parametrize("event", ["REFUND", "CHARGEBACK"])
async def test_what_is_taken_back_finds_the_captured_payment(door: Door, event: str) -> None:
    await door.register("order-1", endpoint="adyen", amount="20.00")
    await door.adyen(captured("C1", 2000))
    await door.adyen(item(event, "R1", original="PSP1", value=500))

    assert await door.available() == "15.00"


@pytest.mark.parametrize("event", ["REFUND", "CHARGEBACK"])
async def test_what_is_taken_back_of_captures_in_suspense_is_suspended(
    door: Door, event: str
) -> None:
    await door.register("order-1", endpoint="adyen", amount="10.00")
    for told in (captured("C1"), captured("C2")):
        await door.adyen(told)
    await door.adyen(item(event, "R1", original="PSP1", value=1000))

    # It may be of either capture: the player keeps his until somebody says which.
    assert (await door.available(), await door.suspense("~adyen:R1")) == ("10.00", "-10.00")
    assert sorted(case.reason for case in await door.cases()) == [
        "another capture of this payment is booked already",
        "its deposit is in suspense",
    ]


@pytest.mark.parametrize("failure", ["C1", "F1"])
async def test_a_capture_that_failed_is_undone_and_the_next_one_counts(
    door: Door, failure: str
) -> None:
    await door.register("order-1", endpoint="adyen", amount="20.00")
    await door.adyen(captured("C1", 2000))
    await door.adyen(item("CAPTURE_FAILED", failure, original="PSP1"))
    assert (await door.available(), await door.payment_state("order-1")) == ("0.00", "failed")

    await door.adyen(captured("C2", 2000))
    assert (await door.available(), await door.payment_state("order-1")) == ("20.00", "succeeded")
    assert await door.cases() == []

    await door.adyen(item("REFUND", "R1", original="PSP1", value=500))
    assert await door.available() == "15.00"


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_captures_and_failures_in_any_order_leave_what_was_not_undone(
    door: Door, order: tuple[int, ...]
) -> None:
    story = [captured("C1"), captured("C2"), item("CAPTURE_FAILED", "C1", original="PSP1")]
    story[2]["amount"]["value"] = 1000
    for place in order:
        await door.adyen(story[place])

    # A failure that beats its capture undoes the other one of that amount, which is the same money.
    suspense = [await door.suspense(book) for book in ("~adyen:C1", "~adyen:C2")]
    assert sorted(suspense) == ["0.00", "10.00"]


async def test_where_capture_is_automatic_a_partial_capture_is_a_conflict_and_not_more_money(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENDPOINTS, "adyen", replace(ENDPOINTS["adyen"], manual_capture=False))
    await door.register("order-1", endpoint="adyen", amount="20.00")
    await door.adyen(authorised())
    await door.adyen(captured("C1"))

    assert (await door.available(), await states(door)) == ("20.00", ["booked", "quarantined"])
    assert [case.kind for case in await door.cases()] == ["movement_conflict"]
