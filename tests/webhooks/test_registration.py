"""A payment that is registered after its PSP has spoken of it ends as if it had come before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from recon.clock import now
from recon.ledger import InsufficientBalanceError, rules
from recon.ledger import post_one as post
from recon.money import Money
from tests.webhooks.conftest import item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.db import Pool
    from tests.webhooks.conftest import Door


async def balances(door: Door) -> tuple[str, str]:
    return await door.available(), await door.reserved()


async def fund(door: Door, amount: str = "100.00") -> None:
    await door.standard("deposit.succeeded", "pay_0", amount=amount, at=-100)


async def register_out(door: Door, *, amount: str = "30.00", user: str = "u_7") -> None:
    await door.register("wd1", direction="withdrawal", amount=amount, user=user)


async def say(
    door: Door, kind: str, *, at: int, amount: str = "30.00", user: str | None = "u_7"
) -> str:
    return await door.standard(kind, "po_1", amount=amount, user=user, reference="wd1", at=at)


async def test_a_withdrawal_paid_before_it_is_registered_is_debited_once(door: Door) -> None:
    await fund(door)
    assert await say(door, "withdrawal.paid", at=1) == "booked"
    assert await balances(door) == ("70.00", "0.00")

    await register_out(door)

    assert await balances(door) == ("70.00", "0.00")
    assert await door.payment_state("wd1") == "paid"
    assert await say(door, "withdrawal.paid", at=1) == "repeated"
    assert await balances(door) == ("70.00", "0.00")
    assert await door.cases() == []


async def test_what_was_reported_is_kept_with_the_time_at_which_it_came(door: Door) -> None:
    await fund(door)
    await say(door, "withdrawal.paid", at=1)
    received_at = (await door.last()).received_at
    await register_out(door)
    await door.register("order-1", direction="deposit")

    rows = await door.pool.fetch(
        "SELECT reference, payment_id, reported_at, hold_id FROM payments ORDER BY reference"
    )
    assert [tuple(row) for row in rows] == [
        ("order-1", None, None, None),
        ("wd1", "po_1", received_at, None),
    ]


async def test_money_that_has_left_needs_nothing_to_be_available_any_more(door: Door) -> None:
    await fund(door, "20.00")
    await say(door, "withdrawal.paid", at=1)
    await register_out(door)

    assert await balances(door) == ("-10.00", "0.00")
    assert await door.payment_state("wd1") == "paid"


async def test_the_same_registration_again_is_the_payment_as_it_is(door: Door) -> None:
    await fund(door)
    await say(door, "withdrawal.paid", at=1)
    await register_out(door)
    await register_out(door)

    assert await balances(door) == ("70.00", "0.00")
    assert await door.payment_state("wd1") == "paid"


STORIES: list[tuple[list[tuple[str, int]], str, tuple[str, str]]] = [
    ([("withdrawal.accepted", 1)], "accepted", ("70.00", "30.00")),
    ([("withdrawal.accepted", 1), ("withdrawal.paid", 2)], "paid", ("70.00", "0.00")),
    ([("withdrawal.failed", 1)], "failed", ("100.00", "0.00")),
    ([("withdrawal.returned", 1)], "returned", ("100.00", "0.00")),
    ([("withdrawal.accepted", 1), ("withdrawal.failed", 2)], "failed", ("100.00", "0.00")),
    ([("withdrawal.paid", 1), ("withdrawal.returned", 2)], "returned", ("100.00", "0.00")),
    ([("withdrawal.paid", 1), ("withdrawal.failed", 2)], "returned", ("100.00", "0.00")),
    ([("withdrawal.failed", 1), ("withdrawal.paid", 2)], "paid", ("70.00", "0.00")),
]


@pytest.mark.parametrize("user", ["u_7", None])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("forwards", [True, False])
@pytest.mark.parametrize(("story", "state", "ends_at"), STORIES)
async def test_wherever_the_registration_comes_in_a_withdrawal_ends_the_same(
    door: Door,
    story: list[tuple[str, int]],
    state: str,
    ends_at: tuple[str, str],
    place: int,
    user: str | None,
    *,
    forwards: bool,
) -> None:
    await fund(door)
    await _tell(door, story if forwards else story[::-1], place=place, user=user)

    assert await door.payment_state("wd1") == state
    assert await balances(door) == ends_at
    assert await door.cases() == []


async def _tell(
    door: Door, order: Sequence[tuple[str, int]], *, place: int, user: str | None
) -> None:
    for number, (kind, at) in enumerate(order):
        if number == place:
            await register_out(door)
        await say(door, kind, at=at, user=user)
    if place >= len(order):
        await register_out(door)


@pytest.mark.parametrize("user", ["u_7", None])
async def test_a_return_that_overtook_everything_is_given_back_once(
    door: Door, user: str | None
) -> None:
    await fund(door)
    await say(door, "withdrawal.returned", at=2, user=user)
    await say(door, "withdrawal.paid", at=1, user=user)
    await register_out(door)

    assert await balances(door) == ("100.00", "0.00")
    assert await door.payment_state("wd1") == "returned"


async def test_a_failure_that_waits_stays_where_the_registration_is_refused(door: Door) -> None:
    await fund(door, "20.00")
    assert await say(door, "withdrawal.failed", at=1) == "waiting"
    with pytest.raises(InsufficientBalanceError):
        await register_out(door)

    assert (await door.last()).state == "waiting"
    assert await balances(door) == ("20.00", "0.00")
    assert await door.pool.fetchval("SELECT count(*) FROM payments") == 0


async def test_a_payout_of_another_amount_left_no_reservation_and_is_for_people(door: Door) -> None:
    await fund(door)
    await say(door, "withdrawal.paid", at=1, amount="25.00")
    await register_out(door, amount="30.00")

    assert await balances(door) == ("75.00", "0.00")
    assert await door.payment_state("wd1") == "paid"
    (case,) = await door.cases()
    assert (case.kind, case.reference, str(case.amount)) == ("movement_conflict", "wd1", "25.00")
    assert case.reason == "it is booked, and registered with 30.00 GBP"


async def test_a_payout_to_another_player_does_not_pay_the_registered_one(door: Door) -> None:
    await fund(door)
    await say(door, "withdrawal.paid", at=1, user="u_8")
    await register_out(door, user="u_7")

    assert await door.available("u_8") == "-30.00"
    assert await balances(door) == ("70.00", "30.00")
    assert await door.payment_state("wd1") == "registered"
    (case,) = await door.cases()
    assert (case.kind, case.user_id) == ("movement_conflict", "u_8")
    assert case.reason == "it is booked, and registered for another player"


async def test_a_payout_in_suspense_with_another_amount_stays_and_the_money_is_reserved(
    door: Door,
) -> None:
    await fund(door)
    assert await say(door, "withdrawal.paid", at=1, amount="25.00", user=None) == "suspended"
    await register_out(door, amount="30.00")

    assert await balances(door) == ("70.00", "30.00")
    assert await door.suspense("~standard:po_1") == "-25.00"
    kept = await door.last()
    assert (kept.state, kept.user_id) == ("suspended", "u_7")
    assert kept.reason == "it is registered with 30.00 GBP"


async def test_a_deposit_booked_before_it_is_registered_has_succeeded(door: Door) -> None:
    assert await door.standard("deposit.succeeded", reference="order-1") == "booked"
    await door.register("order-1")

    assert await door.available() == "20.00"
    assert await door.payment_state("order-1") == "succeeded"


@pytest.mark.parametrize(("kind", "state"), [("pending", "pending"), ("failed", "failed")])
async def test_what_moved_nothing_is_known_of_the_payment_too(
    door: Door, kind: str, state: str
) -> None:
    assert await door.standard(f"deposit.{kind}", reference="order-1") == "ignored"
    await door.register("order-1")

    assert await door.payment_state("order-1") == state
    assert await door.wallet() is None


async def test_a_deposit_that_failed_after_all_is_registered_as_failed(door: Door) -> None:
    await door.standard("deposit.succeeded", reference="order-1", at=1)
    await door.standard("deposit.failed", reference="order-1", at=2)
    await door.register("order-1")

    assert await door.available() == "0.00"
    assert await door.payment_state("order-1") == "failed"


async def test_a_deposit_booked_to_another_player_is_for_people(door: Door) -> None:
    await door.standard("deposit.succeeded", reference="order-1", user="u_8")
    await door.register("order-1", user="u_7")

    assert (await door.available("u_7"), await door.available("u_8")) == ("0.00", "20.00")
    assert await door.payment_state("order-1") == "registered"
    assert [case.kind for case in await door.cases()] == ["movement_conflict"]


async def test_adyen_s_deposit_leaves_suspense_for_the_player_who_is_registered(door: Door) -> None:
    await door.adyen(item("AUTHORISATION", "PSP1", reference="order-1", value=2000))
    await door.adyen(item("REFUND", "PSP2", original="PSP1", reference="order-1", value=500))
    assert await door.suspense("~adyen:PSP1") == "20.00"
    await door.register("order-1", endpoint="adyen", user="u_9")

    assert await door.available("u_9") == "15.00"
    assert await door.suspense("~adyen:PSP1") == "0.00"
    assert [one.state for one in await door.inbox()] == ["booked", "booked"]
    assert await door.payment_state("order-1") == "succeeded"
    assert await door.cases() == []


async def test_adyen_s_capture_before_it_is_registered_is_not_booked_by_its_authorisation(
    door: Door,
) -> None:
    """A kept authorisation that announced money is not read as money by a registration."""
    await door.adyen(item("AUTHORISATION", "PSP1", reference="order-1", success="false"))
    await door.pool.execute("UPDATE deliveries SET kind = 'deposit.pending'")
    await door.register("order-1", endpoint="adyen", user="u_9")

    assert await door.available("u_9") == "0.00"
    assert await door.payment_state("order-1") == "pending"


async def test_adyen_s_refund_that_waits_for_nobody_known_is_booked(door: Door) -> None:
    await door.adyen(item("REFUND", "PSP2", original="PSP1", reference="order-1", value=500))
    assert (await door.last()).state == "waiting"
    await door.register("order-1", endpoint="adyen", user="u_9")

    assert await door.available("u_9") == "-5.00"
    assert (await door.last()).state == "booked"


async def test_the_same_reference_at_another_endpoint_is_another_payment(door: Door) -> None:
    await fund(door)
    await say(door, "withdrawal.paid", at=1)
    await door.register("wd1", endpoint="stripe", direction="withdrawal", amount="30.00")

    assert await balances(door) == ("40.00", "30.00")
    assert await door.payment_state("wd1") == "registered"


async def test_a_reference_of_hundreds_of_deliveries_is_no_payment(door: Door, owner: Pool) -> None:
    await door.pool.execute(
        """
        INSERT INTO deliveries (
            endpoint, event_id, delivery_id, provider, received_at, body_sha256, content_sha256,
            headers, verified_by, event_type, kind, payment_id, reference, state
        )
        SELECT
            'standard', 'msg_' || n, gen_random_uuid(), 'standard-webhooks', now(), '', '', '{}',
            'key:0:00000000', 'deposit.succeeded', 'deposit.succeeded', 'pay_' || n, 'order-1',
            'repeated'
        FROM generate_series(1, 501) AS n
        """
    )
    with pytest.raises(Exception, match="more than 500 deliveries") as refused:
        await door.register("order-1")

    assert getattr(refused.value, "code", None) == "reference_ambiguous"
    await owner.execute("DELETE FROM deliveries WHERE event_id = 'msg_1'")
    await door.register("order-1")
    assert await door.payment_state("order-1") == "registered"


@pytest.mark.parametrize("user", ["u_7", None])
async def test_a_registration_and_its_webhook_at_once_debit_once(
    door: Door, user: str | None
) -> None:
    await fund(door, "900.00")

    async def both(number: int) -> None:
        reference = f"wd{number}"
        await asyncio.gather(
            door.register(reference, direction="withdrawal", amount="30.00"),
            door.standard(
                "withdrawal.paid",
                f"po_{number}",
                amount="30.00",
                reference=reference,
                user=user,
                at=1,
            ),
        )

    await asyncio.gather(*(both(number) for number in range(16)))

    assert await balances(door) == ("420.00", "0.00")
    states = await door.pool.fetch("SELECT DISTINCT state FROM payments")
    assert [row["state"] for row in states] == ["paid"]
    assert {one.state for one in await door.inbox()} == {"booked"}


async def test_a_registration_waits_for_the_webhook_that_is_being_booked(door: Door) -> None:
    """The webhook's transaction is open, and its delivery not yet to be seen by another."""
    await fund(door)
    blocker = await door.pool.acquire()
    transaction = blocker.transaction()
    await transaction.start()
    entry = rules.fact_for_player(
        "u_7",
        Money.parse("1.00", "GBP"),
        kind="deposit.succeeded",
        source="test",
        key="t:deposit",
        event_at=now(),
    )
    await post(blocker, entry)
    paid = asyncio.create_task(say(door, "withdrawal.paid", at=1))
    await _until_locked(door, 1)
    registered = asyncio.create_task(register_out(door))
    await _until_locked(door, 2)
    await transaction.commit()
    await door.pool.release(blocker)

    assert await paid == "booked"
    await registered
    assert await balances(door) == ("71.00", "0.00")
    assert await door.payment_state("wd1") == "paid"


async def _until_locked(door: Door, sessions: int) -> None:
    async with asyncio.timeout(60):
        while (  # noqa: ASYNC110 - the database has no event for it
            await door.pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            < sessions
        ):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("named", ["\u200bx", "u\ud800", "u\u202e7", "u\u00a07"])
async def test_an_id_that_no_header_could_carry_names_nobody(door: Door, named: str) -> None:
    assert await door.standard("deposit.succeeded", user=named) == "suspended"

    assert await door.suspense("~standard:pay_1") == "20.00"
    assert await door.pool.fetchval("SELECT count(*) FROM wallets WHERE user_id !~ '^~'") == 0
    assert (await door.cases())[0].reason == "nobody is named and no payment is registered"
