"""Listening to a real game over a real socket: what is told, what is not, and how it ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from recon.game import GameClient
from recon.game.stream import EVERYTHING, Backoff, News, Patience, StreamWatch
from tests.game.stream.conftest import PATIENCE, ended, listening, open_game, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.game.stream.conftest import Game


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"recon_stream_{name}", labels) or 0.0


def tickets(*names: str) -> News:
    return News(tickets=frozenset(names))


async def test_everything_is_asked_for_first_and_then_what_is_told(game: Game) -> None:
    async with listening(game) as listener:
        assert await listener.next() == EVERYTHING

        game.tell_bet("t_1", "lost")
        assert await listener.next() == tickets("t_1")
        game.tell_bet("t_2", "completed")
        assert await listener.next() == tickets("t_2")
        game.tell_round("r_1", "crashed")
        assert await listener.next() == News(ended=frozenset({"r_1"}))


async def test_what_decides_nothing_is_no_news(game: Game) -> None:
    async with listening(game) as listener:
        await listener.next()
        game.tell_bet("t_1", "active")
        game.tell_bet("t_1", "pending")
        game.tell_round("r_1", "betting")
        game.tell_round("r_1", "active")
        game.tell_round("r_1", "payout")  # its payouts are told of one by one

        assert await listener.silence()


async def test_a_key_without_read_bet_still_hears_of_rounds_and_of_their_payouts(
    game: Game,
) -> None:
    key = await game.key("read:game_state")
    async with listening(game, api_key=key) as listener:
        assert await listener.next() == EVERYTHING
        game.tell_bet("t_1")
        game.tell_round("r_1", "payout")

        assert await listener.next() == News(ended=frozenset({"r_1"}), paid=frozenset({"r_1"}))


async def test_a_doubled_message_is_told_once_and_swapped_ones_both(game: Game) -> None:
    dropped = metric("dropped_total", channel="bet_updates")
    async with listening(game) as listener:
        await listener.next()
        await game.control("PUT", "/faults", rates={"stream_duplicate": 1})
        game.tell_bet("t_1")
        assert await listener.next() == tickets("t_1")
        assert await listener.silence()
        await game.control("PUT", "/faults", rates={"stream_duplicate": 0, "stream_reorder": 1})
        game.tell_bet("t_2")
        assert await listener.silence()
        game.tell_bet("t_3")

        assert await listener.next() == tickets("t_2", "t_3")
    assert metric("dropped_total", channel="bet_updates") == dropped + 1


async def test_a_lost_message_makes_everything_news_half_a_second_after_the_next(
    game: Game,
) -> None:
    gaps = metric("gaps_total", channel="bet_updates")
    async with listening(game) as listener:
        await listener.next()
        await game.control("PUT", "/faults", rates={"stream_gap": 1})
        game.tell_bet("t_1")
        await game.control("PUT", "/faults", rates={"stream_gap": 0})
        game.tell_bet("t_2")

        assert await listener.silence(0.3)
        assert await listener.next() == EVERYTHING
    assert metric("gaps_total", channel="bet_updates") == gaps + 1


@pytest.mark.parametrize("number", [10**12, 2**62 - 1])
async def test_after_a_number_from_nowhere_the_stream_is_heard_again(number: int) -> None:
    async with open_game(heartbeat_s=0.2) as game, listening(game) as listener:
        await listener.next()
        (server,) = game.sandbox.hub.listeners
        server.seq["bet_updates"] = number
        game.tell_bet("t_0")
        assert await listener.next() == EVERYTHING  # what is missing is given up

        # The numbers behind it are those that the game really counts by.
        server.seq["bet_updates"] = 0
        for place in range(1, 17):
            game.tell_bet(f"t_{place}")
        assert await listener.next() == EVERYTHING
        game.tell_bet("t_17")
        assert await listener.next() == tickets("t_17")
        assert game.streams == 1


async def test_heartbeats_are_acknowledged_however_long_somebody_looks_into_news() -> None:
    async with open_game(heartbeat_s=0.03) as game, listening(game) as listener:
        await listener.next()
        # Nobody takes any more news: a reader that waited for them would miss two heartbeats.
        for number in range(20):
            game.tell_bet(f"t_{number}")
            await asyncio.sleep(0.03)

        assert game.streams == 1
        assert len((await listener.next()).tickets) == 20


async def test_more_than_anybody_would_ask_for_singly_is_everything(game: Game) -> None:
    async with listening(game) as listener:
        await listener.next()
        before = heard()
        for number in range(5100):
            game.tell_bet(f"t_{number}")
            if number % 500 == 0:
                await asyncio.sleep(0.02)  # or the game would call it a slow consumer
        await until(lambda: heard() == before + 5100)

        news = await listener.next()
        assert news.everything
        assert len(news.tickets) <= 100, "what came after it was too much"


def heard() -> float:
    return metric("messages_total", channel="bet_updates")


@pytest.mark.parametrize(
    ("code", "reason"),
    [(4008, "unacknowledged"), (4009, "slow"), (1001, "closed"), (4999, "closed")],
)
async def test_a_closed_connection_is_made_anew_and_everything_asked_for(
    game: Game, code: int, reason: str
) -> None:
    before = metric("reconnects_total", reason=reason)
    async with listening(game) as listener:
        await listener.next()
        await game.control("POST", "/stream/close", code=code)

        assert await listener.next() == EVERYTHING
        game.tell_bet("t_1")
        assert await listener.next() == tickets("t_1")
    assert metric("reconnects_total", reason=reason) == before + 1


async def test_a_game_that_falls_silent_is_left(game: Game) -> None:
    async with listening(game, patience=Patience(silence_s=0.2, closing_s=0.1)) as listener:
        await listener.next()
        await game.control("PUT", "/stream", silent=True)
        await until(lambda: listener.watch.failure)
        assert listener.watch.failure == "the game said nothing for too long"
        await game.control("PUT", "/stream", silent=False)

        assert await listener.next() == EVERYTHING


async def test_a_game_that_beats_is_not_left_however_little_it_tells() -> None:
    async with (
        open_game(heartbeat_s=0.1) as game,
        listening(game, patience=Patience(silence_s=1.5)) as listener,
    ):
        await listener.next()
        assert await listener.silence(2.0)
        assert game.streams == 1


@pytest.mark.parametrize("fault", ["unknown", "without read:game_state", "revoked"])
async def test_a_key_that_is_refused_waits_long_and_says_so_without_telling_the_key(
    game: Game, fault: str
) -> None:
    key = await game.key("read:bet" if fault.startswith("without") else "read:game_state")
    wrong = "ck_sandbox_secret_1" if fault == "unknown" else key
    slow = Backoff(first_s=0.01, longest_s=0.01, first_refused_s=60.0, draw=lambda: 0.0)
    with capture_logs() as logs:
        async with listening(game, api_key=wrong, backoff=slow) as listener:
            if fault == "revoked":
                await listener.next()
                keys = (await game.control("GET", "/keys"))["keys"]
                await game.control("DELETE", f"/keys/{keys[-1]['key_id']}")
            await until(lambda: listener.watch.failure and game.streams == 0)
            await asyncio.sleep(0.1)
            assert game.streams == 0

    (told,) = [line for line in logs if line["event"] == "stream_refused"]
    assert (told["log_level"], told["reason"], told["retry_in_s"]) == ("error", "auth", 30.0)
    assert "RECON_GAME_API_KEY" in told["help"]
    assert wrong not in str(logs)


async def test_metrics_say_whether_this_process_listens_and_since_when_it_heard_nothing(
    game: Game,
) -> None:
    async with listening(game) as listener:
        await listener.next()
        messages = metric("messages_total", channel="bet_updates")
        game.tell_bet("t_1")
        await listener.next()
        assert metric("connected") == 1
        assert 0 <= metric("last_event_age_seconds") < 30
        assert metric("messages_total", channel="bet_updates") == messages + 1

    assert metric("connected") == 0
    assert metric("last_event_age_seconds") != metric("last_event_age_seconds")


# A game that is not as it should be.


async def served(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    patience: Patience = PATIENCE,
    api_key: str = "ck_sandbox_any",
) -> str:
    """Why a connection to a server of this behaviour ended."""
    app = web.Application()
    app.router.add_get("/api/v1/stream", answer)
    async with TestServer(app) as server:
        return await ended(str(server.make_url("")).rstrip("/"), api_key, patience)


async def says(
    request: web.Request, *messages: str | bytes, close: int = 1000
) -> web.WebSocketResponse:
    """Take the authentication, say this, and close."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.receive()
    for message in messages:
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_str(message)
    await socket.close(code=close)
    return socket


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "17",
        '{"type":7}',
        '{"type":"heartbeat"}',
        '{"type":"heartbeat","id":"x"}',
        '{"type":"event","channel":"bet_updates","seq":1,"data":{}}',
        '{"type":"event","channel":"bet_updates","data":{}}',
        '{"type":"event","seq":-1}',
        '{"type":"subscribed","channel":"nothing","seq":0}',
        '{"type":"something new","with":{"fields":1}}',
        b"\xff\xfe",
        "[" * 5000,
    ],
)
async def test_what_cannot_be_read_ends_nothing(message: str | bytes) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await says(request, message, '{"type":"authenticated"}', message, close=4009)

    assert await served(answer) == "slow: closed with 4009"


