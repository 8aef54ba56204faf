"""While the game is out of reach nothing is sent and nothing lost; then all goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recon.bets import BetState, GameUnreachableError

if TYPE_CHECKING:
    from tests.bets.conftest import World


async def open_breaker(world: World) -> None:
    """The game refuses connections until nobody tries any more."""
    world.network.always.append(("/", "refused"))
    while True:
        before = len(world.network.sent)
        with pytest.raises(GameUnreachableError):
            await world.place()
        world.clock.passed_s += 0.4
        if len(world.network.sent) == before:
            return


async def test_a_bet_whose_hold_was_never_sent_frees_its_stake_at_once(world: World) -> None:
    await world.deposit("100.00")

    await open_breaker(world)

    bets = await world.bets()
    assert {(bet.state, bet.reason) for bet in bets} == {(BetState.REJECTED, "game_unavailable")}
    assert await world.ledger() == ("100.00", "0.00")
    assert len(world.network.sent) < 2 * len(bets)


async def test_the_same_wish_goes_through_once_the_game_is_back(world: World) -> None:
    await world.deposit("100.00")
    await open_breaker(world)
    world.network.always.clear()
    world.clock.passed_s += 2.0
    world.network.sent.clear()

    bet = await world.place(key="mine")

    assert bet.state is BetState.PLACED
    # A question went ahead: no bet is the probe.
    assert [out.method for out in world.network.sent] == ["GET", "POST", "POST"]
    assert await world.ledger() == ("90.00", "0.00")


async def test_a_cash_out_that_was_not_sent_leaves_the_bet_in_play_and_keeps_its_key(
    world: World,
) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    await open_breaker(world)
    world.fly()
    world.network.sent.clear()
    world.network.always.clear()
    world.network.always.append(("/game/state", "refused"))

    with pytest.raises(GameUnreachableError):
        await world.cash_out(bet)
    assert world.network.calls("/cashout") == []
    assert (await world.bet(bet)).state is BetState.PLACED
    world.network.always.clear()
    world.clock.passed_s += 2.5
    cashed = await world.cash_out(bet)

    assert cashed.state is BetState.CASHING_OUT
    [sent] = world.network.calls("/cashout")
    assert sent.headers["Idempotency-Key"] == str(bet.cashout_key)


async def test_the_resolver_waits_without_a_call_and_goes_on_when_the_game_is_back(
    world: World,
) -> None:
    await world.deposit("100.00")
    world.network.lose("/confirm", "after")
    bet = await world.place()
    await open_breaker(world)
    world.network.sent.clear()

    waiting = await world.resolve(after_s=0.1)
    unsent = len(world.network.sent)
    held = await world.ledger()
    world.network.always.clear()
    world.clock.passed_s += 2.0
    await world.resolve()

    assert not waiting.reachable
    assert unsent <= 1  # the probe
    assert held == ("90.00", "10.00")
    assert (await world.bet(bet)).state is BetState.PLACED
