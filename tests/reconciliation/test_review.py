"""Working on a discrepancy: assigned, spoken of, ignored; all of it on record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.clock import new_id, now
from recon.errors import Invalid, NotFound
from recon.reconciliation import Cause, Severity, Status, list_runs, read_run, reopen_expired
from recon.reconciliation.assign import assign
from recon.reconciliation.comment import comment
from recon.reconciliation.decide import approve
from recon.reconciliation.errors import AdjustmentProposedError, DiscrepancyClosedError
from recon.reconciliation.history import list_events
from recon.reconciliation.ignore import ignore
from recon.reconciliation.propose import propose
from recon.reconciliation.recheck import recheck
from tests.reconciliation.cases import Cases, by

if TYPE_CHECKING:
    from recon.db import Pool


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


async def test_an_assigned_discrepancy_is_under_investigation_until_nobody_has_it(
    cases: Cases,
) -> None:
    case = await cases.seen("u_1", "20.00")

    given = await assign(cases.pool, case, "mia", step=by("ana"))
    passed_on = await assign(cases.pool, case, "leo", step=by("ana"))
    back = await assign(cases.pool, case, None, step=by("leo"))

    assert (given.status, given.assignee) == (Status.INVESTIGATING, "mia")
    assert (passed_on.status, passed_on.assignee) == (Status.INVESTIGATING, "leo")
    assert (back.status, back.assignee) == (Status.OPEN, None)
    assert await cases.history(case) == [
        ("run", "opened"),
        ("ana", "assigned"),
        ("ana", "assigned"),
        ("leo", "assigned"),
    ]


async def test_the_same_intent_twice_is_one_step(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    step = by("ana")

    first = await comment(cases.pool, case, "asked the PSP", step=step)
    again = await comment(cases.pool, case, "asked the PSP", step=step)

    assert first == again
    assert await cases.history(case) == [("run", "opened"), ("ana", "commented")]
    assert len(await cases.audit()) == 1


async def test_history_and_audit_say_who_what_before_and_after(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    await assign(cases.pool, case, "mia", step=by("key_1"))

    async with cases.pool.acquire() as connection:
        event = (await list_events(connection, case))[-1]
    ((actor, action, what, detail),) = await cases.audit()

    assert (actor, action, what) == ("key_1", "discrepancy.assigned", f"discrepancy:{case}")
    assert detail == event.detail
    assert detail["before"] == {"status": "open", "assignee": None, "ignored_until": None}
    assert detail["after"] == {
        "status": "investigating",
        "assignee": "mia",
        "ignored_until": None,
    }


async def test_a_step_that_is_refused_leaves_no_trace(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")

    with pytest.raises(Invalid) as refused:
        await ignore(cases.pool, case, "small", until=now() - timedelta(seconds=1), step=by("ana"))

    assert refused.value.code == "invalid_until"
    assert await cases.history(case) == [("run", "opened")]
    assert await cases.audit() == []


@pytest.mark.parametrize("table", ["discrepancy_events", "audit"])
async def test_the_database_refuses_to_change_what_is_on_record(
    cases: Cases, owner: Pool, table: str
) -> None:
    case = await cases.seen("u_1", "20.00")
    await comment(cases.pool, case, "asked the PSP", step=by("ana"))

    for statement in (f"UPDATE {table} SET actor = 'nobody'", f"DELETE FROM {table}"):  # noqa: S608 - two fixed names
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await cases.pool.execute(statement)
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(statement)


async def test_what_is_ignored_stays_so_while_it_is_the_same(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    await ignore(cases.pool, case, "known test account", until=None, step=by("ana"))

    again = await cases.seen("u_1", "20.00")

    found = await cases.read(case)
    assert (again, found.status, found.occurrences) == (case, Status.IGNORED, 2)


async def test_what_was_ignored_until_a_time_is_reopened_by_the_next_run_after_it(
    cases: Cases,
) -> None:
    case = await cases.seen("u_1", "20.00")
    until = now() + timedelta(hours=1)
    ignored = await ignore(cases.pool, case, "settles tonight", until=until, step=by("ana"))
    assert (ignored.status, ignored.ignored_until) == (Status.IGNORED, until)

    await cases.seen("u_1", "20.00")
    assert (await cases.read(case)).status is Status.IGNORED

    await cases.later(timedelta(hours=2))
    await cases.seen("u_1", "20.00")

    found = await cases.read(case)
    assert (found.status, found.ignored_until) == (Status.OPEN, None)
    assert await cases.history(case) == [
        ("run", "opened"),
        ("ana", "ignored"),
        ("run", "reopened"),
    ]


async def test_what_was_ignored_until_a_time_is_open_after_it_though_no_run_comes_by(
    cases: Cases,
) -> None:
    over, mias, lasting, later = [await cases.seen(f"u_{n}", "20.00") for n in range(4)]
    await assign(cases.pool, mias, "mia", step=by("ana"))
    for case, until in (
        (over, now() + timedelta(hours=1)),
        (mias, now() + timedelta(hours=1)),
        (lasting, None),
        (later, now() + timedelta(hours=3)),
    ):
        await ignore(cases.pool, case, "settles tonight", until=until, step=by("ana"))
    assert await reopen_expired(cases.pool) == 0

    await cases.later(timedelta(hours=2))

    assert (await reopen_expired(cases.pool), await reopen_expired(cases.pool)) == (2, 0)
    found = [await cases.read(case) for case in (over, mias, lasting, later)]
    assert [one.status for one in found] == [
        *(Status.OPEN, Status.INVESTIGATING),
        *(Status.IGNORED, Status.IGNORED),
    ]
    assert [one.ignored_until is None for one in found] == [True, True, True, False]
    assert (await cases.history(over))[-1] == ("schedule", "reopened")


async def test_an_ignored_difference_that_becomes_another_is_reopened_at_once(
    cases: Cases,
) -> None:
    case = await cases.seen("u_1", "0.01")
    await assign(cases.pool, case, "mia", step=by("ana"))
    await ignore(cases.pool, case, "a penny", until=None, step=by("ana"))

    await cases.seen("u_1", "5000.00")

    found = await cases.read(case)
    assert (found.status, found.assignee) == (Status.INVESTIGATING, "mia")
    assert (await cases.history(case))[-1] == ("run", "reopened")


async def test_an_ignored_discrepancy_that_agrees_is_cleared(cases: Cases) -> None:
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "20.00")
    until = now() + timedelta(hours=1)
    await ignore(cases.pool, case, "settles tonight", until=until, step=by("ana"))

    await cases.agrees("u_1")

    found = await cases.read(case)
    assert (found.status, found.ignored_until) == (Status.CLEARED, None)
    assert found.closed_at is not None


async def test_a_closed_discrepancy_may_be_spoken_of_and_nothing_else(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    await cases.agrees("u_1")

    await comment(cases.pool, case, "it was a late webhook", step=by("ana"))
    with pytest.raises(DiscrepancyClosedError):
        await assign(cases.pool, case, "mia", step=by("ana"))
    with pytest.raises(DiscrepancyClosedError):
        await ignore(cases.pool, case, "why not", until=None, step=by("ana"))
    with pytest.raises(DiscrepancyClosedError):
        await propose(cases.pool, case, "20.00", "book it", step=by("ana"))

    assert (await cases.read(case)).status is Status.CLEARED


async def test_a_difference_that_comes_back_reopens_its_record(cases: Cases) -> None:
    first = await cases.seen("u_1", "20.00")
    await assign(cases.pool, first, "ana", step=by("ana"))
    await cases.agrees("u_1")
    closed = await cases.read(first)

    second = await cases.seen("u_1", "20.00")

    again = await cases.read(first)
    assert first == second
    assert (closed.status, again.status) == (Status.CLEARED, Status.INVESTIGATING)
    assert (again.assignee, again.closed_at, again.occurrences) == ("ana", None, 2)
    assert [action for _, action in await cases.history(first)] == [
        *("opened", "assigned", "cleared", "reopened"),
    ]


async def test_after_it_has_come_back_an_old_adjustment_does_not_count_as_its_resolution(
    cases: Cases,
) -> None:
    case = await cases.seen("u_1", "20.00")
    proposal = await propose(cases.pool, case, "1.00", "a first part", step=by("ana"))
    await approve(cases.pool, proposal.adjustment_id, None, step=by("leo"))
    await cases.agrees("u_1")
    resolved = await cases.read(case)
    # The ledger has 1.00 by now: the same difference again.
    assert await cases.seen("u_1", "21.00") == case
    await cases.agrees("u_1")

    assert (resolved.status, (await cases.read(case)).status) == (Status.RESOLVED, Status.CLEARED)


async def test_a_proposal_is_decided_before_the_case_is_ignored(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    await propose(cases.pool, case, "20.00", "the PSP's report has it", step=by("ana"))

    with pytest.raises(AdjustmentProposedError):
        await ignore(cases.pool, case, "later", until=None, step=by("ana"))


async def test_no_step_is_taken_on_what_does_not_exist(cases: Cases) -> None:
    with pytest.raises(NotFound) as missing:
        await comment(cases.pool, new_id(), "hello", step=by("ana"))

    assert missing.value.code == "discrepancy_not_found"


async def test_history_is_read_in_pages_oldest_first(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    for number in range(5):
        await comment(cases.pool, case, f"note {number}", step=by("ana"))

    async with cases.pool.acquire() as connection:
        whole = await list_events(connection, case)
        first = await list_events(connection, case, limit=4)
        rest = await list_events(connection, case, after=first[-1].event_id, limit=4)

    assert [event.detail.get("text") for event in whole[1:]] == [f"note {n}" for n in range(5)]
    assert first + rest == whole


async def test_a_case_that_is_explained_anew_says_so_and_is_weighed_anew(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    before = await cases.read(case)

    await cases.seen("u_1", "20.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    await cases.seen("u_1", "20.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])

    after = await cases.read(case)
    async with cases.pool.acquire() as connection:
        (_, anew) = await list_events(connection, case)
    assert (before.cause, before.severity) == (Cause.UNEXPLAINED, Severity.HIGH)
    assert (after.cause, after.severity) == (Cause.MISSING_WEBHOOK, Severity.MEDIUM)
    assert (anew.action, anew.detail) == (
        "explained_anew",
        {
            "difference": "2000",
            "cause": "missing_webhook",
            "cause_before": "unexplained",
            "severity": "medium",
            "severity_before": "high",
        },
    )


async def test_a_recheck_looks_at_a_wallet_that_only_the_case_knows_of(cases: Cases) -> None:
    case = await cases.seen("u_nowhere", "20.00")

    run_id = await recheck(cases.pool, case, step=by("ana"))

    async with cases.pool.acquire() as connection:
        assert (await read_run(connection, run_id)).wallets.total == 1


async def test_a_recheck_and_its_trace_are_one_commit(cases: Cases, owner: Pool) -> None:
    case = await cases.seen("u_1", "20.00")

    await owner.execute("ALTER TABLE audit RENAME TO out_of_reach")
    with pytest.raises(asyncpg.UndefinedTableError):
        await recheck(cases.pool, case, step=by("ana"))

    async with cases.pool.acquire() as connection:
        assert await list_runs(connection) == []


@pytest.mark.parametrize(("days", "same"), [(29, True), (31, False)])
async def test_a_difference_that_comes_back_within_thirty_days_is_the_same_one(
    cases: Cases, days: int, *, same: bool
) -> None:
    first = await cases.seen("u_1", "20.00")
    await assign(cases.pool, first, "mia", step=by("ana"))
    await cases.agrees("u_1")
    await cases.pool.execute(
        "UPDATE discrepancies SET closed_at = closed_at - $1::interval", timedelta(days=days)
    )

    again = await cases.seen("u_1", "20.00")

    found = await cases.read(again)
    assert (again == first, found.occurrences) == (same, 2 if same else 1)
    assert (found.status, found.assignee) == (
        (Status.INVESTIGATING, "mia") if same else (Status.OPEN, None)
    )
    assert (await cases.history(again))[-1] == ("run", "reopened" if same else "opened")


async def test_held_money_that_differs_on_its_own_is_not_what_was_ignored_with_the_available(
    cases: Cases,
) -> None:
    await cases.deposit("u_1", "100.00")
    case = await cases.seen("u_1", "110.00", held="10.00")
    await ignore(cases.pool, case, "a test account", until=None, step=by("ana"))

    # The same amount is shown as before, of other money.
    assert await cases.seen("u_1", "100.00", held="10.00") == case

    found = await cases.read(case)
    assert (found.difference, found.available_difference, found.of_held) == (1000, 0, True)
    assert found.status is Status.OPEN
    assert (await cases.history(case))[-1] == ("run", "reopened")
