"""A delivery whose payment never comes is a case by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from recon.clock import new_id
from recon.db import load
from recon.webhooks.inbox import refresh_case_gauges
from recon.webhooks.waiting import find_waiting

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.webhooks.conftest import Door

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
