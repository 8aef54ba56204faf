"""A registered payment of which nobody was heard in time is a case by itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from recon.clock import new_id, now
from recon.db import POOL, Pool
from recon.db.embedded import SERVICE_USER
from recon.http.keys import Scope, create_key
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from recon.http.request_ids import request_id_middleware
from recon.ledger import verify_books
from recon.money import Money
from recon.payments import Direction, ExpectedPayment, Overdue, find_overdue
from recon.payments.handlers import routes as payment_routes
from recon.webhooks import Delivery, Event, Kind, receive, register_payment
from recon.webhooks.close_case import close_case
from recon.webhooks.handlers import routes as webhook_routes
from recon.webhooks.inbox import CaseRow, list_cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HALF_AN_HOUR = timedelta(minutes=30)
RULES = Overdue(
    unreported=HALF_AN_HOUR,
    unpaid=timedelta(days=3),
    abandoned=timedelta(days=7),
    silent=["adyen"],
)


@pytest.fixture(autouse=True)
async def may_make_older(owner: Pool) -> None:
    """When a payment was registered is not the service's to change; here it has to."""
    await owner.execute(f"GRANT UPDATE (registered_at) ON payments TO {SERVICE_USER}")


async def register(
    owner: Pool,
    reference: str,
    *,
    direction: str = "deposit",
    endpoint: str = "standard",
    ago: timedelta = timedelta(),
) -> None:
    """Register a payment some time ago, which only the owner of the database can do."""
    expected = ExpectedPayment(reference, endpoint, Direction(direction), "u_7", "20.00", "GBP")
    await register_payment(owner, expected)
    await owner.execute(
        "UPDATE payments SET registered_at = registered_at - $2::interval WHERE reference = $1",
        reference,
        ago,
    )


async def report(pool: Pool, kind: Kind, reference: str, **more: Any) -> str:  # noqa: ANN401 - fields of an event
    """Let the PSP say something of a payment; the state of what it said."""
    event = Event(
        **{
            "endpoint": "standard",
            "provider": "standard-webhooks",
            "event_id": f"msg_{new_id().hex}",
            "event_type": str(kind),
            "kind": kind,
            "payment_id": f"pay_{reference}",
            "reference": reference,
            "user_id": "u_7",
            "amount": Money.parse("20.00", "GBP"),
            "event_at": now(),
            **more,
        }
    )
    delivery = Delivery(
        delivery_id=new_id(),
        endpoint=event.endpoint,
        provider=event.provider,
        received_at=now(),
        body=b"{}",
        content_sha256=bytes(32),
        headers={},
        verified_by="key:0:00000000",
        event=event,
    )
    (outcome,) = await receive(pool, [delivery])
    return str(outcome.state)


async def cases(pool: Pool, state: str | None = "open") -> list[CaseRow]:
    async with pool.acquire() as connection:
        found = await list_cases(connection, state=state)
    return found[::-1]


async def fund(pool: Pool) -> None:
    assert await report(pool, Kind.DEPOSIT_SUCCEEDED, "funds") == "booked"


async def test_a_payment_of_which_nobody_was_heard_in_time_is_a_case(
    pool: Pool, owner: Pool
) -> None:
    await fund(pool)
    await register(owner, "d-new", ago=timedelta(minutes=29))
    await register(owner, "d-old", ago=timedelta(minutes=31))
    await register(owner, "w-old", direction="withdrawal", ago=timedelta(hours=2))

    assert await find_overdue(pool, RULES) == 2
    withdrawal, deposit = await cases(pool)
    assert (withdrawal.kind, withdrawal.reference) == ("payment_overdue", "w-old")
    assert (deposit.reference, deposit.endpoint, deposit.user_id, str(deposit.amount)) == (
        "d-old",
        "standard",
        "u_7",
        "20.00",
    )
    assert deposit.reason.startswith("a deposit registered at 20")


async def test_a_payment_is_found_once_for_ever(pool: Pool, owner: Pool) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    assert await find_overdue(pool, RULES) == 1
    assert await find_overdue(pool, RULES) == 0
    (case,) = await cases(pool)
    await pool.execute("UPDATE cases SET state = 'closed' WHERE case_id = $1", case.case_id)
    assert await find_overdue(pool, RULES) == 0


