"""The whole life of a bet: cashed out, lost, void, expired; and what it does to the balance."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox.game.conftest import World


async def test_a_hold_takes_the_stake_out_of_available_and_the_bet_out_of_held(
    world: World,
) -> None:
    held = await world.hold(amount="30.00", auto="2.50")

    assert held.status == 201
    assert held.json["status"] == "held"
    assert held.json["amount"] == "30.00"
    assert '"auto_cashout":2.50' in held.text
    assert await world.balance() == ("70.00", "30.00")

    bet = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/confirm")

    assert bet.status == 201
    assert bet.json["status"] == "active"
    assert bet.json["hold_id"] == held.json["hold_id"]
    assert bet.json["payout_transaction_id"] is None
    assert await world.balance() == ("70.00", "0.00")


async def test_a_released_hold_gives_the_stake_back(world: World) -> None:
    held = await world.hold(amount="30.00")

    released = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/release")

    assert released.status == 200
    assert released.json["status"] == "released"
    assert await world.balance() == ("100.00", "0.00")


async def test_a_cash_out_pays_the_stake_times_the_multiplier_once_it_is_completed(
    world: World,
) -> None:
    await world.next_round(300)
    bet = await world.bet(amount="10.00")
    await world.until("active")
    world.clock.turn(1.2)

    cashed = await world.post(f"/api/v1/bets/{bet['ticket_id']}/cashout")

    multiplier = cashed.json["multiplier"]
    payout = cashed.json["payout"]
    # 10.00 ** (1.2 s / 6 s) is 1.5848…, and a step of the clock is 10 ms.
    assert Decimal("1.58") <= multiplier <= Decimal("1.60")
    assert Decimal(payout["amount"]) == 10 * multiplier
    assert payout["status"] == "pending"
    assert await world.balance() == ("90.00", "0.00")

    await world.until("payout")
    asked = await world.get(f"/api/v1/payouts/{payout['transaction_id']}", user="u_1")
    assert asked.json["status"] == "pending"
    assert asked.json["completed_at"] is None

    world.clock.turn(0.2)
    asked = await world.get(f"/api/v1/payouts/{payout['transaction_id']}", user="u_1")
    assert asked.json["status"] == "completed"
    assert asked.json["completed_at"].endswith("Z")
    assert await world.balance() == (f"{90 + Decimal(payout['amount'])}", "0.00")


async def test_a_bet_cashes_out_by_itself_at_its_target_and_not_later(world: World) -> None:
    await world.next_round(300)
    bet = await world.bet(amount="10.00", auto="1.50")
    await world.until("crashed")

    asked = await world.get(f"/api/v1/bets/{bet['ticket_id']}", user="u_1")

    assert asked.json["status"] == "cashed_out"
    assert '"cashout_multiplier":1.50' in asked.text
    await world.until("betting")
    assert await world.balance() == ("105.00", "0.00")


async def test_a_target_at_the_very_crash_point_still_wins(world: World) -> None:
    await world.next_round(200)
    crash = Decimal(world.sandbox.engine.current.crash_at) / 100
    just_reached = await world.bet(amount="1.00", auto=str(crash))
    just_missed = await world.bet(amount="1.00", auto=str(crash + Decimal("0.01")))
    await world.until("crashed")

    won = await world.get(f"/api/v1/bets/{just_reached['ticket_id']}", user="u_1")
    lost = await world.get(f"/api/v1/bets/{just_missed['ticket_id']}", user="u_1")

    assert won.json["status"] == "cashed_out"
    assert lost.json["status"] == "lost"


async def test_a_bet_that_nobody_cashes_out_is_lost_at_the_crash(world: World) -> None:
    bet = await world.bet(amount="10.00")
    await world.until("crashed")

    asked = await world.get(f"/api/v1/bets/{bet['ticket_id']}", user="u_1")

    assert asked.json["status"] == "lost"
    assert asked.json["cashout_multiplier"] is None
    await world.until("betting")
    assert await world.balance() == ("90.00", "0.00")


async def test_a_cancelled_round_gives_every_stake_back_and_fails_its_payouts(
    world: World,
) -> None:
    await world.next_round(300)
    idle = await world.bet(amount="10.00")
    quick = await world.bet(amount="20.00")
    held = await world.hold(amount="5.00")
    await world.until("active")
    world.clock.turn(0.5)
    cashed = await world.post(f"/api/v1/bets/{quick['ticket_id']}/cashout")
    assert cashed.status == 200

    cancelled = await world.call("POST", "/sandbox/rounds/current/cancel")

    assert cancelled.status == 200
    for bet in (idle, quick):
        asked = await world.get(f"/api/v1/bets/{bet['ticket_id']}", user="u_1")
        assert asked.json["status"] == "void"
    name = cashed.json["payout"]["transaction_id"]
    payout = await world.get(f"/api/v1/payouts/{name}", user="u_1")
    assert payout.json["status"] == "failed"
    assert await world.balance() == ("100.00", "0.00")
    late = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/confirm")
    assert late.code == "hold_expired"
    shown = await world.get(f"/api/v1/game/rounds/{idle['round_id']}")
    assert shown.json["crash_multiplier"] is None
    world.clock.turn(30)
    assert await world.balance() == ("100.00", "0.00")


async def test_a_hold_that_nobody_confirms_is_released_when_it_expires(world: World) -> None:
    held = await world.hold(amount="10.00", key="lonely")
    world.clock.turn(4.9)
    assert await world.balance() == ("90.00", "10.00")

    world.clock.turn(0.2)

    assert await world.balance() == ("100.00", "0.00")
    asked = await world.get("/api/v1/bets?idempotency_key=lonely", user="u_1")
    assert asked.json["hold"]["status"] == "expired"
    assert asked.json["bet"] is None
    for last_word in ("confirm", "release"):
        late = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/{last_word}")
        assert (late.status, late.code) == (409, "hold_expired")


async def test_asking_by_the_key_of_a_hold_tells_what_it_led_to(world: World) -> None:
    unknown = await world.get("/api/v1/bets?idempotency_key=intent-1", user="u_1")
    assert unknown.json == {"hold": None, "bet": None}

    held = await world.hold(key="intent-1")
    asked = await world.get("/api/v1/bets?idempotency_key=intent-1", user="u_1")
    assert asked.json == {"hold": held.json, "bet": None}

    bet = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/confirm")
    asked = await world.get("/api/v1/bets?idempotency_key=intent-1", user="u_1")
    assert asked.json["hold"]["status"] == "confirmed"
    assert asked.json["bet"] == bet.json

    world.player("u_2")
    other = await world.get("/api/v1/bets?idempotency_key=intent-1", user="u_2")
    assert other.json == {"hold": None, "bet": None}


async def test_a_hold_confirmed_under_two_keys_is_one_bet(world: World) -> None:
    held = await world.hold(amount="10.00")
    path = f"/api/v1/bets/holds/{held.json['hold_id']}/confirm"

    first = await world.post(path, key="one")
    second = await world.post(path, key="two")

    assert first.json == second.json
    assert await world.balance() == ("90.00", "0.00")
    released = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/release")
    assert released.code == "round_closed"


async def test_payouts_are_cut_to_whole_minor_units(world: World) -> None:
    await world.next_round(300)
    await world.bet(amount="0.01", auto="1.99")
    await world.until("crashed")
    await world.until("betting")

    # 0.01 * 1.99 = 0.0199: the house keeps what is no whole penny.
    assert await world.balance() == ("100.00", "0.00")
