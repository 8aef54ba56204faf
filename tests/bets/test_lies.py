"""A game that answers with what is not so, or with what nobody can use: nothing is booked by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.bets.calling import body, once, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bets.conftest import World

HOLD = "POST /api/v1/bets/holds"
CONFIRM = "/confirm"


def saying(field: str, value: object) -> Callable[[Any], Any]:
    """The same answer, but for one field."""
    return lambda answer: {**answer, field: value}


@pytest.mark.parametrize(
    ("call", "field", "value"),
    [
        (HOLD, "hold_id", "h\n1"),
        (HOLD, "hold_id", ".."),
        (HOLD, "expires_at", "0001-01-01T00:00:00+14:00"),
        (CONFIRM, "ticket_id", "t\0"),
        (CONFIRM, "ticket_id", "t\n1"),
        (CONFIRM, "payout_transaction_id", " x"),
        (CONFIRM, "placed_at", "9999-12-31T23:59:59-14:00"),
        (CONFIRM, "cashout_multiplier", msgspec.Raw(b"1." + b"0" * 63 + b"e9")),
    ],
)
async def test_a_success_that_nobody_can_use_leaves_the_outcome_unknown(
    world: World, call: str, field: str, value: object
) -> None:
    await world.deposit("100.00")
    world.network.retell(call, saying(field, value))

    bet = await world.place()

    assert bet.state == "placing"
    assert await world.ledger() == ("90.00", "10.00")
    world.network.retold.clear()
    tick = await world.resolve()
    assert (tick.moved, (await world.bet(bet)).state) == (1, "placed")
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_a_bet_that_the_game_may_have_is_no_mistake_of_its_caller(world: World) -> None:
    await world.deposit("100.00")
    world.network.retell(CONFIRM, saying("ticket_id", "t\0"))
    world.clock.ticking = True

    async with serving(world, world.game) as api:
        wish = body(world)
        answer = await api.post("/api/v1/bets", json=wish, headers=once("k1"))
        told = await answer.json()
        repeat = await api.post("/api/v1/bets", json=wish, headers=once("k1"))

        assert (answer.status, told["state"]) == (202, "placing")
        assert (repeat.status, await repeat.json()) == (202, told)


@pytest.mark.parametrize("code", ["\0", "round closed\n"])
async def test_a_refusal_by_a_code_that_is_none_is_not_believed(world: World, code: str) -> None:
    await world.deposit("100.00")
    world.network.say(HOLD, 422, code)

    bet = await world.place()

    assert (bet.state, await world.ledger()) == ("placing", ("90.00", "10.00"))
    await world.resolve()
    assert (await world.bet(bet)).state == "placed"


async def test_a_hold_that_the_game_says_it_never_gave_may_still_be_a_bet(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose(CONFIRM, "after")
    bet = await world.place()
    told = iter([None, {"hold": None, "bet": None}])
    world.network.say(CONFIRM, 403, "user_not_allowed")
    # First it has the hold, not confirmed yet; then, from a copy that lags behind, nothing at all.
    world.network.retell("idempotency_key=", lambda said: next(told, said) or {**said, "bet": None})

    await world.resolve()
    assert ((await world.bet(bet)).state, await world.ledger()) == ("placing", ("90.00", "10.00"))
    await world.resolve()

    assert (await world.bet(bet)).state == "placed"
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_a_promise_in_another_currency_promises_nothing(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    world.network.retell(
        "/cashout", lambda said: {**said, "payout": {**said["payout"], "currency": "KWD"}}
    )
    world.network.always.append(("GET /api/v1/payouts/", "after"))

    cashed = await world.cash_out(bet)

    assert (cashed.state, cashed.payout) == ("cashing_out", None)
    assert (await world.bet(bet)).payout is None


@pytest.mark.parametrize("after_s", [1.0, 25 * 3600.0])
async def test_a_stake_whose_confirm_was_sent_is_not_freed_by_the_key_alone(
    world: World, after_s: float
) -> None:
    await world.deposit("100.00")
    world.network.lose(CONFIRM, "after")
    bet = await world.place()
    world.end_round()
    world.network.retell("idempotency_key=", lambda _: {"hold": None, "bet": None})

    await world.resolve(after_s)

    assert ((await world.bet(bet)).state, await world.ledger()) == ("placing", ("90.00", "10.00"))
    assert world.at_game() == ("90.00", "0.00")


@pytest.mark.parametrize("after_s", [1.0, 25 * 3600.0])
async def test_a_hold_that_the_game_releases_was_no_bet_whatever_it_knows_of_the_key(
    world: World, after_s: float
) -> None:
    await world.deposit("100.00")
    world.network.lose(CONFIRM, "before")
    bet = await world.place()
    world.fly()
    world.network.retell("idempotency_key=", lambda _: {"hold": None, "bet": None})

    await world.resolve(after_s)

    expected = "rejected" if after_s < 3600 else "placing"
    assert (await world.bet(bet)).state == expected
    assert len(world.network.calls("/release")) == 1
    assert world.at_game() == ("100.00", "0.00")
