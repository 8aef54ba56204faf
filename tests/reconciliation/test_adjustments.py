"""Adjustments: proposed by one, booked when another approves, never on a wallet that moved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.clock import new_id, now
from recon.errors import Invalid, NotFound
from recon.four_eyes import SelfApprovalError
from recon.ledger import InsufficientBalanceError, post_one, read_entries, rules, verify_books
from recon.money import Money
from recon.reconciliation import Cause, RunScope, Status, list_runs, run_here
from recon.reconciliation.adjustments import (
    Adjustment,
    AdjustmentState,
    list_adjustments,
    read_adjustment,
)
from recon.reconciliation.assign import assign
from recon.reconciliation.decide import approve, reject
from recon.reconciliation.errors import (
    AdjustmentDecidedError,
    AdjustmentProposedError,
    StaleAdjustmentError,
)
from recon.reconciliation.ignore import ignore
from recon.reconciliation.propose import propose
from tests.reconciliation.cases import Cases, by

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.reconciliation.conftest import World


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


async def one_waiting(cases: Cases, amount: str = "20.00") -> tuple[UUID, Adjustment]:
    """The game has 25.00, the ledger 5.00; ana proposes."""
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "25.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    proposed = await propose(cases.pool, case, amount, "PSP report, line 7", step=by("ana"))
    return case, proposed


async def state_of(cases: Cases, adjustment: Adjustment) -> AdjustmentState:
    async with cases.pool.acquire() as connection:
        return (await read_adjustment(connection, adjustment.adjustment_id)).state


async def test_what_is_proposed_moves_nothing_and_waits(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)

    assert (proposed.state, proposed.amount, proposed.proposed_by, proposed.ledger_version) == (
        AdjustmentState.PROPOSED,
        20_00,
        "ana",
        1,
    )
    assert await cases.balance("u_1") == "5.00"
    assert (await cases.read(case)).status is Status.AWAITING_APPROVAL


async def test_another_books_it_and_a_run_looks_whether_it_agrees_now(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)
    await assign(cases.pool, case, "mia", step=by("ana"))

    booked = await approve(cases.pool, proposed.adjustment_id, "checked", step=by("leo"))

    async with cases.pool.acquire() as connection:
        entry = (await read_entries(connection, "u_1", "GBP", limit=1))[0]
        (run,) = await list_runs(connection)
    assert (booked.state, booked.decided_by) == (AdjustmentState.BOOKED, "leo")
    assert await cases.balance("u_1") == "25.00"
    assert (entry.kind, entry.source, entry.key, entry.amount) == (
        "adjustment",
        "adjustments",
        str(proposed.adjustment_id),
        20_00,
    )
    assert (run.scope, run.trigger) == (RunScope.USERS, f"adjustment:{proposed.adjustment_id}")
    assert (await cases.read(case)).status is Status.INVESTIGATING
    assert (await verify_books(cases.pool)).ok


async def test_a_case_whose_adjustment_made_it_agree_is_resolved_not_cleared(
    cases: Cases,
) -> None:
    case, proposed = await one_waiting(cases)
    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    await cases.agrees("u_1")

    assert (await cases.read(case)).status is Status.RESOLVED
    assert await cases.history(case) == [
        ("run", "opened"),
        ("ana", "proposed"),
        ("leo", "adjustment_booked"),
        ("run", "resolved"),
    ]


async def test_who_proposed_it_may_not_book_it(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)

    with pytest.raises(SelfApprovalError) as refused:
        await approve(cases.pool, proposed.adjustment_id, None, step=by("ana"))

    assert refused.value.code == "self_approval"
    assert await state_of(cases, proposed) is AdjustmentState.PROPOSED
    assert await cases.balance("u_1") == "5.00"
    assert await cases.history(case) == [("run", "opened"), ("ana", "proposed")]


@pytest.mark.parametrize(
    "same", ["ana", "ANA", "staff:ana", "Staff:Ana", "staff:staff:ana", " a na\u00a0", "\uff41na"]
)
async def test_the_database_itself_refuses_that_one_does_both(cases: Cases, same: str) -> None:
    _, proposed = await one_waiting(cases)

    async with cases.pool.acquire() as connection:
        with pytest.raises(asyncpg.CheckViolationError, match="adjustments_two_people_check"):
            await connection.execute(
                "UPDATE adjustments SET state = 'booked', decided_by = $2 WHERE adjustment_id = $1",
                *(proposed.adjustment_id, same),
            )
        with pytest.raises(asyncpg.CheckViolationError, match="adjustments_two_people_check"):
            await connection.execute(
                "UPDATE adjustments SET state = 'booked' WHERE adjustment_id = $1",
                proposed.adjustment_id,
            )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            """
            INSERT INTO adjustments (
                user_id, adjustment_id, discrepancy_id, currency, amount, reason, state,
                ledger_version, available_difference, ledger_available, game_available, proposed_by
            )
            SELECT
                user_id, gen_random_uuid(), discrepancy_id, currency, 500, 'mine', 'booked', 1,
                available_difference, ledger_available, game_available, 'leo'
            FROM adjustments
            """,
            "begin as proposals",
        ),
        ("UPDATE adjustments SET state = 'proposed'", "decided once"),
        ("UPDATE adjustments SET decided_by = 'somebody'", "decided once"),
        ("UPDATE adjustments SET state = 'booked', decided_by = 'bob'", "decided once"),
    ],
)
async def test_the_database_itself_keeps_what_was_decided(
    cases: Cases, statement: str, said: str
) -> None:
    _, proposed = await one_waiting(cases)
    await reject(cases.pool, proposed.adjustment_id, "no", step=by("leo"))

    async with cases.pool.acquire() as connection:
        with pytest.raises(asyncpg.RestrictViolationError, match=said):
            await connection.execute(statement)

    assert await state_of(cases, proposed) is AdjustmentState.REJECTED


async def test_the_database_says_when_it_was(cases: Cases) -> None:
    _, proposed = await one_waiting(cases)

    async with cases.pool.acquire() as connection:
        for column in ("proposed_at", "decided_at", "amount", "proposed_by"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"UPDATE adjustments SET {column} = {column}")  # noqa: S608 - from above
        for table in ("audit", "discrepancy_events"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"INSERT INTO {table} (at) VALUES (now())")  # noqa: S608 - from above
    rejected = await reject(cases.pool, proposed.adjustment_id, "no", step=by("leo"))

    assert rejected.decided_at is not None
    assert proposed.proposed_at < rejected.decided_at


async def test_a_proposal_is_stale_once_the_game_shows_another_balance(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)

    assert await cases.seen("u_1", "20.00") == case
    with pytest.raises(StaleAdjustmentError):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    assert await state_of(cases, proposed) is AdjustmentState.STALE
    assert await cases.balance("u_1") == "5.00"
    assert (await cases.read(case)).status is Status.OPEN
    assert await cases.history(case) == [
        ("run", "opened"),
        ("ana", "proposed"),
        ("run", "adjustment_stale"),
        ("run", "changed"),
    ]
    again = await propose(cases.pool, case, "15.00", "as it is now", step=by("ana"))
    assert again.state is AdjustmentState.PROPOSED


async def test_a_proposal_stands_while_the_same_difference_is_seen_again(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)

    assert await cases.seen("u_1", "25.00") == case
    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    assert await cases.balance("u_1") == "25.00"


async def told(cases: Cases) -> list[tuple[str, str]]:
    """What verify finds, by check and its first words."""
    return [(one.check, one.detail) for one in (await verify_books(cases.pool)).faults]


async def test_verify_ties_adjustments_to_postings_to_their_steps(
    cases: Cases, owner: Pool
) -> None:
    _, proposed = await one_waiting(cases)
    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))
    one = proposed.adjustment_id
    assert await told(cases) == []

    # By the service's own hand: money that nobody approved, and one who names somebody else.
    alone = new_id()
    async with cases.pool.acquire() as connection, connection.transaction():
        entry = rules.adjustment(
            "u_1", Money.parse("3.00", "GBP"), adjustment_id=alone, event_at=now()
        )
        await post_one(connection, entry)
    await cases.deposit("u_2", "1.00")
    case = await cases.seen("u_2", "5.00")
    forged = await propose(cases.pool, case, "4.00", "mine", step=by("ana"))
    await cases.pool.execute(
        "UPDATE adjustments SET state = 'booked', decided_by = 'bob' WHERE adjustment_id = $1",
        forged.adjustment_id,
    )
    assert sorted(await told(cases)) == [
        ("adjustment", f"adjustment {forged.adjustment_id} was booked and has no posting"),
        ("adjustment", f"posting 3 books adjustment {alone}, which nobody booked"),
        ("step", f"adjustment {forged.adjustment_id}: no step says that it is booked, by bob"),
    ]

    # And by the owner's: another amount.
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "UPDATE adjustments SET amount = 2100, proposed_by = 'eve' WHERE adjustment_id = $1",
            one,
        )
    assert ("adjustment", f"adjustment {one} of 2100 GBP was booked as 2000 GBP") in await told(
        cases
    )
    assert ("step", f"adjustment {one}: no step says that eve proposed it") in await told(cases)


async def test_verify_ties_discrepancies_to_their_steps_and_those_to_the_audit(
    cases: Cases,
) -> None:
    ignored, cleared, quiet = [await cases.seen(user, "20.00") for user in ("u_1", "u_2", "u_3")]
    await ignore(cases.pool, ignored, "a test account", until=None, step=by("ana"))
    await assign(cases.pool, quiet, "mia", step=by("ana"))
    await cases.agrees("u_2")
    assert await told(cases) == []

    # By the service's own hand, past its own verbs.
    await cases.pool.execute(
        "UPDATE discrepancies SET status = 'resolved' WHERE discrepancy_id = $1", quiet
    )
    await cases.pool.execute(
        "INSERT INTO discrepancy_events (user_id, discrepancy_id, event_id, actor, action, detail)"
        " VALUES ('u_2', $1, gen_random_uuid(), 'eve', 'commented', '{\"before\": {}}')",
        cleared,
    )
    await cases.pool.execute(
        "INSERT INTO audit (audit_id, actor, action, object)"
        " VALUES (gen_random_uuid(), 'eve', 'discrepancy.ignored', $1)",
        f"discrepancy:{ignored}",
    )

    assert sorted(await told(cases)) == [
        (
            "discrepancy",
            f"discrepancy {quiet} is resolved, and its history ends with investigating",
        ),
        (
            "step",
            f"discrepancy.commented of discrepancy:{cleared} by eve stands in the history alone",
        ),
        ("step", f"discrepancy.ignored of discrepancy:{ignored} by eve stands in the audit alone"),
    ]


async def test_a_proposal_is_stale_once_its_wallet_moved(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)
    await cases.deposit("u_1", "1.00")

    with pytest.raises(StaleAdjustmentError):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    assert await state_of(cases, proposed) is AdjustmentState.STALE
    assert await cases.balance("u_1") == "6.00"
    assert (await cases.read(case)).status is Status.OPEN
    assert (await cases.history(case))[-1] == ("leo", "adjustment_stale")


async def test_a_posting_that_slips_in_at_the_last_moment_makes_it_stale(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, proposed = await one_waiting(cases)

    async def one_posting_first(*args: object, **named: object) -> object:
        await cases.deposit("u_1", "1.00")
        return await post_one(*args, **named)  # type: ignore[arg-type] # passed through as it came

    monkeypatch.setattr("recon.reconciliation.decide.post_one", one_posting_first)
    with pytest.raises(StaleAdjustmentError):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    assert await state_of(cases, proposed) is AdjustmentState.STALE
    assert await cases.balance("u_1") == "6.00"
    assert (await verify_books(cases.pool)).ok


async def test_a_list_says_which_proposals_moved(cases: Cases) -> None:
    _, proposed = await one_waiting(cases)
    async with cases.pool.acquire() as connection:
        (before,) = await list_adjustments(connection, state=AdjustmentState.PROPOSED)
    await cases.deposit("u_1", "1.00")
    async with cases.pool.acquire() as connection:
        (after,) = await list_adjustments(connection, state=AdjustmentState.PROPOSED)

    assert (before.adjustment_id, before.moved) == (proposed.adjustment_id, False)
    assert after.moved


async def test_a_second_proposal_waits_for_the_first_unless_that_is_stale(cases: Cases) -> None:
    case, first = await one_waiting(cases)
    with pytest.raises(AdjustmentProposedError):
        await propose(cases.pool, case, "19.00", "another view", step=by("mia"))

    await cases.deposit("u_1", "1.00")
    second = await propose(cases.pool, case, "19.00", "as it is now", step=by("mia"))

    assert await state_of(cases, first) is AdjustmentState.STALE
    assert (second.state, second.ledger_version) == (AdjustmentState.PROPOSED, 2)
    assert await cases.history(case) == [
        ("run", "opened"),
        ("ana", "proposed"),
        ("mia", "adjustment_stale"),
        ("mia", "proposed"),
    ]
    gone = str(first.adjustment_id)
    assert [(action, said["adjustment_id"] == gone) for _, action, _, said in await cases.audit()][
        1:
    ] == [("discrepancy.adjustment_stale", True), ("discrepancy.proposed", False)]


async def test_the_same_intent_proposes_once(cases: Cases) -> None:
    case = await cases.seen("u_1", "25.00")
    step = by("ana")

    first = await propose(cases.pool, case, "25.00", "report", step=step)
    again = await propose(cases.pool, case, "25.00", "report", step=step)

    assert first.adjustment_id == again.adjustment_id


async def test_a_wallet_that_never_had_a_posting_is_opened_by_its_adjustment(
    cases: Cases,
) -> None:
    case = await cases.seen("u_new", "25.00")
    proposed = await propose(cases.pool, case, "25.00", "report", step=by("ana"))

    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    assert proposed.ledger_version == 0
    assert await cases.balance("u_new") == "25.00"
    assert (await verify_books(cases.pool)).ok


async def test_money_may_be_taken_but_never_below_nothing(cases: Cases) -> None:
    await cases.deposit("u_1", "25.00")
    case = await cases.seen("u_1", "5.00")
    too_much = await propose(cases.pool, case, "-25.01", "a slip", step=by("ana"))

    with pytest.raises(InsufficientBalanceError):
        await approve(cases.pool, too_much.adjustment_id, None, step=by("leo"))
    still = await state_of(cases, too_much)
    await reject(cases.pool, too_much.adjustment_id, "a penny too many", step=by("leo"))
    right = await propose(cases.pool, case, "-20.00", "booked twice", step=by("ana"))
    await approve(cases.pool, right.adjustment_id, None, step=by("leo"))

    assert still is AdjustmentState.PROPOSED
    assert await cases.balance("u_1") == "5.00"


async def test_an_overdrawn_wallet_that_moved_is_stale_not_insufficient(cases: Cases) -> None:
    await cases.deposit("u_1", "25.00")
    case = await cases.seen("u_1", "5.00")
    proposed = await propose(cases.pool, case, "-20.00", "booked twice", step=by("ana"))
    async with cases.pool.acquire() as connection, connection.transaction():
        await post_one(
            connection,
            rules.fact_against_player(
                "u_1",
                Money.parse("25.00", "GBP"),
                kind="deposit.charged_back",
                source="test",
                key="d1:chargeback",
                event_at=now(),
            ),
        )

    with pytest.raises(StaleAdjustmentError):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))


async def test_a_rejected_proposal_books_nothing_and_gives_the_case_back(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)

    rejected = await reject(cases.pool, proposed.adjustment_id, "the report is old", step=by("leo"))

    assert (rejected.state, rejected.decision_reason) == (
        AdjustmentState.REJECTED,
        "the report is old",
    )
    assert await cases.balance("u_1") == "5.00"
    assert (await cases.read(case)).status is Status.OPEN


async def test_who_proposed_it_may_withdraw_it(cases: Cases) -> None:
    _, proposed = await one_waiting(cases)

    withdrawn = await reject(cases.pool, proposed.adjustment_id, "my mistake", step=by("ana"))

    assert (withdrawn.state, withdrawn.decided_by) == (AdjustmentState.REJECTED, "ana")


async def test_what_is_decided_stays_decided(cases: Cases) -> None:
    _, proposed = await one_waiting(cases)
    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    with pytest.raises(AdjustmentDecidedError):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("mia"))
    with pytest.raises(AdjustmentDecidedError):
        await reject(cases.pool, proposed.adjustment_id, "too late", step=by("mia"))

    assert await cases.balance("u_1") == "25.00"


async def test_many_who_approve_at_once_book_it_once(cases: Cases) -> None:
    _, proposed = await one_waiting(cases)

    outcomes = await asyncio.gather(
        *(
            approve(cases.pool, proposed.adjustment_id, None, step=by(f"approver_{n}"))
            for n in range(8)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(one, Adjustment) for one in outcomes) == 1
    assert sum(isinstance(one, AdjustmentDecidedError) for one in outcomes) == 7
    assert await cases.balance("u_1") == "25.00"


async def test_an_approval_repeated_by_its_caller_answers_as_before(cases: Cases) -> None:
    _, proposed = await one_waiting(cases)
    step = by("leo")

    first = await approve(cases.pool, proposed.adjustment_id, None, step=step)
    again = await approve(cases.pool, proposed.adjustment_id, None, step=step)

    async with cases.pool.acquire() as connection:
        runs = await list_runs(connection)
    assert first == again
    assert await cases.balance("u_1") == "25.00"
    assert len(runs) == 1


async def test_what_is_booked_and_the_run_that_looks_again_are_one_commit(
    cases: Cases, owner: Pool
) -> None:
    _, proposed = await one_waiting(cases)

    await owner.execute("ALTER TABLE runs RENAME TO out_of_reach")
    with pytest.raises(asyncpg.UndefinedTableError):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))
    await owner.execute("ALTER TABLE out_of_reach RENAME TO runs")

    assert await state_of(cases, proposed) is AdjustmentState.PROPOSED
    assert await cases.balance("u_1") == "5.00"


async def test_a_wallet_that_agrees_meanwhile_leaves_nothing_to_approve(cases: Cases) -> None:
    case, proposed = await one_waiting(cases)

    await cases.agrees("u_1")

    with pytest.raises(StaleAdjustmentError):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))
    assert await state_of(cases, proposed) is AdjustmentState.STALE
    assert (await cases.read(case)).status is Status.CLEARED
    assert await cases.history(case) == [
        ("run", "opened"),
        ("ana", "proposed"),
        ("run", "adjustment_stale"),
        ("run", "cleared"),
    ]


@pytest.mark.parametrize("amount", ["0", "0.00", "-0", "1.001", "1e2", "", "ten", "+5"])
async def test_an_amount_is_a_signed_decimal_of_the_currency(cases: Cases, amount: str) -> None:
    case = await cases.seen("u_1", "20.00")

    with pytest.raises(Invalid) as refused:
        await propose(cases.pool, case, amount, "reason", step=by("ana"))

    assert refused.value.code == "invalid_amount"
    assert (await cases.read(case)).status is Status.OPEN


async def test_no_decision_is_made_on_what_does_not_exist(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")

    with pytest.raises(NotFound) as missing:
        await approve(cases.pool, case, None, step=by("leo"))

    assert missing.value.code == "adjustment_not_found"


async def test_a_deposit_whose_webhook_never_came_is_booked_and_the_run_it_starts_resolves_it(
    world: World,
) -> None:
    await world.deposit("u_1", "5.00")
    world.game.set("u_1", "25.00")
    await world.run()
    (found,) = await world.found()
    proposed = await propose(
        world.pool, found.discrepancy_id, "20.00", "PSP report", step=by("ana")
    )
    await approve(world.pool, proposed.adjustment_id, None, step=by("leo"))

    async with world.pool.acquire() as connection:
        started, _ = await list_runs(connection)
    run = await run_here(world.reconciler, started.run_id)

    (closed,) = await world.found(*Status)
    assert (run.wallets.agreed, closed.status) == (1, Status.RESOLVED)
    # The world posts what a PSP would have reported, without the report.
    faults = (await verify_books(world.pool)).faults
    assert {fault.check for fault in faults} == {"psp posting"}
