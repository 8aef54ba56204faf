"""Callers can tell a game that has no turn for us now from one that is out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from recon.bets import BetState, GameBusyError
from recon.game import Answer
from recon.game.handlers import GAME_WATCH
from tests.bets.calling import Api, body, once, serving
from tests.bets.conftest import open_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from recon.game import Outgoing
    from tests.bets.conftest import World

WAIT_S = 20
"""Longer than the client tries a call, so that nobody sleeps here."""


@pytest.fixture
async def world(pool: Pool) -> AsyncIterator[World]:
    """A world whose round is open for longer than anybody has to wait."""
    async with open_world(pool, betting_s=100.0, hold_ttl_s=100.0) as opened:
        yield opened
        await opened.come_to_rest()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    # The handlers live by the machine's clock.
    world.clock.ticking = True
    async with serving(world, world.game) as opened:
        yield opened


def use_up_the_key(world: World, path: str, wait_s: int = WAIT_S) -> None:
    """The game sends back calls of this path, with 429 and for how long."""
    real = world.network.send

    async def send(outgoing: Outgoing) -> Answer:
        if path not in outgoing.target:
            return await real(outgoing)
        world.network.sent.append(outgoing)
        said = {"code": "rate_limited", "message": "slower", "request_id": "r"}
        return Answer(429, {"Retry-After": str(wait_s)}, msgspec.json.encode(said))

    world.network.send = send  # type: ignore[method-assign]


async def told(answer: Any) -> tuple[int, str, str | None, Any, Any]:  # noqa: ANN401 - aiohttp's
    problem = await answer.json()
    return (
        answer.status,
        problem["code"],
        answer.headers.get("Retry-After"),
        problem.get("degraded"),
        problem.get("since"),
    )


async def test_a_bet_that_gets_no_turn_is_busy_for_so_long_and_not_degraded(
    world: World, api: Api
) -> None:
    await world.deposit("100.00")
    use_up_the_key(world, "/holds")

    sent_back = await told(await api.post("/api/v1/bets", json=body(world), headers=once()))
    sent = len(world.network.sent)
    not_sent = await told(await api.post("/api/v1/bets", json=body(world), headers=once()))
    state = await told(await api.get("/api/v1/game/state"))

    busy = (503, "game_busy", str(WAIT_S), None, None)
    assert [sent_back, not_sent, state] == [busy, busy, busy]
    assert len(world.network.sent) == sent == 1
    assert {(bet.state, bet.reason) for bet in await world.bets()} == {
        (BetState.REJECTED, "game_unavailable")
    }
    assert await world.ledger() == ("100.00", "0.00")
    world.clock.passed_s += WAIT_S


async def test_the_same_key_places_the_bet_once_there_are_turns_again(
    world: World, api: Api
) -> None:
    await world.deposit("100.00")
    real = world.network.send
    use_up_the_key(world, "/holds")
    refused = await api.post("/api/v1/bets", json=body(world), headers=once("k1"))
    world.network.send = real  # type: ignore[method-assign]
    world.clock.passed_s += float(refused.headers["Retry-After"])

    again = await api.post("/api/v1/bets", json=body(world), headers=once("k1"))

    assert (refused.status, again.status) == (503, 201)
    assert await world.ledger() == ("90.00", "0.00")


async def test_a_cash_out_that_gets_no_turn_is_busy_and_the_bet_in_play(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    use_up_the_key(world, "/cashout")

    with pytest.raises(GameBusyError) as busy:
        await world.cash_out(bet)

    assert busy.value.retry_after_s == WAIT_S
    assert (await world.bet(bet)).state is BetState.PLACED
    world.clock.passed_s += WAIT_S


async def test_the_state_of_a_game_that_leaves_us_no_turn_is_busy_and_nobody_calls_it_gone(
    world: World, api: Api
) -> None:
    use_up_the_key(world, "/game/state")

    state = await told(await api.get("/api/v1/game/state"))
    watch = api.app[GAME_WATCH]

    assert state == (503, "game_busy", str(WAIT_S), None, None)
    assert watch.down_since is None
    world.clock.passed_s += WAIT_S


async def test_so_it_is_while_a_call_waits_for_its_turn_longer_than_anybody_looks_at_a_page(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.game.handlers._STATE_WITHIN_S", 0.3)
    use_up_the_key(world, "/game/state", wait_s=8)

    # The first waits to try again, the second for a turn; neither is told that the game is gone.
    states = [await told(await api.get("/api/v1/game/state")) for _ in range(2)]

    assert states == [(503, "game_busy", "8", None, None)] * 2
    assert api.app[GAME_WATCH].down_since is None
    world.clock.passed_s += 8


async def test_out_of_reach_says_when_the_game_is_asked_again_rounded_up(
    world: World, api: Api
) -> None:
    await world.deposit("100.00")
    world.network.always.append(("/", "refused"))
    waits: list[str | None] = []
    # Each failed probe doubles the wait, to 8 s.
    for _ in range(12):
        status, code, wait, _, _ = await told(
            await api.post("/api/v1/bets", json=body(world), headers=once())
        )
        assert (status, code) == (503, "game_unavailable")
        waits.append(wait)
        world.clock.passed_s += float(wait or 0)
        if wait == "8":
            break

    assert waits[0] == "1"
    assert waits[-3:] == ["2", "4", "8"]
    world.clock.passed_s += 16
