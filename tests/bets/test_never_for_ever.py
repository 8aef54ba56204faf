"""No money stays in a bet for ever without somebody being shown it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from recon.bets.settle import ticket_of
from recon.webhooks.close_case import close_case
from recon.webhooks.inbox import refresh_case_gauges
from tests.bets.test_for_people import HOUR_S, cases, in_play, look_for_long

if TYPE_CHECKING:
    from recon.bets import Bet
    from tests.bets.conftest import World

DAY_S = 24 * HOUR_S


async def test_a_bet_whose_round_never_ends_is_shown_to_people(world: World) -> None:
    bet = await in_play(world)
    world.fly()
    world.network.retell(
        "/game/state",
        lambda state: {
            **state,
            "round_id": bet.round_id,
            "status": "active",
            "current_multiplier": 1.5,
        },
    )
    world.network.retell(f"/bets/{bet.ticket_id}", lambda ticket: {**ticket, "status": "active"})

    await world.resolve()
    assert not world.network.asked(f"GET /api/v1/bets/{bet.ticket_id}")
    await look_for_long(world)

    assert await cases(world) == [("unresolved_bet", "open", str(bet.bet_id))]


async def test_while_the_game_tells_nothing_for_hours_its_bets_are_shown_to_people(
    world: World,
) -> None:
    bet = await in_play(world)
    world.end_round()
    world.network.always.append(("GET /api/v1/game/state", "before"))

    world.clock.passed_s += HOUR_S
    await world.resolve()
    assert await cases(world) == []
    await look_for_long(world)
    assert await cases(world) == [("unresolved_bet", "open", str(bet.bet_id))]
    world.network.always.clear()
    await world.resolve(after_s=300)

    assert (await world.bet(bet)).state == "lost"
    assert await cases(world) == [("unresolved_bet", "closed", str(bet.bet_id))]


async def test_a_bet_without_an_outcome_is_shown_again_a_day_after_its_case_was_closed(
    world: World,
) -> None:
    world.clock.ticking = True
    bet = await stuck(world)
    await look_for_long(world)
    case_id = await world.pool.fetchval("SELECT case_id FROM cases WHERE state = 'open'")
    await close_case(world.pool, case_id, "the operator looks into it", actor="staff:ada")

    world.clock.passed_s += DAY_S / 2
    await world.resolve()
    assert [state for _, state, _ in await cases(world)] == ["closed"]
    world.clock.passed_s += DAY_S / 2
    await world.resolve()

    assert [state for _, state, _ in await cases(world)] == ["closed", "open"]
    world.sandbox.book.bets[ticket_of(bet)].status = "lost"


async def test_the_gauge_of_a_kind_of_bets_cases_falls_to_nothing_with_the_last(
    world: World,
) -> None:
    bet = await stuck(world)
    await look_for_long(world)

    await refresh_case_gauges(world.pool)
    assert gauge() == 1
    world.sandbox.book.bets[ticket_of(bet)].status = "lost"
    await world.resolve(after_s=300)
    await refresh_case_gauges(world.pool)

    assert gauge() == 0


async def stuck(world: World) -> Bet:
    """A bet that the game still has in play after its round."""
    bet = await in_play(world)
    world.end_round()
    world.sandbox.book.bets[ticket_of(bet)].status = "active"
    return bet


def gauge() -> float | None:
    return REGISTRY.get_sample_value("recon_cases_open", {"kind": "unresolved_bet"})


async def test_a_bet_put_off_by_a_clock_that_was_ahead_does_not_wait_for_that_time(
    world: World,
) -> None:
    bet = await in_play(world)
    world.end_round()
    await world.pool.execute("UPDATE bets SET due_at = due_at + interval '400 days'")

    await world.resolve()

    assert (await world.bet(bet)).state == "lost"


async def test_a_bet_that_somebody_works_on_is_not_taken_from_them_by_a_clock_that_is_behind(
    world: World,
) -> None:
    bet = await in_play(world)
    world.end_round()
    await world.pool.execute(
        "UPDATE bets SET due_at = due_at + interval '3 hours', resting = false"
    )

    assert (await world.resolve()).claimed == 0
    await world.pool.execute("UPDATE bets SET due_at = $1", world.clock.now())
    await world.resolve()
    assert (await world.bet(bet)).state == "lost"
