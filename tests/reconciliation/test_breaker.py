"""Where much differs and nothing explains it, a run stops with one incident, not thousands."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from prometheus_client import REGISTRY

from recon.payments import ExpectedPayment
from recon.reconciliation import (
    Cause,
    RunScope,
    RunState,
    Status,
    abandon_run,
    climb_all,
    list_incidents,
    run_here,
    start_run,
    sweep,
)
from recon.reconciliation import drive as driving
from recon.reconciliation import examine as examining
from recon.reconciliation.account import account_for
from recon.reconciliation.breaker import Counted, is_mass, still_stands
from recon.webhooks import register_payment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from recon.db import Pool
    from recon.reconciliation import Incident, Reconciler
    from recon.reconciliation.account import Account
    from recon.reconciliation.compare import Comparison
    from tests.reconciliation.conftest import World

PLAYERS = [f"u_{number:03}" for number in range(120)]


async def give_everybody(
    world: World, owner: Pool, *, shown: str, players: Sequence[str] = PLAYERS
) -> None:
    """A hundred pounds here, booked long ago, and what the game shows."""
    for user in players:
        await world.deposit(user, "100.00")
        world.game.set(user, shown)
    # What has just happened would be waited for, not reported.
    await book_earlier(owner, timedelta(days=1))


async def book_earlier(owner: Pool, span: timedelta) -> None:
    """As if all that is booked had been booked so much earlier."""
    async with owner.acquire() as connection:
        await connection.execute("ALTER TABLE postings DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE postings SET recorded_at = recorded_at - $1::interval", span
        )
        await connection.execute("ALTER TABLE postings ENABLE TRIGGER USER")


async def incidents(world: World, *, only_open: bool = True) -> list[Incident]:
    async with world.pool.acquire() as connection:
        return await list_incidents(connection, only_open=only_open)


def stopped() -> float:
    return REGISTRY.get_sample_value("recon_reconciliation_stopped_total") or 0.0


@pytest.mark.parametrize(
    ("looked", "differed", "mass"),
    [
        *((19, 19, False), (20, 20, True), (22, 20, True), (23, 20, False)),
        *((99, 49, False), (100, 50, True), (101, 50, False)),
        *((4_990, 499, False), (5_000, 500, True), (5_001, 500, False)),
    ],
)
def test_the_more_differ_the_smaller_a_share_of_them_may_be_one_fault(
    looked: int, differed: int, *, mass: bool
) -> None:
    assert is_mass(Counted(looked, differed)) is mass


def test_a_sample_that_the_game_told_nothing_of_says_nothing() -> None:
    assert not still_stands(0, 0)
    assert not still_stands(20, 9)
    assert still_stands(20, 10)


async def test_a_game_that_shows_wrong_balances_to_all_stops_the_run_with_one_incident(
    world: World, owner: Pool
) -> None:
    await give_everybody(world, owner, shown="100.01")
    before = stopped()

    first = await world.run()
    second = await world.run(RunScope.CHANGED)
    (incident,) = await incidents(world)

    for run in (first, second):
        assert (run.state, run.wallets.discrepant, run.changes.opened) == (
            RunState.INCOMPLETE,
            0,
            0,
        )
        assert run.reason is not None
        assert "120 of 120 wallets" in run.reason
        assert (run.wallets.compared, run.wallets.not_compared) == (0, 120)
    assert await world.found(*Status) == []
    assert (incident.cause, incident.root) == (Cause.UNEXPLAINED, "the game")
    assert (incident.looked, incident.differed) == (120, 120)
    assert incident.until_at > first.finished_at  # type: ignore[operator]  # it has ended
    assert stopped() == before + 2


async def test_it_ends_with_the_next_run_that_is_normal_and_not_before(
    world: World, owner: Pool
) -> None:
    await give_everybody(world, owner, shown="100.01")
    await world.run()
    world.game.set("u_000", "100.00")
    await world.run(RunScope.USERS, "u_000")
    assert len(await incidents(world)) == 1

    for user in PLAYERS[1:]:
        world.game.set(user, "100.00")
    world.game.set("u_007", "100.02")
    run = await world.run(RunScope.CHANGED)

    assert (run.state, run.wallets.agreed, run.wallets.discrepant) == (RunState.FINISHED, 119, 1)
    assert [one.user_id for one in await world.found()] == ["u_007"]
    assert await incidents(world) == []
    (closed,) = await incidents(world, only_open=False)
    assert closed.closed_at is not None


async def test_a_game_that_knows_none_of_the_players_stops_the_run(
    world: World, owner: Pool
) -> None:
    """A test game in place of the real one: each balance here would explain its difference."""
    await give_everybody(world, owner, shown="100.00")
    world.game.balances.clear()

    run = await world.run()

    assert (run.state, await world.found(*Status)) == (RunState.INCOMPLETE, [])
    assert len(await incidents(world)) == 1


async def test_a_fault_that_passes_within_the_grace_period_stops_nothing(
    world: World, owner: Pool
) -> None:
    await give_everybody(world, owner, shown="100.01")

    async def the_game_recovers() -> None:
        await asyncio.sleep(0.2)
        for user in PLAYERS:
            world.game.set(user, "100.00")

    run, _ = await asyncio.gather(world.run(), the_game_recovers())

    assert (run.state, run.wallets.agreed) == (RunState.FINISHED, 120)
    assert await incidents(world, only_open=False) == []


async def test_a_night_on_which_only_known_differences_are_looked_at_stops_nothing(
    world: World, owner: Pool
) -> None:
    known, others = PLAYERS[:22], PLAYERS[22:24]
    await give_everybody(world, owner, shown="100.01", players=known)
    await give_everybody(world, owner, shown="100.00", players=others)
    await world.run(RunScope.USERS, *known)  # each was found by itself, over weeks
    await world.run(RunScope.USERS, *others)
    for user in others:
        await world.deposit(user, "1.00")
        world.game.set(user, "101.00")
    world.game.set(others[0], "150.00")

    run = await world.run(RunScope.CHANGED)

    assert (run.state, run.changes.opened, run.changes.persisting) == (RunState.FINISHED, 1, 22)
    assert await incidents(world, only_open=False) == []


async def test_players_who_are_named_are_told_of_however_many_of_them_differ(
    world: World, owner: Pool
) -> None:
    await give_everybody(world, owner, shown="100.01", players=PLAYERS[:24])

    run = await world.run(RunScope.USERS, *PLAYERS[:24])

    assert (run.state, run.wallets.discrepant) == (RunState.FINISHED, 24)


async def test_a_fault_that_begins_in_the_middle_of_a_range_stops_the_run(
    world: World, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_PAGE", 24)
    await give_everybody(world, owner, shown="100.00", players=PLAYERS[:24])
    await give_everybody(world, owner, shown="100.01", players=PLAYERS[24:48])

    run = await world.run()

    assert (run.state, await world.found(*Status)) == (RunState.INCOMPLETE, [])
    (incident,) = await incidents(world)
    assert (incident.looked, incident.differed) == (48, 24)


async def test_a_wallet_of_the_sample_that_we_stumble_over_holds_up_neither_its_run_nor_others(
    world: World, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await give_everybody(world, owner, shown="100.01", players=PLAYERS[:24])

    async def stumble(reconciler: Reconciler, seen: Comparison) -> Account:
        if seen.snapshot.user_id in PLAYERS[:6]:
            raise ZeroDivisionError
        return await account_for(reconciler, seen)

    monkeypatch.setattr(examining, "account_for", stumble)
    run = await world.run()

    assert (run.state, await world.found(*Status)) == (RunState.INCOMPLETE, [])
    assert len(await incidents(world)) == 1


async def test_a_run_that_cannot_be_gone_on_with_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await start_run(world.pool, RunScope.CHANGED, trigger="test") for _ in range(2)]
    climbed = []

    async def stumble(_: Reconciler, run_id: UUID, *, dry_run: bool) -> None:
        del dry_run
        climbed.append(run_id)
        raise ZeroDivisionError

    monkeypatch.setattr(driving, "climb", stumble)
    await climb_all(world.reconciler)

    assert {*climbed} == {*runs}


async def test_what_was_excused_once_excuses_nothing_that_comes_after(
    world: World, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_PAGE", 20)
    late, broken = PLAYERS[:20], PLAYERS[20:40]
    await register_deposits(world, owner, late)
    await give_everybody(world, owner, shown="100.01", players=broken)

    run = await world.run(RunScope.CHANGED)

    assert run.state is RunState.INCOMPLETE
    assert run.reason is not None
    assert "20 of 20 wallets" in run.reason
    assert {one.user_id for one in await world.found(*Status)} <= set(late)


async def register_deposits(world: World, owner: Pool, players: Sequence[str]) -> None:
    """The game has twenty pounds of which no PSP has told us."""
    for user in players:
        expected = {
            "reference": f"dep-{user}",
            "endpoint": "stripe",
            "direction": "deposit",
            "user_id": user,
            "amount": "20.00",
            "currency": "GBP",
        }
        await register_payment(world.pool, msgspec.convert(expected, ExpectedPayment))
        world.game.set(user, "20.00")
    async with owner.acquire() as connection:
        await connection.execute(
            "UPDATE payments SET registered_at = registered_at - interval '1 hour'"
        )


async def test_what_a_psp_did_not_tell_is_reported_however_much_it_is(
    world: World, owner: Pool
) -> None:
    await register_deposits(world, owner, PLAYERS)

    run = await world.run(RunScope.CHANGED)
    (incident,) = await incidents(world)

    assert (run.state, run.wallets.discrepant) == (RunState.FINISHED, 120)
    assert (incident.cause, incident.root, incident.discrepancies) == (
        Cause.MISSING_WEBHOOK,
        "stripe",
        120,
    )


async def test_a_game_that_falls_silent_meanwhile_is_waited_for_and_looked_into_then(
    world: World, owner: Pool
) -> None:
    await give_everybody(world, owner, shown="100.01")

    async def and_comes_back_as_wrong_as_before() -> None:
        while len(world.game.asked) < 2 * len(PLAYERS):  # noqa: ASYNC110 - another's calls
            await asyncio.sleep(0.01)
        world.game.broken |= set(PLAYERS)
        await asyncio.sleep(0.3)
        world.game.broken.clear()

    run, _ = await asyncio.gather(world.run(), and_comes_back_as_wrong_as_before())

    assert (run.state, await world.found(*Status)) == (RunState.INCOMPLETE, [])
    assert len(await incidents(world)) == 1


async def test_a_dry_run_stops_as_well_and_opens_no_incident(world: World, owner: Pool) -> None:
    await give_everybody(world, owner, shown="100.01")

    run = await world.run(dry=True)

    assert run.state is RunState.INCOMPLETE
    assert await incidents(world, only_open=False) == []


async def test_what_a_run_that_was_cut_short_left_is_compared_by_the_next_of_what_changed(
    world: World, owner: Pool
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "10.00")
    left = await start_run(world.pool, RunScope.CHANGED, trigger="test", queued=False)
    await abandon_run(world.pool, left, "interrupted")
    await book_earlier(owner, timedelta(minutes=2))

    run_id = await start_run(world.pool, RunScope.CHANGED, trigger="test", queued=False)
    run = await run_here(world.reconciler, run_id)

    assert (run.state, run.wallets.agreed) == (RunState.FINISHED, 1)
