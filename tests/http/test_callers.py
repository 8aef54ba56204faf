"""A caller is its name: its keys come and go, what it did stays its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.errors import Conflict, Invalid
from recon.http import Scope
from recon.http.authenticate import Keys
from recon.http.keys import create_key, list_keys, revoke_key
from recon.reconciliation import Cause
from tests.http.conftest import PAYMENT, bearer
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.http.conftest import Service


async def test_a_second_key_of_one_caller_does_not_approve_what_the_first_proposed(
    service: Service, pool: Pool
) -> None:
    case = await Cases(pool).seen("u_1", "20.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    old, new = await service.key("payouts"), await service.key("payouts")
    other = await service.key("treasury")

    async with service.client.post(
        f"/api/v1/discrepancies/{case}/adjustments",
        json={"amount": "20.00", "reason": "report"},
        headers=bearer(old, Idempotency_Key="1"),
    ) as answer:
        proposed = await answer.json()
    path = f"/api/v1/adjustments/{proposed['adjustment_id']}/approve"
    decided = []
    for key, intent in ((new, "2"), (other, "3")):
        async with service.client.post(
            path, json={}, headers=bearer(key, Idempotency_Key=intent)
        ) as answer:
            decided.append((answer.status, (await answer.json()).get("code")))

    assert proposed["proposed_by"] == "payouts"
    assert decided == [(403, "self_approval"), (200, None)]


async def test_a_rotated_key_repeats_the_intent_of_the_one_before(service: Service) -> None:
    old, new = await service.key("cashier"), await service.key("cashier")
    answers = []
    for key in (old, new):
        async with service.client.post(
            "/api/v1/payments", json=PAYMENT, headers=bearer(key, Idempotency_Key="intent-1")
        ) as answer:
            answers.append(
                (answer.status, answer.headers.get("Idempotency-Replayed"), await answer.text())
            )

    assert [answer[:2] for answer in answers] == [(201, None), (201, "true")]
    assert answers[0][2] == answers[1][2]


async def test_a_key_does_not_borrow_the_scopes_of_its_callers_others(service: Service) -> None:
    writer = await service.key("ops", Scope.WRITE_PAYMENT)
    reader = await service.key("ops", Scope.READ_PAYMENT)
    told = []
    for key in (writer, reader, writer):
        async with service.client.post(
            "/api/v1/payments", json=PAYMENT, headers=bearer(key, Idempotency_Key="k")
        ) as answer:
            told.append((answer.status, answer.headers.get("Idempotency-Replayed")))
        async with service.client.get("/api/v1/payments/ref-1", headers=bearer(key)) as answer:
            told.append((answer.status, None))

    assert told == [(201, None), (403, None), (403, None), (200, None), (201, "true"), (403, None)]


async def test_two_callers_with_one_idempotency_key_do_not_meet(service: Service) -> None:
    answers = []
    for name, reference in (("cashier", "ref-1"), ("kiosk", "ref-2")):
        async with service.client.post(
            "/api/v1/payments",
            json=PAYMENT | {"reference": reference},
            headers=bearer(await service.key(name), Idempotency_Key="intent-1"),
        ) as answer:
            answers.append((answer.status, (await answer.json())["reference"]))

    assert answers == [(201, "ref-1"), (201, "ref-2")]


async def test_a_caller_has_two_live_keys_of_the_same_scopes_at_most(pool: Pool) -> None:
    first = await create_key(pool, name="ops", scopes=[Scope.READ_BET], lifetime=None)
    await create_key(pool, name="ops", scopes=[Scope.READ_BET], lifetime=timedelta(days=1))

    with pytest.raises(Conflict, match=r"ops has two live keys .*; revoke one of them first"):
        await create_key(pool, name="ops", scopes=[Scope.READ_BET], lifetime=None)
    await create_key(pool, name="ops", scopes=[Scope.WRITE_BET], lifetime=None)
    await revoke_key(pool, first.key_id)
    third = await create_key(pool, name="ops", scopes=[Scope.READ_BET], lifetime=None)

    caller = await Keys(pool).authenticate(f"Bearer {third.key}")
    assert (caller.principal_id, caller.key_id) == ("ops", third.key_id)


async def test_an_expired_key_is_not_a_live_one(pool: Pool) -> None:
    for _ in range(2):
        await create_key(pool, name="ops", scopes=[Scope.READ_BET], lifetime=timedelta(days=1))
    await pool.execute("UPDATE api_keys SET expires_at = clock_timestamp() - interval '1 second'")

    await create_key(pool, name="ops", scopes=[Scope.READ_BET], lifetime=None)

    assert len(await list_keys(pool)) == 3


async def test_keys_made_at_the_same_moment_are_counted_too(pool: Pool) -> None:
    made = await asyncio.gather(
        *(create_key(pool, name="ops", scopes=[Scope.READ_BET], lifetime=None) for _ in range(6)),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in made) == ["Conflict"] * 4 + ["CreatedKey"] * 2


@pytest.mark.parametrize("name", ["", " ops", "a/b", "a\nb", "a\x00b", "\ud800", "n" * 129])
async def test_a_name_that_could_be_taken_for_another_is_refused(pool: Pool, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await create_key(pool, name=name, scopes=[Scope.READ_BET], lifetime=None)

    assert refused.value.code == "invalid_name"
    assert await list_keys(pool) == []
