"""What people rule of a bet: proposed by one, booked once when another approves, final then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from recon.bets import BetNotActiveError, BetRefusedError, resolve_due
from recon.bets.by_hand import (
    Ruling,
    RulingState,
    list_rulings,
    list_waiting,
    propose_ruling,
    reject_ruling,
)
from recon.bets.by_hand.errors import (
    BetNotWaitingError,
    RulingDecidedError,
    RulingProposedError,
    StaleRulingError,
)
from recon.bets.errors import BetInProgressError, BetNotFoundError, TicketTakenError
from recon.bets.model import CASE_KINDS
from recon.bets.settle import ticket_of
from recon.clock import new_id
from recon.errors import ReconError
from recon.four_eyes import SelfApprovalError
from recon.ledger import check_books, read_entries, verify_books
from recon.webhooks import inbox
from recon.webhooks.close_case import close_case
from tests.bets.conftest import open_world
from tests.bets.ruling import (
    CASHED_OUT,
    LOST,
    VOID,
    approve,
    by,
    failed_payout,
    propose,
    read,
    stuck,
    unknown,
    wish,
)
from tests.bets.test_deaths import killed
from tests.bets.test_for_people import cases, in_play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from recon.bets import Bet
    from recon.db import Pool
    from tests.bets.conftest import World

    Waits = Callable[[World], Coroutine[Any, Any, Bet]]


@pytest.fixture
async def world(pool: Pool) -> AsyncIterator[World]:
    """A world whose game need not agree in the end; its books have to be sound."""
    async with open_world(pool) as opened:
        yield opened
        assert (await verify_books(pool)).faults == []


async def kinds(world: World) -> list[tuple[str, str]]:
    """Kind and amount of what was posted for bets, oldest first."""
    async with world.pool.acquire() as connection:
        entries = await read_entries(connection, "u_1", "GBP", limit=50)
    found = [(entry.kind, f"{entry.amount / 100:.2f}") for entry in reversed(entries)]
    return [one for one in found if one[0].startswith("bet.")]


async def audited(world: World) -> list[tuple[str, str]]:
    rows = await world.pool.fetch(
        "SELECT actor, action FROM audit WHERE object LIKE 'bet:%' ORDER BY audit_id"
    )
    return [tuple(row) for row in rows]


HELD, TAKEN = ("bet.held", "10.00"), ("bet.placed", "10.00")


@pytest.mark.parametrize(
    ("waits", "wanted", "state", "posted", "left"),
    [
        (unknown, wish(VOID), "rejected", [HELD, ("bet.rejected", "10.00")], "100.00"),
        (unknown, wish(LOST, ticket_id="t_9"), "lost", [HELD, TAKEN], "90.00"),
        (
            unknown,
            wish(CASHED_OUT, ticket_id="t_9", payout="25.00"),
            "cashed_out",
            [HELD, TAKEN, ("bet.payout", "25.00")],
            "115.00",
        ),
        (stuck, wish(VOID), "void", [HELD, TAKEN, ("bet.void", "10.00")], "100.00"),
        (stuck, wish(LOST), "lost", [HELD, TAKEN], "90.00"),
        (
            stuck,
            wish(CASHED_OUT, payout="0.01"),
            "cashed_out",
            [HELD, TAKEN, ("bet.payout", "0.01")],
            "90.01",
        ),
        (failed_payout, wish(VOID), "void", [HELD, TAKEN, ("bet.void", "10.00")], "100.00"),
        (failed_payout, wish(LOST), "lost", [HELD, TAKEN], "90.00"),
        (
            failed_payout,
            wish(CASHED_OUT, payout="12.00", payout_transaction_id=None),
            "cashed_out",
            [HELD, TAKEN, ("bet.payout", "12.00")],
            "102.00",
        ),
    ],
)
async def test_what_one_proposed_and_another_approved_is_booked_and_asked_about_no_more(
    world: World,
    waits: Waits,
    wanted: Any,  # noqa: ANN401 - a wish
    state: str,
    posted: list[tuple[str, str]],
    left: str,
) -> None:
    bet = await waits(world)
    before = await kinds(world)
    ((kind, is_open, _),) = await cases(world)
    assert is_open == "open"

    proposed = await propose(world, bet, wanted)
    assert (proposed.state, proposed.moved, await kinds(world)) == ("proposed", False, before)
    booked = await approve(world, proposed)

    after = await world.bet(bet)
    assert (booked.state, booked.decided_by) == (RulingState.BOOKED, "leo")
    assert (after.state, after.reason, after.due_at) == (state, "settled_by_hand", None)
    assert await kinds(world) == posted
    assert await world.ledger() == (left, "0.00")
    assert await cases(world) == [(kind, "closed", str(bet.bet_id))]
    row = await world.pool.fetchrow("SELECT closed_by, closed_reason FROM cases")
    assert row is not None
    assert tuple(row) == ("leo", f"settled by hand: {state}")
    assert await audited(world) == [("ana", "bet.ruling_proposed"), ("leo", "bet.ruling_booked")]
    world.network.sent.clear()
    world.clock.passed_s += 86_400
    await world.resolve()
    assert world.network.sent == []
    async with world.pool.acquire() as connection:
        assert await list_waiting(connection, now=world.clock.now) == []


async def test_the_callers_hear_what_people_have_ruled(world: World) -> None:
    bet = await unknown(world)
    await approve(world, await propose(world, bet, wish(VOID)))
    with pytest.raises(BetRefusedError) as refused:
        await world.place(world.wish(round_id=bet.round_id), key=bet.caller_key)
    assert refused.value.code == "settled_by_hand"

    other = await failed_payout(world)
    await approve(world, await propose(world, other, wish(LOST)))
    with pytest.raises(BetNotActiveError):
        await world.cash_out(other)


async def test_the_audit_says_who_what_why_and_how_it_was_before(world: World) -> None:
    bet = await failed_payout(world)
    proposed = await propose(world, bet, wish(CASHED_OUT, payout="12.00"))
    await approve(world, proposed)

    (_, said) = [
        row["detail"]
        for row in await world.pool.fetch(
            "SELECT detail FROM audit WHERE object = $1 ORDER BY audit_id", f"bet:{bet.bet_id}"
        )
    ]
    assert said["before"]["state"] == "cashing_out"
    assert said["before"]["reason"] == "payout_failed"
    assert said["after"] == {"state": "cashed_out"}
    assert {name: said[name] for name in ("outcome", "payout", "currency", "evidence")} == {
        "outcome": "cashed_out",
        "payout": "12.00",
        "currency": "GBP",
        "evidence": "SUP-1",
    }
    assert (said["proposed_by"], said["reason"], said["decision_reason"]) == (
        "ana",
        "they looked it up",
        "checked",
    )


async def test_who_proposed_it_may_not_book_it_and_the_database_says_so(world: World) -> None:
    bet = await failed_payout(world)
    proposed = await propose(world, bet, wish(LOST))

    for same in ("ana", "ANA", "staff:ana"):
        with pytest.raises(SelfApprovalError):
            await approve(world, proposed, step=by(same))
        with pytest.raises(asyncpg.CheckViolationError, match="bet_rulings_two_people_check"):
            await world.pool.execute(
                "UPDATE bet_rulings SET state = 'booked', decided_by = $1", same
            )
    with pytest.raises(asyncpg.CheckViolationError, match="bet_rulings_two_people_check"):
        await world.pool.execute("UPDATE bet_rulings SET state = 'booked'")

    assert (await read(world, proposed)).state is RulingState.PROPOSED
    assert (await world.bet(bet)).state == "cashing_out"


async def test_the_database_lets_a_ruling_be_decided_once_and_only_what_was_proposed(
    world: World, owner: Pool
) -> None:
    bet = await failed_payout(world)
    proposed = await propose(world, bet, wish(LOST))

    async def refused(statement: str, why: str) -> None:
        with pytest.raises(asyncpg.RestrictViolationError, match=why):
            await owner.execute(statement)

    await refused("UPDATE bet_rulings SET outcome = 'void', state = 'rejected'", "stays as it is")
    await refused("UPDATE bet_rulings SET reason = 'another'", "are decided once")
    await refused(
        "INSERT INTO bet_rulings SELECT (jsonb_populate_record(r, jsonb_build_object("
        "'ruling_id', gen_random_uuid(), 'proposed_step', gen_random_uuid(), 'state', 'booked',"
        " 'decided_by', 'leo'))).* FROM bet_rulings AS r",
        "begin as proposals",
    )
    await approve(world, proposed)
    await refused("UPDATE bet_rulings SET state = 'rejected'", "are decided once")
    await refused("DELETE FROM bet_rulings", "append-only")


async def test_verify_ties_a_ruling_to_its_bet_its_money_and_the_audit(
    world: World, owner: Pool
) -> None:
    bet = await failed_payout(world)
    await approve(world, await propose(world, bet, wish(CASHED_OUT, payout="12.00")))
    assert (await verify_books(world.pool)).faults == []

    for statement, said in (
        ("UPDATE bets SET payout = 1300", "no ruling that was booked says so"),
        ("UPDATE bets SET state = 'void', payout = 1200", "no ruling that was booked says so"),
        ("UPDATE bet_rulings SET payout = 1300", "was booked without its money"),
        ("DELETE FROM audit WHERE actor = 'leo'", "does not know that leo has booked it"),
        ("DELETE FROM audit WHERE actor = 'ana'", "does not know that ana has proposed it"),
    ):
        async with owner.acquire() as connection:
            undone = connection.transaction()
            await undone.start()
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(statement)
            faults = (await check_books(connection)).faults
            await undone.rollback()
        assert any(said in fault.detail for fault in faults if fault.check == "ruling"), statement


async def test_a_bet_that_is_not_for_people_is_refused(world: World) -> None:
    young = await in_play(world)
    with pytest.raises(BetNotWaitingError):
        await propose(world, young, wish(LOST))
    world.end_round()
    await world.resolve()
    world.clock.passed_s += 7200
    with pytest.raises(BetNotWaitingError):
        await propose(world, young, wish(VOID))
    with pytest.raises(BetNotFoundError):
        await propose_ruling(world.pool, new_id(), wish(LOST), step=by("ana"))

    assert (await world.bet(young)).state == "lost"


async def test_a_payout_that_the_bet_cannot_have_is_refused(world: World) -> None:
    bet = await stuck(world)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "payout_missing"),
        ({"payout": "-1.00"}, "invalid_amount"),
        ({"payout": "0.00"}, "invalid_amount"),
        ({"payout": "1.001"}, "invalid_amount"),
        ({"payout": "1e3"}, "invalid_amount"),
        ({"payout": "1" + "0" * 40}, "invalid_amount"),
        ({"payout": "1" + "0" * 34}, "payout_too_large"),
        ({"payout": "10000000000.01"}, "payout_too_large"),
        ({"payout": "25.00", "currency": "EUR"}, "currency_mismatch"),
        ({"payout": "25", "currency": "JPY"}, "currency_mismatch"),
        ({"payout": "25.00", "currency": "gbp"}, "unknown_currency"),
        ({"payout": "25.00", "currency": None}, "payout_missing"),
        ({"payout": "25.00", "ticket_id": "t_other"}, "ticket_mismatch"),
        ({"payout": "25.00", "payout_transaction_id": None}, "payout_transaction_missing"),
    ]
    for changes, code in wrong:
        with pytest.raises(ReconError) as refused:
            await propose(world, bet, wish(CASHED_OUT, **changes))
        assert (refused.value.code, changes) == (code, changes)

    assert await audited(world) == []


async def test_what_is_lost_or_void_pays_nothing_and_what_was_taken_has_a_ticket(
    world: World,
) -> None:
    bet = await unknown(world)
    for wanted, code in (
        (wish(LOST, payout="1.00"), "payout_unexpected"),
        (wish(VOID, payout_transaction_id="tx"), "payout_unexpected"),
        (wish(LOST), "ticket_missing"),
        (wish(CASHED_OUT, payout="1.00"), "ticket_missing"),
    ):
        with pytest.raises(ReconError) as refused:
            await propose(world, bet, wanted)
        assert refused.value.code == code


async def test_a_ticket_that_is_another_bets_books_nothing(world: World) -> None:
    other = await in_play(world)
    bet = await unknown(world)
    proposed = await propose(world, bet, wish(LOST, ticket_id=other.ticket_id))

    with pytest.raises(TicketTakenError):
        await approve(world, proposed)

    assert (await read(world, proposed)).state is RulingState.PROPOSED
    assert (await world.bet(bet)).state == "placing"
    await reject_ruling(world.pool, proposed.ruling_id, "a wrong ticket", step=by("leo"))
    again = await propose(world, bet, wish(VOID))
    await approve(world, again)
    assert (await world.bet(bet)).state == "rejected"


async def test_a_second_proposal_waits_for_the_first(world: World) -> None:
    bet = await failed_payout(world)
    first = await propose(world, bet, wish(LOST))
    with pytest.raises(RulingProposedError):
        await propose(world, bet, wish(VOID))

    rejected = await reject_ruling(world.pool, first.ruling_id, "not so", step=by("ana"))
    second = await propose(world, bet, wish(VOID))

    assert (rejected.state, rejected.decided_by) == (RulingState.REJECTED, "ana")
    assert second.state is RulingState.PROPOSED
    assert (await world.bet(bet)).state == "cashing_out"
    async with world.pool.acquire() as connection:
        listed = await list_rulings(connection, bet_id=bet.bet_id)
        (waiting,) = await list_waiting(connection, now=world.clock.now)
    assert [one.ruling_id for one in listed] == [second.ruling_id, first.ruling_id]
    assert (waiting.ruling_id, waiting.rests) == (second.ruling_id, True)
    assert waiting.case_reason is not None


async def test_what_the_game_answers_after_all_makes_it_stale_and_nothing_is_booked_twice(
    world: World,
) -> None:
    bet = await stuck(world, auto="2.00")
    proposed = await propose(world, bet, wish(CASHED_OUT, payout="20.00"))
    world.sandbox.book.bets[ticket_of(bet)].status = "cashed_out"
    await world.resolve(after_s=300)
    assert (await world.bet(bet)).state == "cashed_out"

    found = await read(world, proposed)
    assert (found.state, found.decision_reason) == (
        RulingState.STALE,
        "the game has answered after all: cashed_out",
    )
    with pytest.raises(StaleRulingError):
        await approve(world, proposed)
    assert await kinds(world) == [HELD, TAKEN, ("bet.payout", "20.00")]


async def test_a_proposal_of_a_bet_that_has_gone_on_is_stale_and_may_be_made_again(
    world: World,
) -> None:
    bet = await stuck(world, auto="2.00")
    first = await propose(world, bet, wish(LOST))
    ticket = world.sandbox.book.bets[ticket_of(bet)]
    assert ticket.payout is not None
    ticket.status, ticket.payout.status = "cashed_out", "pending"
    await world.resolve(after_s=300)
    assert (await world.bet(bet)).state == "cashing_out"

    assert (await read(world, first)).moved
    with pytest.raises(StaleRulingError):
        await approve(world, first)
    second = await propose(world, bet, wish(CASHED_OUT, payout="20.00"))
    await approve(world, second)

    assert (await read(world, first)).state is RulingState.STALE
    assert await kinds(world) == [HELD, TAKEN, ("bet.payout", "20.00")]
    assert [action for _, action in await audited(world)] == [
        "bet.ruling_proposed",
        "bet.ruling_stale",
        "bet.ruling_proposed",
        "bet.ruling_booked",
    ]


async def test_whoever_moves_the_bet_at_the_last_moment_makes_it_stale(world: World) -> None:
    bet = await stuck(world)
    proposed = await propose(world, bet, wish(LOST))

    async with world.pool.acquire() as other, other.transaction():
        await other.execute(
            "UPDATE bets SET state = 'cashing_out', payout_transaction_id = 'tx_1'"
            " WHERE bet_id = $1",
            bet.bet_id,
        )
        approving = asyncio.create_task(approve(world, proposed))
        async with asyncio.timeout(60):
            while not await world.pool.fetchval(  # noqa: ASYNC110 - it is in the database
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            ):
                await asyncio.sleep(0.01)
    with pytest.raises(StaleRulingError):
        await approving

    assert (await world.bet(bet)).state == "cashing_out"
    assert (await read(world, proposed)).state is RulingState.STALE


async def test_who_cannot_have_the_bet_in_time_is_told_to_come_again(
    world: World, owner: Pool
) -> None:
    bet = await failed_payout(world)
    proposed = await propose(world, bet, wish(LOST))
    await owner.execute(
        "CREATE OR REPLACE FUNCTION bets_begin() RETURNS void LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM set_config('lock_timeout', '20ms', true); END$$"
    )

    async with world.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM bets FOR NO KEY UPDATE")
        with pytest.raises(BetInProgressError):
            await approve(world, proposed)

    assert (await approve(world, proposed)).state is RulingState.BOOKED


async def test_a_new_proposal_closes_one_that_has_moved(world: World) -> None:
    bet = await failed_payout(world)
    first = await propose(world, bet, wish(LOST))
    await world.pool.execute("UPDATE bets SET payout = payout + 1")

    second = await propose(world, bet, wish(VOID))

    assert (await read(world, first)).state is RulingState.STALE
    assert (await read(world, second)).state is RulingState.PROPOSED


async def test_a_look_in_vain_makes_nothing_stale(world: World) -> None:
    bet = await stuck(world)
    proposed = await propose(world, bet, wish(LOST))
    world.clock.passed_s += 3600
    for _ in range(3):
        assert (await world.resolve(after_s=300)).claimed == 1

    assert not (await read(world, proposed)).moved
    assert (await approve(world, proposed)).state is RulingState.BOOKED


async def test_many_who_approve_at_once_book_it_once(world: World) -> None:
    bet = await failed_payout(world)
    proposed = await propose(world, bet, wish(CASHED_OUT, payout="12.00"))

    outcomes = await asyncio.gather(
        *(approve(world, proposed, step=by(f"approver_{n}")) for n in range(8)),
        return_exceptions=True,
    )

    assert sum(isinstance(one, Ruling) for one in outcomes) == 1
    assert sum(isinstance(one, RulingDecidedError) for one in outcomes) == 7
    assert await kinds(world) == [HELD, TAKEN, ("bet.payout", "12.00")]


async def test_the_same_intent_proposes_once_and_decides_once(world: World) -> None:
    bet = await failed_payout(world)
    proposing, approving = by("ana"), by("leo")

    first = await propose(world, bet, wish(LOST), step=proposing)
    assert await propose(world, bet, wish(LOST), step=proposing) == first
    booked = await approve(world, first, step=approving)
    assert await approve(world, first, step=approving) == booked
    again = await propose(world, bet, wish(LOST), step=proposing)

    assert again.ruling_id == first.ruling_id
    assert len(await audited(world)) == 2


async def until_asked(world: World, call: str) -> None:
    async with asyncio.timeout(60):
        while not world.network.asked(call):  # noqa: ASYNC110 - the network calls nobody
            await asyncio.sleep(0.01)


async def test_what_the_game_says_while_people_rule_is_not_booked_as_well(world: World) -> None:
    bet = await stuck(world, auto="2.00")
    proposed = await propose(world, bet, wish(LOST))
    world.sandbox.book.bets[ticket_of(bet)].status = "cashed_out"
    loop = asyncio.get_running_loop()
    hangs = world.network.hanging["GET /api/v1/payouts"] = loop.create_future()
    world.clock.passed_s += 300
    looking = asyncio.create_task(resolve_due(world.pool, world.game, now=world.clock.now))
    await until_asked(world, "GET /api/v1/payouts")

    booked = await approve(world, proposed)
    hangs.set_result(None)
    await looking

    assert booked.state is RulingState.BOOKED
    assert ((await world.bet(bet)).state, await kinds(world)) == ("lost", [HELD, TAKEN])
    assert [kind for kind, state, _ in await cases(world) if state == "open"] == ["late_bet"]


async def test_while_something_is_sent_for_a_bet_nobody_rules_on_it(world: World) -> None:
    await world.deposit("100.00")
    world.network.always.append(("POST /api/v1/bets/holds", "before"))
    bet = await world.place()
    world.network.always.append(("GET /api/v1/bets", "before"))
    world.clock.passed_s += 7200
    await world.resolve()
    proposed = await propose(world, bet, wish(VOID))
    world.network.always.clear()
    loop = asyncio.get_running_loop()
    hangs = world.network.hanging["idempotency_key="] = loop.create_future()
    world.network.sent.clear()
    world.clock.passed_s += 300
    looking = asyncio.create_task(resolve_due(world.pool, world.game, now=world.clock.now))
    await until_asked(world, "idempotency_key=")

    with pytest.raises(BetInProgressError):
        await approve(world, proposed)
    assert (await read(world, proposed)).state is RulingState.PROPOSED
    world.clock.passed_s += 46
    booked = await approve(world, proposed)
    hangs.set_result(None)
    await looking

    assert booked.state is RulingState.BOOKED
    assert await world.ledger() == ("100.00", "0.00")


async def test_while_the_game_is_asked_again_nobody_rules(world: World) -> None:
    world.clock.ticking = True
    bet = await failed_payout(world)
    proposed = await propose(world, bet, wish(LOST))
    case_id = await world.pool.fetchval("SELECT case_id FROM cases")
    await close_case(world.pool, case_id, "they try again", actor="staff:mia")

    with pytest.raises(BetNotWaitingError):
        await approve(world, proposed)
    await world.resolve()

    assert (await approve(world, proposed)).state is RulingState.BOOKED
    assert [state for _, state, _ in await cases(world)] == ["closed", "closed"]


async def test_who_dies_anywhere_has_booked_all_of_it_or_nothing(world: World) -> None:
    for at in range(1, 100):
        bet = await world_with_one(world, at)
        proposed = await propose(world, bet, wish(CASHED_OUT, payout="12.00"))
        died = await killed(approve(world, proposed), at)
        after, ruled = await world.bet(bet), await read(world, proposed)
        open_cases = await world.pool.fetchval(
            "SELECT count(*) FROM cases WHERE state = 'open' AND reference = $1", str(bet.bet_id)
        )
        told = await world.pool.fetchval(
            "SELECT count(*) FROM audit WHERE action = 'bet.ruling_booked' AND object = $1",
            f"bet:{bet.bet_id}",
        )
        money = await world.ledger(f"u_{at}")
        if ruled.state is RulingState.BOOKED:
            assert (after.state, money, open_cases, told) == (
                "cashed_out",
                ("102.00", "0.00"),
                0,
                1,
            )
        else:
            assert (after.state, money, open_cases, told) == (
                "cashing_out",
                ("90.00", "0.00"),
                1,
                0,
            )
        if not died:
            break
    assert at > 10
    assert ruled.state is RulingState.BOOKED


async def world_with_one(world: World, number: int) -> Bet:
    """A bet of another player whose payout has failed, written as the resolver leaves it."""
    user = f"u_{number}"
    await world.deposit("100.00", user)
    bet: Bet = await world.place(world.wish(user=user))
    await world.pool.execute(
        "UPDATE bets SET state = 'cashing_out', payout_transaction_id = $2, due_at = NULL,"
        " reason = 'payout_failed', resting = true WHERE bet_id = $1",
        *(bet.bet_id, f"tx_{number}"),
    )
    await world.pool.execute(
        "INSERT INTO cases (case_id, kind, reference, user_id, reason)"
        " VALUES ($1, 'payout_failed', $2, $3, 'failed')",
        *(new_id(), str(bet.bet_id), user),
    )
    return bet


async def test_bets_cases_have_their_place_among_all_cases() -> None:
    assert set(CASE_KINDS) <= set(inbox.CASE_KINDS)
