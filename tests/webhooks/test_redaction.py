"""Payloads go when their time is over; what is not settled keeps them, hashes stay for ever."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.clock import now
from recon.webhooks import replay_delivery
from recon.webhooks.close_case import close_case
from recon.webhooks.errors import PayloadRedactedError
from recon.webhooks.redact import Retention, redact_payloads
from tests.webhooks.conftest import ENDPOINTS, item, standard_headers

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.webhooks.conftest import Door

DAYS = timedelta(days=1)
KEEP = Retention(400 * DAYS, None)


async def redact(
    door: Door, *, after: timedelta = 401 * DAYS, retention: Retention = KEEP, at_once: int = 500
) -> int:
    """What a run takes so long after now."""
    return await redact_payloads(door.pool, retention, now=now() + after, at_once=at_once)


async def kept(door: Door) -> dict[str, bool]:
    """By event id, whether the payload is there; the hash must be in any case."""
    rows = await door.pool.fetch("SELECT event_id, body, body_sha256 FROM deliveries")
    for row in rows:
        assert len(row["body_sha256"]) == 32
        if row["body"] is not None:
            assert row["body_sha256"] == hashlib.sha256(row["body"]).digest()
    return {row["event_id"]: row["body"] is not None for row in rows}


async def test_a_payload_goes_when_its_time_is_over_and_not_before(door: Door) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1")
    hashed = (await door.last()).body_sha256

    assert await redact(door, after=399 * DAYS) == 0
    assert await kept(door) == {"msg_1": True}
    assert await redact(door) == 1
    assert await kept(door) == {"msg_1": False}
    assert await redact(door) == 0
    stored = await door.last()
    assert (stored.body_sha256, str(stored.amount), stored.user_id) == (hashed, "20.00", "u_7")
    assert await door.available() == "20.00"


async def test_off_keeps_every_payload(door: Door) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1")

    assert await redact(door, after=4000 * DAYS, retention=Retention(None, None)) == 0
    assert await kept(door) == {"msg_1": True}


async def test_what_is_not_settled_stays_replayable_and_goes_once_it_is(door: Door) -> None:
    await door.standard("deposit.refunded", "pay_1", user=None, event_id="waits")
    await door.adyen(item(psp_reference="PSP1"))
    suspended = await door.last()
    broken = b'{"type":"deposit.succeeded","timestamp":NaN}'
    await door.post("standard", broken, standard_headers(broken, "unusable"))
    quarantined = await door.last()
    await door.standard("deposit.succeeded", "pay_2", event_id="booked")
    in_suspense = suspended.event_id

    assert await redact(door) == 1
    assert await kept(door) == {
        "waits": True,
        in_suspense: True,
        "unusable": True,
        "booked": False,
    }
    await door.standard("deposit.succeeded", "pay_1", event_id="late")
    await door.register("order-1", endpoint="adyen", user="u_9")
    (case,) = await door.cases()
    assert case.delivery_id == quarantined.delivery_id
    await close_case(door.pool, case.case_id, "a broken test of the PSP's", actor="cli")

    # "late" goes by its age, the others because nobody has to deal with them any more.
    assert await redact(door) == 4
    assert not any((await kept(door)).values())
    assert await door.available("u_9") == "20.00"
    assert await door.pool.fetchval("SELECT count(*) FROM redaction_left") == 0


async def test_what_is_not_settled_goes_after_a_time_of_its_own_if_one_is_set(door: Door) -> None:
    await door.adyen(item(psp_reference="PSP1"))
    both = Retention(400 * DAYS, 900 * DAYS)

    assert await redact(door, retention=both) == 0
    assert await redact(door, after=901 * DAYS, retention=both) == 1
    assert list((await kept(door)).values()) == [False]


async def test_other_bytes_go_with_their_case_and_their_row_stays_as_it_is(door: Door) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1")
    await door.standard("deposit.succeeded", event_id="msg_1")
    await door.standard("deposit.succeeded", event_id="msg_1", amount="99.00")
    before = await door.pool.fetch("SELECT * FROM delivery_repeats ORDER BY repeat_id")

    assert await redact(door) == 0, "a person has to compare them"
    (case,) = await door.cases()
    await close_case(door.pool, case.case_id, "the PSP says it was a test", actor="cli")
    assert await redact(door) == 2
    after = await door.pool.fetch("SELECT * FROM delivery_repeats ORDER BY repeat_id")
    assert [row["body"] for row in after] == [None, None]
    assert [dict(row) | {"body": None} for row in before] == [dict(row) for row in after]


async def test_a_run_takes_a_bounded_number_at_a_time_and_goes_on_where_it_was(
    door: Door,
) -> None:
    for number in range(7):
        await door.standard("deposit.succeeded", f"pay_{number}", event_id=f"msg_{number}")
    await door.adyen(item(psp_reference="PSP1"))

    assert await redact(door, at_once=2) == 7
    until: UUID = await door.pool.fetchval("SELECT done_until FROM redaction")
    assert until == (await door.last()).delivery_id
    await door.standard("deposit.succeeded", "pay_8")
    assert await redact(door, at_once=2) == 1
    plan = await door.pool.fetch(
        "EXPLAIN SELECT FROM deliveries WHERE delivery_id > $1 ORDER BY delivery_id LIMIT 2", until
    )
    assert "deliveries_delivery_id_idx" in str(plan)


async def test_two_runs_at_once_take_each_payload_once(door: Door) -> None:
    for number in range(20):
        await door.standard("deposit.succeeded", f"pay_{number}")

    taken = await asyncio.gather(*(redact(door, at_once=3) for _ in range(4)))

    assert sum(taken) == 20
    assert not any((await kept(door)).values())


async def test_a_replay_without_its_bytes_is_409_and_says_why(
    door: Door, admin: dict[str, str]
) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1")
    await redact(door)
    stored = await door.last()

    with pytest.raises(PayloadRedactedError):
        await replay_delivery(door.pool, ENDPOINTS, stored.delivery_id)
    path = f"/api/v1/webhooks/{stored.delivery_id}"
    answer = await door.client.post(
        f"{path}/replay", headers={**admin, "Idempotency-Key": "again-1"}
    )
    problem = await answer.json(content_type=None)
    assert (answer.status, problem["code"]) == (409, "payload_redacted")
    shown = await (await door.client.get(path, headers=admin)).json()
    assert (shown["redacted"], shown["body"], shown["amount"]) == (True, None, "20.00")


async def test_a_repeat_of_a_redacted_delivery_is_a_repeat_and_other_bytes_an_alarm(
    door: Door,
) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1")
    await redact(door)

    assert await door.standard("deposit.succeeded", event_id="msg_1") == "repeated"
    assert await door.standard("deposit.succeeded", event_id="msg_1", amount="9.00") == (
        "quarantined"
    )
    assert await door.available() == "20.00"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deliveries SET body = 'forged'",
        "UPDATE deliveries SET body = body || 'more'",
        "UPDATE delivery_repeats SET body = 'forged'",
        "UPDATE delivery_repeats SET body = NULL, same_bytes = true",
        "DELETE FROM delivery_repeats",
    ],
)
async def test_a_payload_may_go_and_nothing_may_take_its_place(
    door: Door, owner: Pool, statement: str
) -> None:
    await door.standard("deposit.succeeded", event_id="msg_1")
    await door.standard("deposit.succeeded", event_id="msg_1", amount="99.00")

    with pytest.raises(asyncpg.RestrictViolationError):
        await owner.execute(statement)
