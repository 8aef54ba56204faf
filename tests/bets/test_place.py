"""Placing a bet, when all goes well and when the game says no."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from recon.bets import (
    BetRefusedError,
    BetState,
    BetWish,
    CallerKeyReusedError,
    GameUnreachableError,
    RoundClosedError,
)
from recon.db import open_pool
from recon.errors import Invalid
from recon.ledger import InsufficientBalanceError

if TYPE_CHECKING:
    from tests.bets.conftest import World


async def test_a_bet_is_placed_and_its_stake_leaves_both_sides(world: World) -> None:
    await world.deposit("100.00")

    bet = await world.place(world.wish("10.00", auto="2.50"))

    assert (bet.state, str(bet.stake), str(bet.auto_cashout)) == ("placed", "10.00", "2.50")
    assert bet.ticket_id in world.sandbox.book.bets
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_the_hold_is_sent_with_the_bytes_and_the_key_of_the_intent(world: World) -> None:
    await world.deposit("100.00")

    bet = await world.place(world.wish("10.00", auto="2.5"))

    (sent,) = world.network.calls("/bets/holds")
    assert sent.body == bet.hold_body
    assert sent.body == (
        b'{"round_id":"%s","amount":"10.00","currency":"GBP","auto_cashout":2.5}'
        % bet.round_id.encode()
    )
    assert sent.headers["Idempotency-Key"] == str(bet.hold_key)


async def test_every_attempt_is_kept_with_its_request_id_and_status(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose("POST /api/v1/bets/holds", "refused")

    await world.place()

    rows = await world.pool.fetch(
        "SELECT step, status, outcome, request_id, latency_ms FROM bet_attempts ORDER BY attempt_id"
    )
    assert [(r["step"], r["status"], r["outcome"]) for r in rows] == [
        ("hold", None, "game_unavailable"),
        ("hold", 201, "ok"),
        ("confirm", 201, "ok"),
    ]
    sent = [outgoing.headers["X-Request-Id"] for outgoing in world.network.sent]
    assert [r["request_id"] for r in rows] == sent
    assert all(r["latency_ms"] >= 0 for r in rows)


async def test_the_same_intent_twice_is_one_bet(world: World) -> None:
    await world.deposit("100.00")
    wish = world.wish("10.00")

    first = await world.place(wish, key="caller/k1")
    again = await world.place(wish, key="caller/k1")

    assert again.bet_id == first.bet_id
    assert len(world.network.calls("/bets/holds")) == 1
    assert await world.ledger() == ("90.00", "0.00")


async def test_the_same_intent_ten_times_at_once_is_one_bet(world: World) -> None:
    await world.deposit("100.00")
    wish = world.wish("10.00")

    bets = await asyncio.gather(*(world.place(wish, key="caller/k1") for _ in range(10)))

    assert len({bet.bet_id for bet in bets}) == 1
    assert len(world.network.calls("/bets/holds")) == 1
    assert await world.ledger() == ("90.00", "0.00")


async def test_a_key_that_stands_for_another_bet_is_refused(world: World) -> None:
    await world.deposit("100.00")
    await world.place(world.wish("10.00"), key="caller/k1")

    with pytest.raises(CallerKeyReusedError):
        await world.place(world.wish("11.00"), key="caller/k1")


async def test_a_stake_that_is_not_available_writes_and_sends_nothing(world: World) -> None:
    await world.deposit("9.99")

    with pytest.raises(InsufficientBalanceError) as refused:
        await world.place(world.wish("10.00"))

    assert refused.value.code == "insufficient_balance"
    assert await world.bets() == []
    assert world.network.sent == []
    assert await world.ledger() == ("9.99", "0.00")


async def test_50_bets_at_once_on_money_for_10_place_exactly_10(
    world: World, database_url: str
) -> None:
    await world.deposit("100.00")

    async with open_pool(database_url, max_size=10) as second:
        processes = [world, replace(world, pool=second)]
        answers = await asyncio.gather(
            *(processes[n % 2].place(world.wish("10.00")) for n in range(50)),
            return_exceptions=True,
        )

    placed = [a for a in answers if not isinstance(a, BaseException)]
    refused = [a for a in answers if isinstance(a, InsufficientBalanceError)]
    assert (len(placed), len(refused)) == (10, 40)
    assert len(world.network.calls("/bets/holds")) == 10
    assert await world.ledger() == world.at_game() == ("0.00", "0.00")


async def test_a_closed_round_frees_the_stake(world: World) -> None:
    await world.deposit("100.00")
    wish = world.wish()
    world.fly()

    with pytest.raises(RoundClosedError) as refused:
        await world.place(wish, key="caller/k1")

    assert refused.value.code == "round_closed"
    (bet,) = await world.bets()
    assert (bet.state, bet.reason, bet.due_at) == ("rejected", "round_closed", None)
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")
    with pytest.raises(RoundClosedError):
        await world.place(wish, key="caller/k1")


async def test_the_game_without_the_money_frees_the_stake(world: World) -> None:
    await world.deposit("100.00")
    world.sandbox.backend.debit("u_1", "GBP", 95_00)

    with pytest.raises(BetRefusedError) as refused:
        await world.place(world.wish("10.00"))

    assert refused.value.code == "insufficient_balance"
    assert await world.ledger() == ("100.00", "0.00")
    world.sandbox.backend.credit("u_1", "GBP", 95_00)


@pytest.mark.parametrize(
    ("auto", "round_id", "code"),
    [(None, "r_never", "round_not_found"), ("2.555", None, "validation_failed")],
)
async def test_what_the_game_does_not_take_frees_the_stake(
    world: World, auto: str | None, round_id: str | None, code: str
) -> None:
    await world.deposit("100.00")

    with pytest.raises(BetRefusedError) as refused:
        await world.place(world.wish(auto=auto, round_id=round_id))

    assert refused.value.code == code
    assert await world.ledger() == ("100.00", "0.00")


async def test_a_player_who_may_not_bet_gets_the_stake_back(world: World) -> None:
    await world.deposit("100.00")
    world.sandbox.backend.players["u_1"].allowed = False

    with pytest.raises(BetRefusedError) as refused:
        await world.place()

    assert refused.value.code == "user_not_allowed"
    assert await world.ledger() == ("100.00", "0.00")


async def test_a_game_that_is_not_reached_frees_the_stake_and_the_key(world: World) -> None:
    await world.deposit("100.00")
    wish = world.wish()
    world.network.always.append(("POST", "refused"))
    with pytest.raises(GameUnreachableError):
        await world.place(wish, key="caller/k1")
    assert await world.ledger() == ("100.00", "0.00")

    world.network.always.clear()
    bet = await world.place(wish, key="caller/k1")

    assert bet.state is BetState.PLACED
    assert [(b.state, b.reason) for b in await world.bets()] == [
        ("rejected", "game_unavailable"),
        ("placed", None),
    ]
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_a_confirm_that_comes_too_late_releases_both_holds(world: World) -> None:
    await world.deposit("100.00")

    def take_off(outgoing: object) -> None:
        if str(getattr(outgoing, "target", "")).endswith("/holds"):
            world.fly()

    world.network.on_answer = take_off
    with pytest.raises(RoundClosedError):
        await world.place()

    assert len(world.network.calls("/release")) == 1
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_a_hold_that_has_expired_frees_ours(world: World) -> None:
    await world.deposit("100.00")
    hold_ttl_s = world.sandbox.options.hold_ttl_s

    def wait(outgoing: object) -> None:
        if str(getattr(outgoing, "target", "")).endswith("/holds"):
            world.clock.passed_s += hold_ttl_s + 1

    world.network.on_answer = wait
    with pytest.raises(RoundClosedError):
        await world.place()

    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_what_cannot_be_sent_is_refused_before_anything_is_written(world: World) -> None:
    for wish, code in (
        (BetWish("u 1", "r_1", "10.00", "GBP"), "invalid_user_id"),
        (BetWish("u_\u200b", "r_1", "10.00", "GBP"), "invalid_user_id"),
        (BetWish("u_1", " r_1", "10.00", "GBP"), "invalid_round_id"),
        (BetWish("u_1", "..", "10.00", "GBP"), "invalid_round_id"),
        (BetWish("u_1", "r_1", "10.001", "GBP"), "invalid_amount"),
        (BetWish("u_1", "r_1", "0.00", "GBP"), "invalid_amount"),
        (BetWish("u_1", "r_1", "10.00", "XXX"), "unknown_currency"),
    ):
        with pytest.raises(Invalid) as refused:
            await world.place(wish)

        assert (wish, refused.value.code) == (wish, code)
    assert (await world.bets(), world.network.sent) == ([], [])