async def test_a_game_that_lets_nobody_listen_now_is_asked_again() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await says(
            request,
            '{"type":"authenticated"}',
            '{"type":"error","code":"rate_limited","message":"soon"}',
        )

    assert await served(answer) == "closed: the game refuses: rate_limited"


@pytest.mark.parametrize("data", ['{"ticket_id":"a\\u0000b","status":"lost"}', '{"x":1}', "7"])
async def test_an_event_that_names_nothing_is_no_news(game: Game, data: str) -> None:
    faults = metric("faults_total")
    async with listening(game) as listener:
        await listener.next()
        (connection,) = game.sandbox.hub.listeners
        event = f'{{"type":"event","channel":"bet_updates","seq":1,"data":{data}}}'
        connection.put(event.encode())

        assert await listener.silence()
        assert metric("faults_total") == faults + 1


async def test_a_redirect_is_not_followed_and_the_key_told_to_nobody() -> None:
    told: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        told.append(str((await socket.receive()).data))
        return socket

    async def answer(_: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(str(other.make_url("/stream")))

    app = web.Application()
    app.router.add_get("/stream", elsewhere)
    async with TestServer(app) as other:
        assert await served(answer) == "unreachable: the handshake was answered with 307"
    assert told == []


async def test_the_handshake_carries_the_key_as_every_call_does() -> None:
    keys: list[str | None] = []

    async def refuse(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers.get("X-API-Key"))
        return web.Response(status=401)

    app = web.Application()
    app.router.add_get("/api/v1/stream", refuse)
    async with TestServer(app) as server:
        said = await ended(str(server.make_url("")).rstrip("/"), "ck_sandbox_mine")

    assert keys == ["ck_sandbox_mine"]
    assert said == "auth: the handshake was answered with 401"


async def test_what_the_handshake_announces_is_noted_as_any_answers() -> None:
    async with (
        open_game(sunset_at=datetime(2027, 6, 1, tzinfo=UTC), api_version="2.0") as game,
        GameClient(game.url, game.api_key, "sk_sandbox_any") as client,
        listening(game, watch=StreamWatch(client.note)) as listener,
    ):
        await listener.next()

    assert [str(notice) for notice in client.notices] == [
        "the game API is at version 2.0, this client speaks 1.x",
        "GET /api/v1/stream ends at 2027-06-01T00:00:00Z",
    ]


async def test_a_key_that_the_server_says_back_is_shown_nowhere() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        said = (await socket.receive()).data
        await socket.send_json({"type": "error", "code": "ck_sandbox_secret_1", "message": said})
        await socket.send_json({"type": "authenticated"})
        await socket.receive()
        await socket.send_json({"type": "error", "code": "ck_sandbox_secret_1", "message": said})
        return socket

    with capture_logs() as logs:
        assert "secret" not in await served(answer, api_key="ck_sandbox_secret_1")
    assert "secret" not in str(logs)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "auth"), (403, "auth"), (404, "absent"), (503, "unreachable"), (200, "unreachable")],
)
async def test_a_handshake_that_is_refused_says_with_what(status: int, reason: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    assert await served(answer) == f"{reason}: the handshake was answered with {status}"


async def test_nobody_at_the_address_is_unreachable() -> None:
    async with open_game() as game:
        url = game.url
    assert (await ended(url)).startswith("unreachable: ClientConnector")


async def test_a_server_that_never_answers_the_authentication_is_left() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    impatient = Patience(opening_s=0.2, closing_s=0.1)
    assert await served(answer, impatient) == "silent: the game said nothing for too long"


async def test_a_message_beyond_all_measure_ends_the_connection() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        await socket.send_str("x" * 70_000)
        assert (await socket.receive()).type is WSMsgType.CLOSE
        return socket

    assert await served(answer) == f"closed: closed with {WSCloseCode.MESSAGE_TOO_BIG}"


# How long to wait between two connections.


def test_each_failure_doubles_the_wait_and_chance_takes_up_to_half_of_it() -> None:
    longest, shortest = Backoff(draw=lambda: 1.0), Backoff(draw=lambda: 0.0)

    assert [longest.after("lost", held_s=0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [shortest.after("lost", held_s=0) for _ in range(3)] == [0.25, 0.5, 1]


def test_only_a_connection_that_held_for_a_minute_makes_the_failures_forgotten() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    for _ in range(5):
        backoff.after("lost", held_s=0)

    assert backoff.after("lost", held_s=59.9) == 16
    assert backoff.after("lost", held_s=60.0) == 0.5


def test_a_refused_key_is_tried_after_minutes_and_a_server_that_asks_for_time_gets_it() -> None:
    backoff = Backoff(draw=lambda: 1.0)

    assert [backoff.after("auth", held_s=0) for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    assert Backoff(draw=lambda: 1.0).after("unreachable", held_s=0, asked_s=40.0) == 40
