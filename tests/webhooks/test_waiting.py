"""A delivery whose payment never comes is a case by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from recon.clock import new_id, now
from recon.db import load
from recon.webhooks import receive, verify_call
from recon.webhooks.inbox import refresh_case_gauges
from recon.webhooks.queries import find_sleepers
from recon.webhooks.waiting import find_waiting
from tests.webhooks.conftest import ENDPOINTS, adyen_body, item

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.webhooks.conftest import Door

EARLIER = "2025-12-31T12:00:00Z"
HOUR = timedelta(hours=1)


async def waits(door: Door, owner: Pool, refund: str, *, ago: timedelta) -> None:
    kind = "deposit.refunded"
    state = await door.standard(kind, "pay_1", amount="5.00", effect_id=refund, user=None)
    assert state == "waiting"
    stored = await door.last()
    await owner.execute(
        "UPDATE deliveries SET received_at = received_at - $2::interval WHERE delivery_id = $1",
        stored.delivery_id,
        ago,
    )


async def test_what_waits_for_an_hour_is_a_case_once_for_ever(door: Door, owner: Pool) -> None:
    await waits(door, owner, "re_old", ago=timedelta(minutes=61))
    old = await door.last()
    await waits(door, owner, "re_new", ago=timedelta(minutes=59))

    assert [await find_waiting(door.pool, HOUR) for _ in range(2)] == [1, 0]
    (case,) = await door.cases()
    assert (case.kind, case.delivery_id, str(case.amount)) == (
        "waiting_too_long",
        old.delivery_id,
        "5.00",
    )
    assert case.reason.startswith("deposit.refunded of pay_1 waits since 20")
    assert case.reason.endswith(": its deposit is not known yet")

    await door.pool.execute("UPDATE cases SET state = 'closed', closed_at = clock_timestamp()")
    assert await find_waiting(door.pool, HOUR) == 0


async def test_the_case_closes_when_the_delivery_finds_its_place(door: Door, owner: Pool) -> None:
    await waits(door, owner, "re_1", ago=timedelta(hours=2))
    assert await find_waiting(door.pool, HOUR) == 1

    await door.standard("deposit.succeeded", "pay_1", amount="20.00")

    assert (await door.available(), await door.cases()) == ("15.00", [])
    (closed,) = await door.cases("closed")
    assert closed.kind == "waiting_too_long"


async def test_the_case_gives_way_to_that_of_suspense(door: Door, owner: Pool) -> None:
    await waits(door, owner, "re_1", ago=timedelta(hours=2))
    assert await find_waiting(door.pool, HOUR) == 1

    await door.standard("deposit.succeeded", "pay_1", amount="20.00", user=None)

    assert [case.kind for case in await door.cases()] == ["suspended", "suspended"]


async def test_more_than_one_commit_takes_are_all_found(door: Door, owner: Pool) -> None:
    await waits(door, owner, "re_1", ago=timedelta(hours=2))
    await owner.execute(
        """
        INSERT INTO deliveries (
            endpoint, event_id, delivery_id, provider, received_at, body_sha256, content_sha256,
            headers, verified_by, event_type, state
        )
        SELECT endpoint, 'evt_' || n, gen_random_uuid(), provider, received_at, body_sha256,
            content_sha256, headers, verified_by, event_type, state
        FROM deliveries, generate_series(1, 1100) AS n
        """
    )
    assert [await find_waiting(door.pool, HOUR) for _ in range(2)] == [1101, 0]


async def test_the_gauge_and_the_list_of_cases_tell_of_it(
    door: Door, owner: Pool, admin: dict[str, str]
) -> None:
    await waits(door, owner, "re_1", ago=timedelta(hours=2))
    await find_waiting(door.pool, HOUR)

    await refresh_case_gauges(door.pool)
    assert REGISTRY.get_sample_value("recon_cases_open", {"kind": "waiting_too_long"}) == 1
    answer = await door.client.get("/api/v1/cases?kind=waiting_too_long", headers=admin)
    assert [case["kind"] for case in (await answer.json())["items"]] == ["waiting_too_long"]


async def test_what_was_found_is_not_read_again(door: Door, owner: Pool) -> None:
    await waits(door, owner, "re_1", ago=timedelta(hours=2))
    assert await find_waiting(door.pool, HOUR) == 1

    async with owner.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN "
            + load("recon.webhooks", "open_waiting")
            .replace("$1", f"'{{{new_id()}}}'")
            .replace("$2", "'1 hour'")
        )
    assert "deliveries_waiting_idx" in "\n".join(row[0] for row in plan)


async def test_however_many_wait_for_a_payment_a_bounded_number_is_read_at_once(
    door: Door,
) -> None:
    await door.register("order-1", endpoint="adyen")
    refunds = [
        item("REFUND", f"R{number}", original="PSP1", reference=f"refund-{number}", value=1)
        for number in range(210)
    ]
    await receive(door.pool, verify_call(ENDPOINTS["adyen"], {}, adyen_body(*refunds), now()))
    states = "SELECT state, count(*) FROM deliveries WHERE event_type = 'REFUND' GROUP BY state"
    assert dict(await door.pool.fetch(states)) == {"waiting": 210}

    await door.adyen(item(psp_reference="PSP1"))
    assert dict(await door.pool.fetch(states)) == {"booked": 200, "waiting": 10}

    await door.adyen(item("CHARGEBACK", "CB1", original="PSP1", value=1))
    assert dict(await door.pool.fetch(states)) == {"booked": 210}
    assert await door.available() == "17.89"


async def test_attempts_that_failed_crowd_out_no_money(door: Door) -> None:
    refunds = [item("REFUND", "R1", original="PSP1", reference="refund-1", value=100)]
    failed = [
        item("CAPTURE_FAILED", f"F{number}", original="PSP1", reference="x", at=EARLIER)
        for number in range(210)
    ]
    body = adyen_body(*failed, *refunds)
    await receive(door.pool, verify_call(ENDPOINTS["adyen"], {}, body, now()))

    async with door.pool.acquire() as connection:
        sleepers = await find_sleepers(connection, [("adyen", "PSP1")])

    assert len(sleepers) == 200
    assert [one.event_type for one in sleepers if one.state == "waiting"] == ["REFUND"]
