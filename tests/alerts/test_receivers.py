"""What receivers and clocks may do to us, without a message being lost, doubled or held up."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY

from recon.alerts import Alerting, find_alerts, mail, read_channels, send_due
from recon.clock import format_time, new_id, now
from tests.alerts.plain import SECRET, policy

if TYPE_CHECKING:
    from tests.alerts.conftest import Books, Hook, Post

YEAR = timedelta(days=365)
HOURS = timedelta(hours=1)


async def waits(books: Books) -> timedelta:
    waited: timedelta = await books.pool.fetchval(
        "SELECT min(next_at) - clock_timestamp() FROM alert_deliveries WHERE state = 'pending'"
    )
    return waited


async def test_the_bytes_that_arrive_are_signed_as_standard_webhooks_has_it(
    books: Books, hook: Hook
) -> None:
    """By the specification's own words, in nobody's code but this test's."""
    came: list[tuple[str, str, str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        message_id, timestamp, signature = (request.headers[name] for name in names)
        came.append((message_id, timestamp, signature, await request.read()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", take)
    async with TestServer(app) as server:
        receiver = hook.receiver(url=str(server.make_url("/")))
        await books.differs("ü_1", "10.00")
        await books.look(Alerting(policy=policy(), channels=[receiver]))

    ((message_id, timestamp, signature, body),) = came
    key = base64.b64decode(SECRET.split("_")[1])
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + body
    mac = hmac.new(key, signed, hashlib.sha256).digest()
    assert signature == "v1," + base64.b64encode(mac).decode()
    assert abs(int(timestamp) - now().timestamp()) < 300
    assert "." not in message_id


@pytest.mark.parametrize("asked", ["9" * 18, "9" * 5000])
async def test_a_receiver_that_asks_for_ages_waits_six_hours_and_holds_up_no_other_message(
    books: Books, hook: Hook, asked: str
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    await find_alerts(books.pool, alerting)
    await books.pass_by(timedelta(days=1))
    await books.differs("u_2", "10.00")
    await find_alerts(books.pool, alerting)
    hook.answers, hook.headers = [429, 429], {"Retry-After": asked}
    await send_due(books.pool, alerting)

    assert await books.ways() == [("webhook:ops", "pending", 1)] * 2
    assert 5.9 * HOURS < await waits(books) <= 6 * HOURS


async def test_a_receiver_may_ask_for_time_by_a_date(books: Books, hook: Hook) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    then = now() + timedelta(hours=2)
    date = then.strftime("%a, %d %b %Y %H:%M:%S GMT")
    hook.answers, hook.headers = [503], {"Retry-After": date}
    await books.look(alerting)

    assert 1.9 * HOURS < await waits(books) <= 2 * HOURS


async def test_of_an_answer_that_never_ends_nothing_is_read_but_its_beginning(
    books: Books, hook: Hook
) -> None:
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
        ended.set()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        receiver = hook.receiver(url=f"http://127.0.0.1:{port}/")
        await books.differs("u_1", "10.00")
        await books.look(Alerting(policy=policy(), channels=[receiver]))
        await asyncio.wait_for(ended.wait(), 60)

    assert await books.ways() == [("webhook:ops", "sent", 1)]


async def test_a_message_of_which_no_letter_can_be_made_holds_up_no_other(
    books: Books, post: Post
) -> None:
    """One that another version of the service has written, for example."""
    alerting = Alerting(policy=policy(), channels=[post.mailbox()])
    await find_alerts(books.pool, alerting)
    odd = {
        "type": "runs.failed",
        "timestamp": format_time(now()),
        "data": {"environment": "sandbox", "summary": "a run failed"},
    }
    alert_id = new_id()
    await books.pool.execute(
        "INSERT INTO alerts (alert_id, type, payload) VALUES ($1, 'runs.failed', $2)", alert_id, odd
    )
    await books.pool.execute(
        "INSERT INTO alert_deliveries (alert_id, channel) VALUES ($1, 'email')", alert_id
    )
    await books.differs("u_1", "10.00")
    await books.look(alerting)

    assert await books.ways() == [("email", "pending", 1), ("email", "sent", 1)]
    assert len(post.letters) == 1
    error = await books.pool.fetchval(
        "SELECT last_error FROM alert_deliveries WHERE state = 'pending'"
    )
    assert error == "an unforeseen error of ours: KeyError"
    assert await waits(books) > timedelta(seconds=1), "it is tried again later and later"


@pytest.mark.parametrize("then", ["dies", "hangs"])
async def test_a_letter_that_was_taken_is_not_sent_again_though_the_server_dies_or_hangs_then(
    books: Books, post: Post, then: Literal["dies", "hangs"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_GOODBYE_S", 0.05)
    alerting = Alerting(policy=policy(), channels=[post.mailbox()])
    post.at_quit = then
    await books.differs("u_1", "10.00")
    await books.look(alerting)
    await books.pass_by(HOURS)
    await books.look(alerting)

    assert len(post.letters) == 1
    assert await books.ways() == [("email", "sent", 1)]


async def test_a_clock_that_was_a_year_ahead_for_a_while_stops_no_message(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    hook.answers = [503]
    await books.look(alerting)
    await books.pass_by(-YEAR)
    await books.differs("u_2", "10.00")

    # The lease, the next try, and the last message of its type all lie in a year.
    assert await books.look(alerting) == 1

    assert await books.ways() == [("webhook:ops", "sent", 2), ("webhook:ops", "sent", 1)]


async def test_what_was_never_tried_is_tried_before_it_is_given_up(
    books: Books, hook: Hook
) -> None:
    """All workers were gone for longer than messages are tried for."""
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    await find_alerts(books.pool, alerting)
    await books.pass_by(timedelta(days=4))
    hook.answers = [503]
    await find_alerts(books.pool, alerting)
    await send_due(books.pool, alerting)
    assert await books.ways() == [("webhook:ops", "pending", 1)]
    await find_alerts(books.pool, alerting)

    assert await books.ways() == [("webhook:ops", "given_up", 1)]


async def test_what_waits_for_a_channel_that_is_no_longer_set_is_given_up_untried(
    books: Books, hook: Hook
) -> None:
    await books.differs("u_1", "10.00")
    await find_alerts(books.pool, Alerting(policy=policy(), channels=[hook.receiver()]))
    await books.pass_by(timedelta(days=4))
    await find_alerts(books.pool, Alerting(policy=policy(), channels=[hook.receiver("other")]))

    assert await books.ways() == [("webhook:ops", "given_up", 0)]


async def test_what_a_receiver_that_is_gone_gives_up_is_counted(books: Books, hook: Hook) -> None:
    def counted() -> float:
        name, labels = "recon_alerts_given_up_total", {"channel": "webhook:ops"}
        return REGISTRY.get_sample_value(name, labels) or 0.0

    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    before = counted()
    for user in ("u_1", "u_2"):
        await books.differs(user, "10.00")
        await find_alerts(books.pool, alerting)
        await books.pass_by(timedelta(days=1))
    hook.answers = [410]
    await send_due(books.pool, alerting)

    (state,) = await read_channels(books.pool)
    assert (state.given_up, counted() - before) == (2, 2)