async def test_workers_at_once_open_one_case_each_payment(pool: Pool, owner: Pool) -> None:
    for number in range(40):
        await register(owner, f"d-{number}", ago=timedelta(hours=1))
    found = await asyncio.gather(*(find_overdue(pool, RULES) for _ in range(5)))

    assert sum(found) == 40
    assert len({case.reference for case in await cases(pool)}) == 40


async def test_more_than_fit_a_commit_are_found_at_once(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount, state, "
        "registered_at) SELECT 'd-' || n, 'standard', 'deposit', 'u_7', 'GBP', 100, 'registered', "
        "now() - interval '1 day' - n * interval '1 second' FROM generate_series(1, 1201) AS n"
    )
    assert await find_overdue(pool, RULES) == 1201
    assert await pool.fetchval("SELECT count(DISTINCT reference) FROM cases") == 1201
    # Newest first in the list is newest first by when it was registered.
    oldest = await pool.fetchval("SELECT reference FROM cases ORDER BY case_id LIMIT 1")
    assert oldest == "d-1201"


@pytest.mark.parametrize(
    "kind", [Kind.DEPOSIT_SUCCEEDED, Kind.DEPOSIT_PENDING, Kind.DEPOSIT_FAILED]
)
async def test_a_late_report_closes_the_case_in_its_own_commit(
    pool: Pool, owner: Pool, kind: Kind
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    await find_overdue(pool, RULES)
    await report(pool, kind, "d-1")

    assert await cases(pool) == []
    (closed,) = await cases(pool, "closed")
    assert closed.closed_by == "psp:standard"
    assert closed.closed_reason is not None
    assert closed.closed_reason.startswith("it was reported after all: ")
    assert closed.closed_at is not None


async def test_a_report_that_is_not_committed_closes_nothing(pool: Pool, owner: Pool) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    await find_overdue(pool, RULES)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE payments SET state = 'succeeded'")
        assert await connection.fetchval("SELECT state FROM cases") == "closed"
        await transaction.rollback()
    assert len(await cases(pool)) == 1


async def test_a_report_in_suspense_is_a_case_already(pool: Pool, owner: Pool) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    other = Money.parse("25.00", "GBP")
    assert await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1", amount=other) == "suspended"

    assert await find_overdue(pool, RULES) == 0
    assert [case.kind for case in await cases(pool)] == ["suspended"]


async def test_when_the_case_of_its_report_closes_the_payment_is_looked_at_again(
    pool: Pool,
    owner: Pool,
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    other = Money.parse("25.00", "GBP")
    assert await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1", amount=other) == "suspended"
    assert await find_overdue(pool, RULES) == 0
    (suspended,) = await cases(pool)

    await close_case(pool, suspended.case_id, "not this payment", actor="ana")
    assert [await find_overdue(pool, RULES) for _ in range(2)] == [1, 0]
    (overdue,) = await cases(pool)
    assert (overdue.kind, overdue.reference) == ("payment_overdue", "d-1")

    await close_case(pool, overdue.case_id, "dealt with", actor="ana")
    assert await find_overdue(pool, RULES) == 0


async def test_a_payment_with_an_overdue_case_never_gets_another(pool: Pool, owner: Pool) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    assert await find_overdue(pool, RULES) == 1
    other = Money.parse("25.00", "GBP")
    assert await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1", amount=other) == "suspended"
    for case in await cases(pool):
        await close_case(pool, case.case_id, "dealt with", actor="ana")

    assert await find_overdue(pool, RULES) == 0


async def test_a_payment_whose_report_has_a_case_is_not_read_again_and_again(
    pool: Pool, owner: Pool
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    other = Money.parse("25.00", "GBP")
    assert await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1", amount=other) == "suspended"
    assert await find_overdue(pool, RULES) == 0

    looked_at = "SELECT count(*) FROM payments WHERE state = 'registered' AND overdue_at IS NULL"
    assert await pool.fetchval(looked_at) == 0


async def test_a_case_that_closes_while_payments_are_looked_at_hides_none(
    pool: Pool, owner: Pool
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    other = Money.parse("25.00", "GBP")
    await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1", amount=other)
    (suspended,) = await cases(pool)

    await asyncio.gather(
        *(find_overdue(pool, RULES) for _ in range(5)),
        close_case(pool, suspended.case_id, "not this payment", actor="ana"),
        *(find_overdue(pool, RULES) for _ in range(5)),
    )
    await find_overdue(pool, RULES)
    assert [case.kind for case in await cases(pool)] == ["payment_overdue"]


async def test_a_withdrawal_that_stays_unpaid_for_days_is_a_case(pool: Pool, owner: Pool) -> None:
    await fund(pool)
    await register(owner, "w-1", direction="withdrawal", ago=timedelta(hours=1))
    await find_overdue(pool, RULES)
    await report(pool, Kind.WITHDRAWAL_ACCEPTED, "w-1")
    assert await cases(pool) == []
    assert await find_overdue(pool, RULES) == 0

    await pool.execute("UPDATE payments SET reported_at = reported_at - interval '73 hours'")
    assert await find_overdue(pool, RULES) == 1
    assert await find_overdue(pool, RULES) == 0
    (case,) = await cases(pool)
    assert (case.kind, case.reference) == ("withdrawal_overdue", "w-1")
    assert "accepted since 20" in case.reason
    await report(pool, Kind.WITHDRAWAL_ACCEPTED, "w-1")
    assert len(await cases(pool)) == 1

    await report(pool, Kind.WITHDRAWAL_PAID, "w-1")
    assert await cases(pool) == []
    assert (await verify_books(pool)).ok


async def test_a_withdrawal_is_not_late_where_the_psp_never_says_that_one_is_paid(
    pool: Pool,
    owner: Pool,
) -> None:
    await fund(pool)
    await register(owner, "w-1", direction="withdrawal", endpoint="adyen")
    await report(pool, Kind.WITHDRAWAL_ACCEPTED, "w-1", endpoint="adyen", provider="adyen")
    await pool.execute("UPDATE payments SET reported_at = reported_at - interval '73 hours'")

    assert await find_overdue(pool, RULES) == 0
    assert await cases(pool) == []


async def test_a_deposit_that_was_abandoned_is_closed_quietly_and_a_withdrawal_is_not(
    pool: Pool,
    owner: Pool,
) -> None:
    await fund(pool)
    await register(owner, "d-1", ago=timedelta(days=8))
    await register(owner, "w-1", direction="withdrawal", ago=timedelta(days=8))
    await find_overdue(pool, RULES)
    assert len(await cases(pool)) == 2
    await pool.execute("UPDATE cases SET opened_at = opened_at - interval '7 days 1 minute'")
    await find_overdue(pool, RULES)

    (withdrawal,) = await cases(pool)
    assert withdrawal.reference == "w-1"
    (deposit,) = await cases(pool, "closed")
    assert (deposit.reference, deposit.closed_by) == ("d-1", "schedule")
    assert await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1") == "booked"


async def test_each_rule_can_be_turned_off(pool: Pool, owner: Pool) -> None:
    await register(owner, "d-1", ago=timedelta(days=8))
    off = Overdue(unreported=None, unpaid=None, abandoned=None)
    assert await find_overdue(pool, off) == 0
    assert await cases(pool) == []


async def test_looking_reads_an_index_however_many_were_abandoned(pool: Pool) -> None:
    """What was found once has left the index, so it costs nothing for ever after."""
    await pool.execute(
        "INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount, state, "
        "registered_at, overdue_at) SELECT 'd-' || n, 'standard', 'deposit', 'u_7', 'GBP', 100, "
        "'registered', now() - interval '1 day', now() FROM generate_series(1, 20000) AS n"
    )
    await pool.execute("ANALYZE payments")
    plan = "\n".join(
        row[0]
        for row in await pool.fetch(
            "EXPLAIN SELECT reference FROM payments WHERE state = 'registered' "
            "AND overdue_at IS NULL AND registered_at < clock_timestamp() - interval '30 m' "
            "ORDER BY registered_at LIMIT 500"
        )
    )
    assert "payments_unreported_idx" in plan
    assert await pool.fetchval("SELECT pg_relation_size('payments_unreported_idx')") <= 8192


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """The internal API, for somebody who may read payments and cases and write."""
    app = web.Application(middlewares=[request_id_middleware, problem_middleware])
    app[POOL] = pool
    app[LIMITER] = RateLimiter(10_000, 60)
    app[FAILURES] = RateLimiter(10_000, 60)
    app.add_routes(payment_routes)
    app.add_routes(webhook_routes)
    key = await create_key(
        pool,
        name="finance",
        scopes=[Scope.READ_PAYMENT, Scope.READ_DISCREPANCY, Scope.WRITE_DISCREPANCY],
        lifetime=None,
    )
    server = TestServer(app, auto_decompress=False)
    headers = {"Authorization": f"Bearer {key.key}"}
    async with TestClient(server, headers=headers) as made:
        yield made


async def close(
    client: TestClient[web.Request, web.Application],
    case_id: object,
    body: dict[str, object],
    *,
    key: str | None = None,
) -> tuple[int, dict[str, Any]]:
    response = await client.post(
        f"/api/v1/cases/{case_id}/close",
        json=body,
        headers={"Idempotency-Key": key or new_id().hex},
    )
    return response.status, await response.json(content_type=None)


async def test_a_payment_says_that_it_is_overdue_while_it_is(
    pool: Pool, owner: Pool, client: TestClient[web.Request, web.Application]
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    assert (await (await client.get("/api/v1/payments/d-1")).json())["overdue"] is None
    await find_overdue(pool, RULES)
    (case,) = await cases(pool)
    shown = (await (await client.get("/api/v1/payments/d-1")).json())["overdue"]
    assert (shown["case_id"], shown["kind"]) == (str(case.case_id), "payment_overdue")
    await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1")
    assert (await (await client.get("/api/v1/payments/d-1")).json())["overdue"] is None


async def test_cases_are_listed_by_kind(
    pool: Pool, owner: Pool, client: TestClient[web.Request, web.Application]
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    await find_overdue(pool, RULES)
    for kind, references in (("payment_overdue", ["d-1"]), ("suspended", [])):
        page = await (await client.get(f"/api/v1/cases?state=open&kind={kind}")).json()
        assert [one["reference"] for one in page["items"]] == references


async def test_a_person_closes_a_case_with_a_reason_which_the_audit_keeps(
    pool: Pool, owner: Pool, client: TestClient[web.Request, web.Application]
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    await find_overdue(pool, RULES)
    (case,) = await cases(pool)
    key = new_id().hex
    status, closed = await close(client, case.case_id, {"reason": "the player rang"}, key=key)
    again = await close(client, case.case_id, {"reason": "the player rang"}, key=key)

    assert (status, closed["state"], closed["closed_reason"]) == (200, "closed", "the player rang")
    assert again == (status, closed)
    audit = await pool.fetchrow("SELECT * FROM audit WHERE action = 'case.closed'")
    assert audit is not None
    assert (audit["actor"], audit["object"]) == (closed["closed_by"], f"case:{case.case_id}")
    assert audit["detail"] == {
        "kind": "payment_overdue",
        "reference": "d-1",
        "reason": "the player rang",
    }
    assert await report(pool, Kind.DEPOSIT_SUCCEEDED, "d-1") == "booked"
    assert [one.closed_reason for one in await cases(pool, "closed")] == ["the player rang"]


@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"reason": ""}, 400), ({"reason": "x" * 4001}, 400)]
)
async def test_a_case_is_not_closed_without_a_reason(
    pool: Pool,
    owner: Pool,
    client: TestClient[web.Request, web.Application],
    body: dict[str, object],
    status: int,
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    await find_overdue(pool, RULES)
    (case,) = await cases(pool)
    assert (await close(client, case.case_id, body))[0] == status
    assert len(await cases(pool)) == 1


async def test_only_an_open_case_that_exists_is_closed(
    pool: Pool, owner: Pool, client: TestClient[web.Request, web.Application]
) -> None:
    await register(owner, "d-1", ago=timedelta(hours=1))
    await find_overdue(pool, RULES)
    (case,) = await cases(pool)
    answers = await asyncio.gather(
        *(close(client, case.case_id, {"reason": f"number {n}"}) for n in range(4))
    )
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409]
    assert {body["code"] for status, body in answers if status == 409} == {"case_closed"}
    assert await pool.fetchval("SELECT count(*) FROM audit WHERE action = 'case.closed'") == 1

    assert (await close(client, new_id(), {"reason": "x"}))[0] == 404
    assert (await close(client, "none", {"reason": "x"}))[0] == 400
