"""Answers that no sound game gives, or hardly ever: the money waits, or people are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from recon.bets import BetNotActiveError, BetRefusedError, BetState, CashOutRefusedError
from tests.bets.conftest import open_world

if TYPE_CHECKING:
    from recon.bets import Bet
    from recon.db import Pool
    from recon.game import Outgoing
    from tests.bets.conftest import World

HOLD = "POST /api/v1/bets/holds"
ASK = "GET /api/v1/bets"
HOUR_S = 3601.0


async def unknown(world: World, *, lost: str = HOLD, when: str = "after") -> Bet:
    """A bet whose placing was left unknown."""
    await world.deposit("100.00")
    world.network.lose(lost, when)
    bet: Bet = await world.place()
    assert bet.state is BetState.PLACING
    return bet


async def cases(pool: Pool) -> list[str]:
    return [row["kind"] for row in await pool.fetch("SELECT kind FROM cases ORDER BY case_id")]


async def test_a_confirm_that_is_forbidden_releases_both_holds(world: World) -> None:
    await world.deposit("100.00")
    world.network.say("/confirm", 403, "user_not_allowed")

    with pytest.raises(BetRefusedError) as refused:
        await world.place()

    assert refused.value.code == "user_not_allowed"
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


async def test_a_refused_confirm_is_not_believed_when_the_game_has_the_bet(world: World) -> None:
    await world.deposit("100.00")
    world.network.lose("/confirm", "after")
    bet = await world.place()
    world.network.say("/confirm", 409, "round_closed")
    world.sandbox.book.by_key[("u_1", str(bet.hold_key))].bet, ticket = (
        None,
        world.sandbox.book.by_key[("u_1", str(bet.hold_key))].bet,
    )

    def remember(outgoing: Outgoing) -> None:
        if "idempotency_key" in outgoing.target:
            world.sandbox.book.by_key[("u_1", str(bet.hold_key))].bet = ticket

    world.network.on_answer = remember
    await world.resolve()

    assert (await world.bet(bet)).state == "placed"
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


@pytest.mark.parametrize("path", [HOLD, "/confirm"])
async def test_a_reused_key_says_nothing_of_the_earlier_request(world: World, path: str) -> None:
    await world.deposit("100.00")
    world.network.say(path, 422, "idempotency_key_reused")

    bet = await world.place()

    assert bet.state == "placing"
    assert await world.ledger() == ("90.00", "10.00")
    await world.resolve()
    assert (await world.bet(bet)).state == "placed"


async def test_a_reused_cash_out_key_concludes_nothing(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    world.network.say("/cashout", 422, "idempotency_key_reused")

    asked = await world.cash_out(bet)

    assert (asked.state, asked.cashout_key) == ("cashing_out", bet.cashout_key)
    world.network.say("/cashout", 422, "idempotency_key_reused")
    await world.resolve()
    assert (await world.bet(bet)).state == "cashing_out"


async def test_a_resent_cash_out_that_is_refused_puts_the_bet_in_play_again(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.network.lose("/cashout", "before")
    await world.cash_out(bet)

    await world.resolve()

    again = await world.bet(bet)
    assert (again.state, again.cashout_key != bet.cashout_key) == ("placed", True)


async def test_a_forbidden_cash_out_leaves_the_bet_in_play(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    world.network.say("/cashout", 403, "user_not_allowed")

    with pytest.raises(CashOutRefusedError) as refused:
        await world.cash_out(bet)

    assert refused.value.code == "user_not_allowed"
    assert (await world.bet(bet)).state == "placed"


async def test_a_refused_cash_out_without_a_word_on_the_bet_leaves_it_in_play(
    world: World,
) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.network.always.append((f"GET /api/v1/bets/{bet.ticket_id}", "after"))

    with pytest.raises(BetNotActiveError):
        await world.cash_out(bet)

    assert (await world.bet(bet)).state == "placed"


async def test_a_refused_release_is_asked_about_again(world: World) -> None:
    bet = await unknown(world)
    world.fly()
    world.network.say("/release", 409, "round_closed")

    await world.resolve()
    assert ((await world.bet(bet)).state, await world.ledger()) == ("placing", ("90.00", "10.00"))
    await world.resolve()

    assert (await world.bet(bet)).state == "rejected"


async def test_a_hold_that_the_game_let_expire_frees_ours_without_a_release(world: World) -> None:
    bet = await unknown(world)

    await world.resolve(after_s=31)

    assert (await world.bet(bet)).state == "rejected"
    assert world.network.calls("/release") == []


async def test_a_player_whom_the_game_does_not_know_has_no_bet(world: World) -> None:
    bet = await unknown(world, when="before")
    world.fly()
    world.network.say(ASK, 404, "user_not_found")

    await world.resolve()

    assert (await world.bet(bet)).state == "rejected"


async def test_a_player_whom_the_game_will_not_tell_of_waits(world: World) -> None:
    bet = await unknown(world, when="before")
    world.fly()
    world.network.say(ASK, 403, "user_not_allowed")

    await world.resolve()

    assert ((await world.bet(bet)).state, await world.ledger()) == ("placing", ("90.00", "10.00"))


async def test_a_hold_sent_again_and_refused_for_money_frees_ours(world: World) -> None:
    bet = await unknown(world, when="before")
    world.sandbox.backend.debit("u_1", "GBP", 95_00)

    await world.resolve()

    after = await world.bet(bet)
    assert (after.state, after.reason) == ("rejected", "insufficient_balance")
    world.sandbox.backend.credit("u_1", "GBP", 95_00)


async def test_a_hold_sent_again_and_forbidden_waits_for_the_round_to_close(world: World) -> None:
    bet = await unknown(world, when="before")
    world.network.say(HOLD, 403, "user_not_allowed")

    await world.resolve()
    assert (await world.bet(bet)).state == "placing"
    world.fly()
    await world.resolve()

    assert (await world.bet(bet)).state == "rejected"


async def test_a_round_that_the_game_has_forgotten_is_closed_after_an_hour(world: World) -> None:
    bet = await unknown(world, when="before")
    del world.sandbox.engine.rounds[bet.round_id]
    world.end_round()

    await world.resolve()
    assert (await world.bet(bet)).state == "placing"
    await world.resolve(after_s=HOUR_S)

    assert (await world.bet(bet)).state == "rejected"


@pytest.mark.parametrize("hours", [23, 25])
async def test_a_key_that_the_game_may_have_forgotten_proves_nothing(
    pool: Pool, hours: int
) -> None:
    async with open_world(pool) as world:
        bet = await unknown(world, lost="/confirm")
        world.end_round()
        # Lost, and kept by the game for a day under its key, for good under its ticket.
        if hours > 24:
            del world.sandbox.book.by_key[("u_1", str(bet.hold_key))]

        await world.resolve(after_s=hours * HOUR_S)

        assert (await world.bet(bet)).state == ("placed" if hours < 24 else "placing")
        assert world.at_game() == ("90.00", "0.00")
        assert await world.ledger() == (("90.00", "0.00") if hours < 24 else ("90.00", "10.00"))
        assert await cases(pool) == ([] if hours < 24 else ["unresolved_bet"])


@pytest.mark.parametrize("field", ["ticket_id", "round_id", "user_id", "status", "placed_at"])
async def test_what_cannot_be_written_down_is_shown_to_people(pool: Pool, field: str) -> None:
    def with_nuls(answer: object) -> object:
        """The same answer, but for one field, wherever it is: no database takes it."""
        name = f'"{field}":"'.encode()
        return msgspec.json.decode(msgspec.json.encode(answer).replace(name, name + rb"\u0000"))

    async with open_world(pool) as world:
        await world.deposit("100.00")
        world.network.retell("bets", with_nuls)

        bet = await world.place()
        await world.resolve()
        waits = (await world.bet(bet)).state, await cases(pool)
        await world.resolve(after_s=HOUR_S)

        assert waits == ("placing", [])
        assert ((await world.bet(bet)).state, await cases(pool)) == ("placing", ["unresolved_bet"])
        assert "of ours" not in await pool.fetchval("SELECT reason FROM cases")
        assert await world.ledger() == ("90.00", "10.00")
        await world.come_to_rest()  # it is mended


async def test_a_hold_of_another_stake_is_for_people(pool: Pool) -> None:
    async with open_world(pool) as world:
        bet = await unknown(world)
        world.sandbox.book.by_key[("u_1", str(bet.hold_key))].amount_minor = 999

        await world.resolve()

        after = await world.bet(bet)
        assert (after.state, after.reason, after.due_at) == ("placing", "bet_mismatch", None)
        assert await world.ledger() == ("90.00", "10.00")
        assert await cases(pool) == ["bet_mismatch"]


@pytest.mark.parametrize("lost", ["placing", "placed"])
async def test_a_ticket_of_another_stake_is_for_people(pool: Pool, lost: str) -> None:
    async with open_world(pool) as world:
        await world.deposit("100.00")
        if lost == "placing":
            world.network.lose("/confirm", "after")
        bet = await world.place()
        world.sandbox.book.by_key[("u_1", str(bet.hold_key))].amount_minor = 999
        world.end_round()

        await world.resolve()

        after = await world.bet(bet)
        assert (after.state, after.reason, after.due_at) == (lost, "bet_mismatch", None)
        assert await cases(pool) == ["bet_mismatch"]


async def test_a_payout_in_another_currency_is_for_people(pool: Pool) -> None:
    async with open_world(pool) as world:
        await world.deposit("100.00")
        bet = await world.place()
        world.fly()
        await world.cash_out(bet)
        (payout,) = world.sandbox.book.payouts.values()
        payout.bet = replace(payout.bet, hold=replace(payout.bet.hold, currency="EUR"))
        payout.status = "completed"

        await world.resolve()

        after = await world.bet(bet)
        assert (after.state, after.reason, after.due_at) == ("cashing_out", "payout_mismatch", None)
        assert await world.ledger() == ("90.00", "0.00")
        assert await cases(pool) == ["payout_mismatch"]


async def test_a_payout_that_the_game_does_not_find_is_awaited(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place(world.wish(auto="2.00"))
    world.end_round()
    world.network.say("/payouts/", 404, "not_found")

    await world.resolve()
    awaited = await world.bet(bet)
    await world.resolve()

    assert (awaited.state, awaited.payout_transaction_id is None) == ("cashing_out", False)
    assert (await world.bet(bet)).state == "cashed_out"


async def test_a_cashed_out_bet_without_a_payout_waits(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place(world.wish(auto="2.00"))
    world.end_round()
    found = world.sandbox.book.bets[bet.ticket_id]
    found.payout, payout = None, found.payout

    await world.resolve()
    assert (await world.bet(bet)).state == "placed"
    found.payout = payout
    await world.resolve()

    assert (await world.bet(bet)).state == "cashed_out"


async def test_a_failed_payout_without_a_word_on_the_bet_waits(world: World) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    world.fly()
    await world.cash_out(bet)
    world.sandbox.engine.cancel_current(world.sandbox.timeline.catch_up())
    world.network.always.append((f"GET /api/v1/bets/{bet.ticket_id}", "after"))

    await world.resolve()
    assert (await world.bet(bet)).state == "cashing_out"
    world.network.always.clear()
    await world.resolve()

    assert (await world.bet(bet)).state == "void"


async def test_one_bet_that_breaks_us_does_not_keep_the_others_waiting(world: World) -> None:
    await world.deposit("100.00")
    bad = await world.place()
    good = await world.place()
    world.end_round()

    def explode(outgoing: Outgoing) -> None:
        if bad.ticket_id in outgoing.target:
            raise RuntimeError("a fault of ours")

    world.network.on_answer = explode
    tick = await world.resolve()

    assert (tick.claimed, tick.moved, tick.failed) == (2, 1, 1)
    assert ((await world.bet(bad)).state, (await world.bet(good)).state) == ("placed", "lost")
    world.network.on_answer = lambda _: None


async def test_a_bet_is_not_cashed_out_before_it_is_placed(world: World) -> None:
    bet = await unknown(world)

    with pytest.raises(BetNotActiveError, match="it is placing"):
        await world.cash_out(bet)
