"""The stream: authentication, channels, sequence numbers, heartbeats, close codes, faults."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.sandbox.game.conftest import Json, World

    Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def stream(world: World, *channels: str, api_key: str | None = None) -> AsyncIterator[Socket]:
    """An authenticated connection with these subscriptions."""
    async with world.http.ws_connect(world.url / "api/v1/stream") as socket:
        await socket.send_json({"op": "auth", "api_key": api_key or world.api_key})
        assert await said(socket) == {"type": "authenticated"}
        if channels:
            await socket.send_json({"op": "subscribe", "channels": list(channels)})
            for channel in channels:
                assert await said(socket) == {"type": "subscribed", "channel": channel, "seq": 0}
        yield socket


async def said(socket: Socket) -> Json:
    message = await socket.receive(timeout=60)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return json.loads(message.data, parse_float=Decimal)


async def events(socket: Socket, count: int) -> list[Json]:
    heard: list[Json] = []
    while len(heard) < count:
        message = await said(socket)
        if message["type"] == "event":
            heard.append(message)
    return heard


async def all_said(socket: Socket, within_s: float) -> None:
    """Read what was still said before; ends only when nothing comes for so long."""
    while True:
        message = await socket.receive(timeout=within_s)
        assert json.loads(message.data)["type"] == "heartbeat"


async def closed_with(socket: Socket) -> int | None:
    while True:
        message = await socket.receive(timeout=60)
        if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
            return socket.close_code


async def test_no_auth_in_time_closes_with_4001(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(auth_timeout_s=0.05)
    async with world.http.ws_connect(world.url / "api/v1/stream") as socket:
        assert await closed_with(socket) == 4001


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"op": "auth", "api_key": "ck_sandbox_unknown"}, "invalid_api_key"),
        ({"op": "auth"}, "invalid_api_key"),
        ({"op": "subscribe", "channels": ["live_multiplier"]}, "invalid_api_key"),
        ("no object", "validation_failed"),
    ],
)
async def test_a_failed_auth_closes_with_4001(world: World, first: Json, code: str) -> None:
    async with world.http.ws_connect(world.url / "api/v1/stream") as socket:
        await socket.send_json(first)
        refused = await said(socket)
        assert (refused["type"], refused["code"]) == ("error", code)
        assert await closed_with(socket) == 4001


async def test_the_stream_needs_read_game_state_and_bets_need_read_bet(world: World) -> None:
    blind = await world.call("POST", "/sandbox/keys", body=b'{"scopes":["read:bet"]}')
    async with world.http.ws_connect(world.url / "api/v1/stream") as socket:
        await socket.send_json({"op": "auth", "api_key": blind.json["api_key"]})
        assert (await said(socket))["code"] == "insufficient_scope"
        assert await closed_with(socket) == 4001

    made = await world.call("POST", "/sandbox/keys", body=b'{"scopes":["read:game_state"]}')
    async with stream(world, "round_updates", api_key=made.json["api_key"]) as socket:
        await socket.send_json({"op": "subscribe", "channels": ["bet_updates"]})
        refused = await said(socket)
        assert (refused["type"], refused["code"]) == ("error", "insufficient_scope")


async def test_a_revoked_key_loses_its_stream_at_once(world: World) -> None:
    async with stream(world) as socket:
        await world.call("DELETE", "/sandbox/keys/k_1")
        assert await closed_with(socket) == 4001


async def test_heartbeats_come_on_time_and_acknowledged_ones_keep_the_stream(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(heartbeat_s=0.1)
    async with stream(world) as socket:
        for number in range(1, 6):
            beat = await said(socket)
            assert (beat["type"], beat["id"]) == ("heartbeat", number)
            assert beat["timestamp"].endswith("Z")
            await socket.send_json({"op": "heartbeat_ack", "id": number})


async def test_two_unacknowledged_heartbeats_close_with_4008(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(heartbeat_s=0.03)
    async with stream(world) as socket:
        assert (await said(socket))["id"] == 1
        assert (await said(socket))["id"] == 2
        assert await closed_with(socket) == 4008


async def test_a_slow_consumer_is_closed_with_4009(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(stream_queue=8, tick_s=60)
    world.player()
    async with stream(world, "bet_updates") as socket:
        bet = await world.bet(amount="1.00")
        slip = world.sandbox.book.bets[bet["ticket_id"]]
        for _ in range(50):  # faster than any consumer: nothing is sent in between
            world.sandbox.hub.changed(slip)
        assert await closed_with(socket) == 4009


async def test_round_updates_tell_each_change_of_status(world: World) -> None:
    async with stream(world, "round_updates") as socket:
        await world.next_round(100)
        await world.until("active")
        await world.until("crashed")
        await world.until("payout")
        heard = await events(socket, 3)

    assert [event["data"]["status"] for event in heard] == ["active", "crashed", "payout"]
    assert [event["seq"] for event in heard] == [1, 2, 3]
    assert heard[0]["data"]["crash_multiplier"] is None
    assert heard[1]["data"]["crash_multiplier"] >= Decimal("1.00")


async def test_the_live_multiplier_climbs(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds()
    await world.next_round(300)
    async with stream(world, "live_multiplier") as socket:
        await world.until("active")
        heard = []
        for _ in range(4):
            world.clock.turn(0.3)
            heard += await events(socket, 1)

    climb = [event["data"]["multiplier"] for event in heard]
    assert climb == sorted(climb)
    assert all(isinstance(multiplier, Decimal) for multiplier in climb)
    assert sorted(heard[0]["data"]) == ["elapsed_ms", "multiplier", "round_id"]


async def test_bet_updates_tell_the_whole_life_of_a_bet(world: World) -> None:
    await world.next_round(200)
    async with stream(world, "bet_updates") as socket:
        bet = await world.bet(auto="1.50")
        await world.until("payout")
        world.clock.turn(0.3)
        heard = await events(socket, 4)

    told = [
        (min(event["data"]), event["data"]["ticket_id"], event["data"]["status"]) for event in heard
    ]
    assert told == [
        ("amount", bet["ticket_id"], "active"),
        ("amount", bet["ticket_id"], "cashed_out"),
        ("amount", bet["ticket_id"], "pending"),
        ("amount", bet["ticket_id"], "completed"),
    ]
    assert [event["seq"] for event in heard] == [1, 2, 3, 4]
    assert "transaction_id" in heard[3]["data"]


async def test_bet_updates_are_of_the_keys_own_players(world: World) -> None:
    world.player("u_2")
    made = await world.call(
        "POST",
        "/sandbox/keys",
        body=b'{"scopes":["read:game_state","read:bet"],"users":["u_2"]}',
    )
    async with stream(world, "bet_updates", api_key=made.json["api_key"]) as socket:
        await world.bet(user="u_1")
        await world.bet(user="u_2")
        heard = await events(socket, 1)

    assert heard[0]["data"]["user_id"] == "u_2"
    assert heard[0]["seq"] == 1


async def test_seq_counts_per_channel_and_connection_and_goes_on_after_a_pause(
    world: World,
) -> None:
    async with stream(world, "bet_updates") as one:
        await world.bet(amount="1.00")
        async with stream(world, "bet_updates") as two:
            await world.bet(amount="1.00")
            assert [event["seq"] for event in await events(one, 2)] == [1, 2]
            assert [event["seq"] for event in await events(two, 1)] == [1]

        await one.send_json({"op": "unsubscribe", "channels": ["bet_updates"]})
        await one.send_json({"op": "subscribe", "channels": ["round_updates"]})
        assert await said(one) == {"type": "subscribed", "channel": "round_updates", "seq": 0}
        await world.bet(amount="1.00")
        await one.send_json({"op": "subscribe", "channels": ["bet_updates"]})
        assert await said(one) == {"type": "subscribed", "channel": "bet_updates", "seq": 2}
        await world.bet(amount="1.00")
        assert [event["seq"] for event in await events(one, 1)] == [3]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("{", "bad_request"),
        ('{"op":"dance"}', "bad_request"),
        ('{"op":"subscribe","channels":["nothing"]}', "validation_failed"),
        ('{"op":"subscribe"}', "validation_failed"),
        ('{"op":"heartbeat_ack","id":"1"}', "validation_failed"),
    ],
)
async def test_a_wrong_operation_is_an_error_message_and_no_end(
    world: World, sent: str, code: str
) -> None:
    async with stream(world) as socket:
        await socket.send_str(sent)
        refused = await said(socket)
        assert sorted(refused) == ["code", "message", "type"]
        assert (refused["type"], refused["code"]) == ("error", code)
        await socket.send_json({"op": "subscribe", "channels": ["bet_updates"]})
        assert (await said(socket))["type"] == "subscribed"


async def sequence_under(world: World, kind: str, bets: int) -> list[int]:
    """The numbers that arrive on ``bet_updates`` while a fault of the stream always strikes."""
    async with stream(world, "bet_updates", "round_updates") as socket:
        world.sandbox.hub.set_rate(kind, 1.0)
        for _ in range(bets):
            await world.bet(amount="1.00")
        world.sandbox.hub.set_rate(kind, 0.0)
        await socket.send_json({"op": "subscribe", "channels": ["live_multiplier"]})
        seen = []
        while (message := await said(socket))["type"] == "event":
            seen.append(message["seq"])
        return seen


async def test_the_streams_faults_double_reorder_and_lose_messages(world: World) -> None:
    assert await sequence_under(world, "stream_duplicate", 2) == [1, 1, 2, 2]
    assert await sequence_under(world, "stream_reorder", 4) == [2, 1, 4, 3]
    assert await sequence_under(world, "stream_gap", 2) == []
    listed = await world.call("GET", "/sandbox/faults")
    assert listed.json["stream"] == {
        "stream_duplicate": 2,
        "stream_reorder": 2,
        "stream_gap": 2,
    }


@pytest.mark.parametrize("code", [4001, 4008, 4009, 1001])
async def test_every_stream_can_be_closed_with_a_code_of_choice(world: World, code: int) -> None:
    async with stream(world) as one, stream(world) as two:
        body = json.dumps({"code": code}).encode()
        closed = await world.call("POST", "/sandbox/stream/close", body=body)

        assert closed.json == {"closed": 2}
        assert [await closed_with(one), await closed_with(two)] == [code, code]


async def test_a_silent_stream_says_nothing_and_closes_nothing(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(heartbeat_s=0.03)
    world.player()
    async with stream(world, "bet_updates") as socket:
        await world.call("PUT", "/sandbox/stream", body=b'{"silent":true}')
        await world.bet(amount="1.00")
        with pytest.raises(TimeoutError):
            await all_said(socket, within_s=0.3)

        await world.call("PUT", "/sandbox/stream", body=b'{"silent":false}')
        await world.bet(amount="1.00")
        assert [event["seq"] for event in await events(socket, 1)] == [2]


async def test_a_call_that_is_no_handshake_is_a_bad_request(world: World) -> None:
    reply = await world.get("/api/v1/stream")

    assert (reply.status, reply.code) == (400, "bad_request")


async def test_a_stopping_sandbox_closes_its_streams(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds()
    async with stream(world) as socket:
        (session,) = world.sandbox.sessions
        await asyncio.gather(session.close(), closed_with(socket))
        assert socket.close_code == 1001
    while world.sandbox.sessions:  # noqa: ASYNC110 - its handler ends a moment later
        await asyncio.sleep(0.01)


async def test_a_consumer_that_stops_reading_is_closed_with_4009_too(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(stream_queue=64, tick_s=60)
    world.player()
    async with stream(world, "bet_updates") as socket:
        bet = await world.bet(amount="1.00")
        slip = world.sandbox.book.bets[bet["ticket_id"]]
        for _ in range(100_000):  # until every buffer between the two is full
            world.sandbox.hub.changed(slip)
            await asyncio.sleep(0)
            if not world.sandbox.hub.listeners:
                break
        assert not world.sandbox.hub.listeners

        assert await closed_with(socket) == 4009
