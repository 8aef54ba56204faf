"""What no answer of the game settles is shown to people, and comes to rest when it is put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recon.bets import queries
from recon.bets.settle import ticket_of
from recon.ledger import verify_books
from recon.sandbox.betting import confirm
from recon.webhooks.close_case import close_case
from tests.bets.conftest import open_world

if TYPE_CHECKING:
    from recon.bets import Bet
    from recon.db import Pool
    from recon.game import Outgoing
    from tests.bets.conftest import World

HOUR_S = 3600.0


async def cases(world: World) -> list[tuple[str, str, str]]:
    """Kind, state and bet of every case."""
    rows = await world.pool.fetch("SELECT kind, state, reference FROM cases ORDER BY case_id")
    return [tuple(row) for row in rows]


async def look_for_long(world: World) -> None:
    """Ten minutes of looks, more than an hour after whatever there is."""
    world.clock.passed_s += 2 * HOUR_S
    for _ in range(20):
        await world.resolve(after_s=30)


async def in_play(world: World, **wish: Any) -> Bet:  # noqa: ANN401 - as `World.wish`
    await world.deposit("100.00")
    bet: Bet = await world.place(world.wish(**wish))
    return bet


async def test_a_question_that_is_never_answered_is_a_case_until_it_is(world: World) -> None:
    bet = await in_play(world)
    world.end_round()
    world.network.always.append((f"GET /api/v1/bets/{bet.ticket_id}", "after"))

    await world.resolve()
    assert await cases(world) == []
    await look_for_long(world)
    assert await cases(world) == [("unresolved_bet", "open", str(bet.bet_id))]
    world.network.always.clear()
    await world.resolve(after_s=300)

    assert (await world.bet(bet)).state == "lost"
    assert await cases(world) == [("unresolved_bet", "closed", str(bet.bet_id))]


async def test_a_payout_that_stays_pending_is_a_case(world: World) -> None:
    bet = await in_play(world, auto="2.00")
    world.end_round()
    payout = world.sandbox.book.bets[ticket_of(bet)].payout
    assert payout is not None
    payout.status = "pending"

    await look_for_long(world)

    assert await cases(world) == [("unresolved_bet", "open", str(bet.bet_id))]
    assert (await world.bet(bet)).state == "cashing_out"
    payout.status = "completed"
    await world.resolve(after_s=300)
    assert await cases(world) == [("unresolved_bet", "closed", str(bet.bet_id))]


async def test_a_bet_that_stays_active_after_its_round_is_a_case(world: World) -> None:
    bet = await in_play(world)
    world.end_round()
    found = world.sandbox.book.bets[ticket_of(bet)]
    found.status = "active"

    await look_for_long(world)

    assert await cases(world) == [("unresolved_bet", "open", str(bet.bet_id))]
    found.status = "lost"


@pytest.mark.parametrize("asked", [False, True])
async def test_a_ticket_that_is_another_bets_is_for_people(
    pool: Pool,
    asked: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async with open_world(pool) as world:
        first = await in_play(world)
        if asked:
            world.network.lose("/confirm", "after")
            world.network.retell(
                "idempotency_key=",
                lambda said: {**said, "bet": {**said["bet"], "ticket_id": first.ticket_id}},
            )
        else:
            world.network.retell(
                "/confirm", lambda ticket: {**ticket, "ticket_id": first.ticket_id}
            )
        second = await world.place()
        other = await world.place(world.wish("5.00")) if asked else None
        await world.resolve()

        after = await world.bet(second)
        assert (after.state, after.reason, after.due_at) == ("placing", "bet_mismatch", None)
        assert await cases(world) == [("bet_mismatch", "open", str(second.bet_id))]
        assert (await world.bet(first)).state == "placed"
        assert other is None or other.state == "placed"
        assert await world.ledger() == (("75.00", "10.00") if asked else ("80.00", "10.00"))
        assert (await verify_books(pool)).faults == []


async def test_a_bet_that_breaks_us_for_long_is_a_case(world: World) -> None:
    bet = await in_play(world)
    world.end_round()

    def explode(outgoing: Outgoing) -> None:
        if ticket_of(bet) in outgoing.target:
            raise RuntimeError("a fault of ours")

    world.network.on_answer = explode
    await world.resolve()
    assert await cases(world) == []
    world.clock.passed_s += 2 * HOUR_S
    tick = await world.resolve()

    assert tick.failed == 1
    assert await cases(world) == [("unresolved_bet", "open", str(bet.bet_id))]
    world.network.on_answer = lambda _: None


@pytest.mark.parametrize("status", ["pending", None])
async def test_a_payout_of_a_round_that_was_cancelled_is_not_awaited_for_ever(
    world: World, status: str | None
) -> None:
    bet = await in_play(world)
    world.fly()
    await world.cash_out(bet)
    payout = world.sandbox.book.bets[ticket_of(bet)].payout
    assert payout is not None
    world.sandbox.engine.cancel_current(world.sandbox.timeline.catch_up())
    if status is None:
        del world.sandbox.book.payouts[payout.transaction_id]
    else:
        payout.status = status

    await look_for_long(world)

    assert (await world.bet(bet)).state == "void"
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_a_payout_of_another_amount_than_was_promised_is_booked_and_shown(
    world: World,
) -> None:
    bet = await in_play(world)
    world.fly()
    promised = (await world.cash_out(bet)).payout
    payout = world.sandbox.book.bets[ticket_of(bet)].payout
    assert promised is not None
    assert payout is not None
    payout.amount_minor = 20_00
    world.end_round()

    await world.resolve()

    after = await world.bet(bet)
    assert (after.state, str(after.payout)) == ("cashed_out", "20.00")
    assert await cases(world) == [("payout_mismatch", "open", str(bet.bet_id))]
    (reason,) = await world.pool.fetchrow("SELECT reason FROM cases")
    assert reason == f"payout {payout.transaction_id} is 20.00 GBP, {promised} GBP was promised"


async def test_a_hold_with_another_target_is_given_back(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose("POST /api/v1/bets/holds", "after")
    bet = await world.place(world.wish(auto="2.00"))
    world.sandbox.book.by_key["u_1", str(bet.hold_key)].auto_cashout = 5_00

    await world.resolve()

    after = await world.bet(bet)
    assert (after.state, after.reason) == ("rejected", "auto_cashout_mismatch")
    assert world.network.calls("/confirm") == []
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_a_bet_with_another_target_is_booked_and_shown(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose("/confirm", "after")
    bet = await world.place(world.wish(auto="2.00"))
    world.sandbox.book.by_key["u_1", str(bet.hold_key)].auto_cashout = None

    await world.resolve()

    assert (await world.bet(bet)).state == "placed"
    assert await cases(world) == [("bet_mismatch", "open", str(bet.bet_id))]
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


@pytest.mark.parametrize("code", ["not_found", "hold_expired"])
async def test_a_hold_that_cannot_be_released_any_more_may_be_a_bet(
    world: World, code: str
) -> None:
    await world.deposit("100.00")
    world.network.lose("/confirm", "before")
    bet = await world.place()
    world.network.say("/confirm", 403, "user_not_allowed")
    world.network.say("/release", 404 if code == "not_found" else 409, code)
    hold = world.sandbox.book.by_key["u_1", str(bet.hold_key)]

    def arrive(outgoing: Outgoing) -> None:
        """The confirm that was lost arrives at last."""
        if "idempotency_key=" in outgoing.target and hold.bet is None:
            confirm(world.sandbox.book, hold, world.sandbox.timeline.catch_up())

    asked = 0

    def count(outgoing: Outgoing) -> None:
        nonlocal asked
        asked += "idempotency_key=" in outgoing.target
        if asked == 2:
            arrive(outgoing)

    world.network.on_answer = count
    await world.resolve()

    assert (await world.bet(bet)).state == "placed"
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_a_bet_that_rests_is_asked_about_again_when_its_case_is_closed(world: World) -> None:
    world.clock.ticking = True
    bet = await in_play(world)
    world.fly()
    await world.cash_out(bet)
    payout = world.sandbox.book.bets[ticket_of(bet)].payout
    assert payout is not None
    payout.status = "failed"
    await world.resolve()
    assert (await world.bet(bet)).due_at is None

    await close_the_case(world, "the operator looks into it")
    await world.resolve()
    assert (await world.bet(bet)).due_at is None
    assert [case[:2] for case in await cases(world)] == [
        ("payout_failed", "closed"),
        ("payout_failed", "open"),
    ]
    payout.status = "pending"
    await close_the_case(world, "the operator pays it after all")
    world.end_round()
    await world.resolve()

    assert (await world.bet(bet)).state == "cashed_out"
    assert [case[:2] for case in await cases(world)] == [("payout_failed", "closed")] * 2


async def close_the_case(world: World, reason: str) -> None:
    case_id = await world.pool.fetchval("SELECT case_id FROM cases WHERE state = 'open'")
    await close_case(world.pool, case_id, reason, actor="staff:ada")


async def test_a_payout_that_is_not_the_stake_times_the_multiplier_is_booked_and_shown(
    world: World,
) -> None:
    bet = await in_play(world, auto="2.00")
    world.end_round()
    payout = world.sandbox.book.bets[ticket_of(bet)].payout
    assert payout is not None
    payout.amount_minor = 200_00
    world.sandbox.backend.credit("u_1", "GBP", 180_00)

    await world.resolve()

    after = await world.bet(bet)
    assert (after.state, str(after.payout)) == ("cashed_out", "200.00")
    assert await cases(world) == [("payout_mismatch", "open", str(bet.bet_id))]
    (reason,) = await world.pool.fetchrow("SELECT reason FROM cases")
    assert reason == f"payout {payout.transaction_id} is 200.00 GBP, for 10.00 GBP at 2.00"


async def test_a_wrong_hold_that_has_lapsed_frees_the_stake_once_its_case_is_closed(
    world: World,
) -> None:
    await world.deposit("100.00")
    world.clock.ticking = True
    world.network.lose("POST /api/v1/bets/holds", "after")
    bet = await world.place()
    hold = world.sandbox.book.by_key["u_1", str(bet.hold_key)]
    world.sandbox.backend.release("u_1", "GBP", 1, ref=hold.hold_id)
    hold.amount_minor = 9_99
    await world.resolve()
    assert (await world.bet(bet)).reason == "bet_mismatch"

    world.clock.passed_s += 60.0
    await world.resolve()
    assert await world.ledger() == ("90.00", "10.00")
    await close_the_case(world, "the hold has lapsed at the game")
    await world.resolve()

    assert ((await world.bet(bet)).state, await cases(world)) == (
        "rejected",
        [("bet_mismatch", "closed", str(bet.bet_id))],
    )
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


@pytest.mark.parametrize("state", ["placing", "placed"])
async def test_a_wrong_bet_that_the_operator_voids_gives_the_stake_back(
    world: World, state: str
) -> None:
    await world.deposit("100.00")
    world.clock.ticking = True
    if state == "placing":
        world.network.lose("/confirm", "after")
    bet = await world.place()
    hold = world.sandbox.book.by_key["u_1", str(bet.hold_key)]
    world.sandbox.backend.give_back("u_1", "GBP", 1, ref=hold.hold_id)
    hold.amount_minor = 9_99
    world.fly()
    world.clock.passed_s += 60.0
    await world.resolve()
    resting = await world.bet(bet)
    assert (resting.state, resting.reason) == (state, "bet_mismatch")
    assert hold.bet is not None

    hold.bet.status = "void"
    world.sandbox.backend.give_back("u_1", "GBP", 9_99, ref=hold.bet.ticket_id)
    await close_the_case(world, "the operator has voided it")
    await world.resolve()

    after = await world.bet(bet)
    assert after.state == ("rejected" if state == "placing" else "void")
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_who_stops_while_a_case_is_opened_holds_its_bet_ten_seconds_at_most(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bet = await in_play(world)
    world.fly()
    await world.cash_out(bet)
    payout = world.sandbox.book.bets[ticket_of(bet)].payout
    assert payout is not None
    payout.status = "failed"
    opens, limits = queries.open_case, []

    async def look(connection: Any, *args: Any, **more: Any) -> bool:  # noqa: ANN401 - as it is
        limits.extend(
            [
                await connection.fetchval(f"SHOW {name}")
                for name in ("idle_in_transaction_session_timeout", "lock_timeout")
            ]
        )
        return await opens(connection, *args, **more)

    monkeypatch.setattr(queries, "open_case", look)
    await world.resolve()

    assert limits == ["10s", "2s"]
    payout.status = "pending"
    await world.pool.execute("UPDATE bets SET due_at = $1", world.clock.now())
