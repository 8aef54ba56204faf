"""One intent, one effect, however often and however closely together it is sent."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sandbox.game.conftest import World

HOLDS = "/api/v1/bets/holds"


async def hold_body(world: World, amount: str = "10.00") -> bytes:
    return json.dumps(
        {
            "round_id": (await world.state())["round_id"],
            "amount": amount,
            "currency": "GBP",
            "auto_cashout": None,
        }
    ).encode()


async def test_the_same_key_and_body_get_the_stored_answer(world: World) -> None:
    body = await hold_body(world)

    first = await world.post(HOLDS, body, key="k")
    again = await world.post(HOLDS, body, key="k")

    assert first.status == again.status == 201
    assert first.text == again.text
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await world.balance() == ("90.00", "10.00")


async def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    await world.post(HOLDS, await hold_body(world, "10.00"), key="k")

    other = await world.post(HOLDS, await hold_body(world, "20.00"), key="k")

    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert await world.balance() == ("90.00", "10.00")


async def test_the_same_key_and_body_on_another_path_is_another_request(world: World) -> None:
    one = (await world.hold()).json["hold_id"]
    two = (await world.hold()).json["hold_id"]
    await world.post(f"/api/v1/bets/holds/{one}/release", key="k")

    other = await world.post(f"/api/v1/bets/holds/{two}/release", key="k")

    assert other.code == "idempotency_key_reused"


async def test_a_key_is_kept_24_hours(world: World) -> None:
    first = await world.post(HOLDS, b'{"round_id":1}', key="k")
    world.clock.turn(86_399)
    kept = await world.post(HOLDS, b'{"round_id":2}', key="k")
    world.clock.turn(2)
    forgotten = await world.post(HOLDS, b'{"round_id":2}', key="k")

    assert first.code == "validation_failed"
    assert kept.code == "idempotency_key_reused"
    assert forgotten.code == "validation_failed"


async def test_a_definitive_refusal_is_stored_too(world: World) -> None:
    body = await hold_body(world, "500.00")

    first = await world.post(HOLDS, body, key="k")
    world.player(minor=100_000)
    again = await world.post(HOLDS, body, key="k")

    assert (first.status, first.code) == (422, "insufficient_balance")
    assert again.text == first.text
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_what_proves_nothing_about_the_intent_is_not_stored(world: World) -> None:
    body = await hold_body(world)

    unsigned = await world.post(HOLDS, body, key="k", secret="sk_wrong")
    await world.call("PUT", "/sandbox/users/u_1", body=b'{"allowed":false}')
    barred = await world.post(HOLDS, body, key="k")
    await world.call("PUT", "/sandbox/users/u_1", body=b'{"allowed":true}')
    taken = await world.post(HOLDS, body, key="k")

    assert [unsigned.status, barred.status, taken.status] == [401, 403, 201]


async def test_an_attempt_beside_a_running_one_is_told_so(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(fault_rates={"answer_slow": 1.0}, slow_answer_s=1.0)
    world.player()
    body = await hold_body(world)

    slow = asyncio.create_task(world.post(HOLDS, body, key="k"))
    await asyncio.sleep(0.05)
    beside = await world.post(HOLDS, body, key="k")

    assert (beside.status, beside.code) == (409, "idempotency_in_progress")
    assert (await slow).status == 201
    await world.call("PUT", "/sandbox/faults", body=b'{"rates":{"answer_slow":0}}')
    assert (await world.post(HOLDS, body, key="k")).headers["Idempotency-Replayed"] == "true"


async def test_twenty_attempts_at_once_have_one_effect(world: World) -> None:
    body = await hold_body(world)

    replies = await asyncio.gather(*(world.post(HOLDS, body, key="k") for _ in range(20)))

    assert {reply.status for reply in replies} == {201}
    assert len({reply.text for reply in replies}) == 1
    assert sum("Idempotency-Replayed" not in reply.headers for reply in replies) == 1
    assert await world.balance() == ("90.00", "10.00")


async def test_an_intent_survives_the_replacement_of_the_api_key(world: World) -> None:
    made = (
        await world.call(
            "POST", "/sandbox/keys", body=b'{"scopes":["write:bet","read:balance","read:bet"]}'
        )
    ).json
    body = await hold_body(world)
    first = await world.post(HOLDS, body, key="k")
    await world.call("DELETE", "/sandbox/keys/k_1")

    again = await world.post(
        HOLDS, body, key="k", secret=made["signing_secret"], api_key=made["api_key"]
    )

    assert again.text == first.text
    assert world.sandbox.backend.players["u_1"].wallets["GBP"].held == 1000
