"""Faults strike as their rates say, do what they are named for, and are listed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sandbox.game.conftest import Json, World

HOLDS = "/api/v1/bets/holds"


async def planted(world: World) -> list[Json]:
    listed: list[Json] = (await world.call("GET", "/sandbox/faults")).json["planted"]
    assert [fault["at"] for fault in listed] == sorted(fault["at"] for fault in listed)
    return [{name: value for name, value in fault.items() if name != "at"} for fault in listed]


async def rate(world: World, **rates: float) -> None:
    for kind, value in rates.items():
        body = f'{{"rates":{{"{kind}":{value}}}}}'.encode()
        assert (await world.call("PUT", "/sandbox/faults", body=body)).status == 200


async def test_a_lost_answer_has_its_effect_and_can_be_asked_for(world: World) -> None:
    await rate(world, answer_lost=1.0)
    with pytest.raises(aiohttp.ClientConnectionError):
        await world.hold(amount="10.00", key="intent")
    await rate(world, answer_lost=0.0)

    assert await world.balance() == ("90.00", "10.00")
    asked = await world.get("/api/v1/bets?idempotency_key=intent", user="u_1")
    assert asked.json["hold"]["status"] == "held"
    again = await world.hold(amount="10.00", key="intent")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await world.balance() == ("90.00", "10.00")
    assert await planted(world) == [
        {
            "fault": "answer_lost",
            "user_id": "u_1",
            "currency": "GBP",
            "amount": "10.00",
            "must_lead_to": None,
        }
    ]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("answer_500", 500, "internal_error"), ("answer_503", 503, "unavailable")],
)
async def test_a_server_error_leaves_the_outcome_open(
    world: World, kind: str, status: int, code: str
) -> None:
    await rate(world, **{kind: 1.0})
    for number in range(12):
        reply = await world.hold(amount="1.00", key=f"intent-{number}")
        assert (reply.status, reply.code) == (status, code)
        assert ("Retry-After" in reply.headers) == (status == 503)
    await rate(world, **{kind: 0.0})

    led = [
        (await world.get(f"/api/v1/bets?idempotency_key=intent-{number}", user="u_1")).json["hold"]
        for number in range(12)
    ]

    done = sum(hold is not None for hold in led)
    assert 0 < done < 12  # some before the effect, some after it
    assert await world.balance() == (f"{100 - done}.00", f"{done}.00")
    for number in range(12):
        again = await world.hold(amount="1.00", key=f"intent-{number}")
        assert again.status == 201
        assert ("Idempotency-Replayed" in again.headers) == (led[number] is not None)
    assert await world.balance() == ("88.00", "12.00")


async def test_a_planted_429_has_no_effect_and_says_when_to_come_back(world: World) -> None:
    await rate(world, answer_429=1.0)

    reply = await world.hold(amount="10.00")

    assert (reply.status, reply.code) == (429, "rate_limited")
    assert reply.headers["Retry-After"] == "1"
    assert await world.balance() == ("100.00", "0.00")


async def test_a_slow_answer_is_late_and_right(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(slow_answer_s=0.15, fault_rates={"answer_slow": 1.0})
    world.player()
    began = time.monotonic()

    reply = await world.hold(amount="10.00")

    assert reply.status == 201
    assert time.monotonic() - began >= 0.15


async def test_faults_strike_the_asking_calls_and_no_others(world: World) -> None:
    await rate(world, answer_500=1.0)

    assert (await world.get("/api/v1/bets?idempotency_key=k", user="u_1")).status == 500
    assert (await world.get("/api/v1/bets/t_none", user="u_1")).status == 500
    assert (await world.get("/api/v1/payouts/tx_none", user="u_1")).status == 500
    assert (await world.get("/api/v1/game/state")).status == 200
    assert (await world.get("/api/v1/user/balance?currency=GBP", user="u_1")).status == 200
    forged = await world.post(HOLDS, {}, secret="sk_wrong")
    assert forged.status == 401  # a fault never hides that a call was not authentic
    assert len(await planted(world)) == 3


async def test_each_attempt_at_one_intent_draws_anew(world: World) -> None:
    await rate(world, answer_429=0.5)

    statuses = [(await world.hold(amount="1.00", key="intent")).status for _ in range(30)]

    assert set(statuses) == {429, 201}
    assert await world.balance() == ("99.00", "1.00")


async def test_the_same_seed_strikes_the_same_attempts(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    runs = []
    for seed in (21, 21, 22):
        world = await worlds(seed=seed, fault_rates={"answer_429": 0.3})
        world.player()
        runs.append([(await world.hold(amount="0.10", key=f"i-{n}")).status for n in range(40)])

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


async def test_a_lost_payout_is_completed_but_never_credited_once_per_player(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(fault_rates={"payout_lost": 1.0})
    world.player()
    await world.next_round(200)
    lost = await world.bet(amount="10.00", auto="1.50")
    paid = await world.bet(amount="20.00", auto="1.50")
    await world.until("crashed")
    await world.until("betting")

    for ticket in (lost, paid):
        bet = (await world.get(f"/api/v1/bets/{ticket['ticket_id']}", user="u_1")).json
        name = bet["payout_transaction_id"]
        payout = (await world.get(f"/api/v1/payouts/{name}", user="u_1")).json
        assert payout["status"] == "completed"

    # 100 - 10 - 20 + 30, and the 15.00 of the first bet never came.
    assert await world.balance() == ("100.00", "0.00")
    assert await planted(world) == [
        {
            "fault": "payout_lost",
            "user_id": "u_1",
            "currency": "GBP",
            "amount": "-15.00",
            "must_lead_to": "missed_payout",
        }
    ]


async def test_rates_are_set_all_or_none(world: World) -> None:
    refused = await world.call(
        "PUT", "/sandbox/faults", body=b'{"rates":{"answer_500":0.5,"no_such":0.1}}'
    )
    wild = await world.call("PUT", "/sandbox/faults", body=b'{"rates":{"stream_gap":1.5}}')
    set_ = await world.call(
        "PUT", "/sandbox/faults", body=b'{"rates":{"stream_gap":0.5,"answer_lost":0.25}}'
    )

    assert (refused.status, refused.code) == (400, "unknown_fault")
    assert (wild.status, wild.code) == (400, "invalid_rate")
    assert "answer_500" not in set_.json["rates"]
    assert set_.json["rates"]["answer_lost"] == 0.25
    assert set_.json["rates"]["stream_gap"] == 0.5


async def test_a_planted_fault_names_the_money_that_the_call_was_about(world: World) -> None:
    await world.next_round(200)
    held = await world.hold(amount="4.00", auto="1.50", key="intent")
    bet = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/confirm")
    await world.until("crashed")
    ticket = bet.json["ticket_id"]
    paid = (await world.get(f"/api/v1/bets/{ticket}", user="u_1")).json["payout_transaction_id"]
    await rate(world, answer_429=1.0)

    await world.get("/api/v1/bets?idempotency_key=intent", user="u_1")
    await world.get(f"/api/v1/bets/{ticket}", user="u_1")
    await world.get(f"/api/v1/payouts/{paid}", user="u_1")
    await world.get("/api/v1/bets?idempotency_key=never-sent", user="u_1")

    assert [fault["amount"] for fault in await planted(world)] == ["4.00", "4.00", "6.00", "0.00"]
