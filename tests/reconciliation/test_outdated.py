"""What is approved is what was weighed, the same wallet and difference, or nothing is booked."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from recon.ledger import verify_books
from recon.reconciliation import Cause, Status
from recon.reconciliation.adjustments import AdjustmentState, list_adjustments, read_adjustment
from recon.reconciliation.decide import approve, reject
from recon.reconciliation.errors import (
    AdjustmentDecidedError,
    AdjustmentProposedError,
    DifferenceChangedError,
    NotComparedError,
    OutdatedError,
    StaleAdjustmentError,
)
from recon.reconciliation.propose import propose
from tests.reconciliation.cases import Cases, by
from tests.reconciliation.test_concurrency import until_waiting

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from recon.reconciliation.adjustments import Adjustment


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


async def waits(cases: Cases) -> tuple[UUID, Adjustment]:
    """The ledger has 5.00, the game 25.00; ana has proposed +20.00."""
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "25.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    return case, await propose(cases.pool, case, "20.00", "PSP report, line 7", step=by("ana"))


async def refused(cases: Cases, adjustment: Adjustment) -> OutdatedError:
    """Why leo cannot approve it; nothing was booked by that."""
    before = await cases.balance("u_1")
    with pytest.raises(OutdatedError) as error:
        await approve(cases.pool, adjustment.adjustment_id, None, step=by("leo"))
    assert await cases.balance("u_1") == before
    assert (await verify_books(cases.pool)).ok
    return error.value


async def state_of(cases: Cases, adjustment: Adjustment) -> AdjustmentState:
    async with cases.pool.acquire() as connection:
        return (await read_adjustment(connection, adjustment.adjustment_id)).state


def told(error: OutdatedError) -> list[tuple[str, str, str | None] | None]:
    """Ledger, game and difference: when it was proposed, and now."""
    both = (error.outdated.proposed_on, error.outdated.now)
    return [None if one is None else (one.ledger, one.game, one.difference) for one in both]


async def test_a_proposal_keeps_what_was_compared_when_it_was_made(cases: Cases) -> None:
    _, proposed = await waits(cases)

    kept = proposed.proposed_on

    assert (kept.ledger, kept.game, kept.difference) == (500, 2500, 2000)
    assert (proposed.now, proposed.moved, proposed.compared) == (kept, False, True)


async def test_where_the_game_has_moved_both_figures_are_told_and_nothing_is_booked(
    cases: Cases,
) -> None:
    case, proposed = await waits(cases)
    assert await cases.seen("u_1", "20.00") == case

    error = await refused(cases, proposed)

    assert error.code == "stale_adjustment"
    assert told(error) == [("5.00", "25.00", "20.00"), ("5.00", "20.00", "15.00")]
    assert error.message == (
        "it is stale: the difference changed; proposed on ledger 5.00 and game 25.00 GBP"
        " (20.00 apart), now ledger 5.00 and game 20.00 GBP (15.00 apart)"
    )


async def test_where_the_ledger_has_moved_both_figures_are_told_and_nobody_knows_the_difference(
    cases: Cases,
) -> None:
    _, proposed = await waits(cases)
    await cases.deposit("u_1", "20.00")

    error = await refused(cases, proposed)

    assert isinstance(error, StaleAdjustmentError)
    assert error.message.startswith("it is stale: the wallet moved")
    assert told(error) == [("5.00", "25.00", "20.00"), ("25.00", "25.00", None)]


async def test_where_both_agree_by_now_it_is_said_so(cases: Cases) -> None:
    case, proposed = await waits(cases)
    await cases.deposit("u_1", "20.00")
    await cases.agrees("u_1")

    error = await refused(cases, proposed)

    assert (await cases.read(case)).status is Status.CLEARED
    assert told(error) == [("5.00", "25.00", "20.00"), None]
    assert error.message.endswith("by now they agree")


@pytest.mark.parametrize(
    ("deposited", "game", "stale"),
    [
        (None, None, None),
        ("1.00", None, "the wallet moved"),
        (None, "20.00", "the difference changed"),
        # Both moved, by other amounts, or by the same.
        ("1.00", "30.00", "the difference changed"),
        ("1.00", "26.00", "the wallet moved"),
    ],
)
async def test_a_proposal_is_one_thing_to_whoever_reads_lists_decides_or_replaces_it(
    cases: Cases, deposited: str | None, game: str | None, stale: str | None
) -> None:
    case, first = await waits(cases)
    if deposited is not None:
        await cases.deposit("u_1", deposited)
    if game is not None:
        # What a run would see, without the step by which it closes what was proposed itself.
        await cases.pool.execute(
            "UPDATE discrepancies SET ledger_version = w.version, game_available = $1::numeric,"
            " difference = $1 - w.available, available_difference = $1 - w.available,"
            " explained = 0, unexplained = $1 - w.available FROM wallets AS w",
            Decimal(game) * 100,
        )

    async with cases.pool.acquire() as connection:
        read = await read_adjustment(connection, first.adjustment_id)
        (listed,) = await list_adjustments(connection, discrepancy_id=case)
    if stale is None:
        with pytest.raises(AdjustmentProposedError):
            await propose(cases.pool, case, "20.00", "again", step=by("mia"))
        await approve(cases.pool, first.adjustment_id, None, step=by("leo"))
        decided = AdjustmentState.BOOKED
    else:
        second = await propose(cases.pool, case, "20.00", "again", step=by("mia"))
        decided = AdjustmentState.STALE
        assert (second.state, second.why_stale) == (AdjustmentState.PROPOSED, None)
        async with cases.pool.acquire() as connection:
            replaced = await read_adjustment(connection, first.adjustment_id)
        assert replaced.decision_reason == f"{stale}, and it was proposed again"
        assert (await cases.audit())[-2][3]["reason"] == stale

    assert read == listed
    assert (read.why_stale, read.moved) == (stale, stale is not None)
    assert await state_of(cases, first) is decided


async def test_what_is_booked_is_never_stale_whatever_moves(cases: Cases) -> None:
    _, booked = await waits(cases)
    await approve(cases.pool, booked.adjustment_id, None, step=by("leo"))
    await cases.deposit("u_1", "1.00")

    async with cases.pool.acquire() as connection:
        after = await read_adjustment(connection, booked.adjustment_id)

    assert (after.state, after.why_stale, after.moved) == (AdjustmentState.BOOKED, None, False)


async def test_a_look_under_way_when_somebody_approves_is_waited_for(cases: Cases) -> None:
    case, proposed = await waits(cases)
    async with cases.pool.acquire() as connection, connection.transaction():
        # As a run has it while it writes down what it has found.
        await connection.execute(
            "SELECT FROM discrepancies WHERE discrepancy_id = $1 FOR NO KEY UPDATE", case
        )
        approval = asyncio.create_task(
            approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))
        )
        await until_waiting(cases.pool, 1)
        await connection.execute(
            "UPDATE discrepancies SET game_available = 2000, difference = 1500,"
            " available_difference = 1500, explained = 0, unexplained = 1500"
        )

    with pytest.raises(StaleAdjustmentError, match="the difference changed"):
        await approval

    assert await state_of(cases, proposed) is AdjustmentState.STALE
    assert await cases.balance("u_1") == "5.00"


async def test_what_was_proposed_after_the_wallet_moved_waits_for_a_look_that_bears_it_out(
    cases: Cases,
) -> None:
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "25.00")
    await cases.deposit("u_1", "1.00")
    proposed = await propose(cases.pool, case, "20.00", "PSP report", step=by("ana"))

    error = await refused(cases, proposed)
    waiting = await state_of(cases, proposed)
    # The player's deposit has reached the game too: the same difference as before.
    await cases.seen("u_1", "26.00")
    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    assert (error.code, isinstance(error, NotComparedError)) == ("not_compared", True)
    assert told(error) == [("5.00", "25.00", "20.00"), ("6.00", "25.00", None)]
    assert waiting is AdjustmentState.PROPOSED
    assert await cases.balance("u_1") == "26.00"


async def test_what_was_proposed_after_the_wallet_moved_is_stale_where_a_look_finds_otherwise(
    cases: Cases,
) -> None:
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "25.00")
    await cases.deposit("u_1", "1.00")
    proposed = await propose(cases.pool, case, "20.00", "PSP report", step=by("ana"))
    await cases.seen("u_1", "25.00")

    error = await refused(cases, proposed)

    assert isinstance(error, StaleAdjustmentError)
    assert told(error)[1] == ("6.00", "25.00", "19.00")


async def test_what_cannot_be_booked_can_still_be_withdrawn(cases: Cases) -> None:
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "25.00")
    await cases.deposit("u_1", "1.00")
    proposed = await propose(cases.pool, case, "20.00", "PSP report", step=by("ana"))

    withdrawn = await reject(cases.pool, proposed.adjustment_id, "too early", step=by("ana"))

    assert withdrawn.state is AdjustmentState.REJECTED
    with pytest.raises(AdjustmentDecidedError, match="this adjustment is rejected"):
        await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))


async def test_a_refusal_that_is_asked_for_again_is_the_same(cases: Cases) -> None:
    _, proposed = await waits(cases)
    await cases.deposit("u_1", "1.00")
    step = by("leo")

    said = []
    for _ in range(2):
        with pytest.raises(StaleAdjustmentError) as error:
            await approve(cases.pool, proposed.adjustment_id, None, step=step)
        said.append(error.value.message)

    assert said[0] == said[1]


async def test_nobody_proposes_on_a_difference_that_is_another_by_now(cases: Cases) -> None:
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "25.00")
    await cases.seen("u_1", "20.00")

    with pytest.raises(DifferenceChangedError) as error:
        await propose(cases.pool, case, "20.00", "report", seen="20.00", step=by("ana"))
    proposed = await propose(cases.pool, case, "15.00", "report", seen="15.00", step=by("ana"))

    assert (error.value.code, error.value.message) == (
        "difference_changed",
        "a run has compared it since you looked: the difference was 20.00 GBP, now it is 15.00",
    )
    assert proposed.proposed_on.difference == 1500


async def test_a_withdrawal_that_leaves_the_game_meanwhile_changes_no_difference(
    cases: Cases, owner: Pool
) -> None:
    _, proposed = await waits(cases)
    # 6.50 on its way had still been at the game.
    await owner.execute("UPDATE discrepancies SET game_available = game_available - 650")

    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))

    assert await cases.balance("u_1") == "25.00"
