"""Each message arrives once where it can, under one id where it must be sent again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest

from recon.alerts import (
    Alerting,
    enable_channel,
    find_alerts,
    read_channels,
    send_due,
)
from recon.alerts import post as posting
from recon.alerts.errors import ChannelNotFoundError
from recon.alerts.rules import retry_in
from recon.db import open_pool
from tests.alerts.plain import SECRET, policy

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.alerts.conftest import Books, Hook

DAY = timedelta(days=1)
OTHER = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


@pytest.fixture
async def alerting(books: Books, hook: Hook) -> Alerting:
    """One message is on its way."""
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    assert len(await find_alerts(books.pool, alerting)) == 1
    return alerting


async def error_of(pool: Pool) -> str | None:
    error: str | None = await pool.fetchval("SELECT last_error FROM alert_deliveries")
    return error


async def test_a_receiver_that_fails_gets_the_same_message_again_at_growing_distances(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    hook.answers = [500, 503, 404]
    waits = []
    for _ in range(4):
        await send_due(books.pool, alerting)
        await send_due(books.pool, alerting)  # not due yet
        waits.append(
            await books.pool.fetchval("SELECT next_at - clock_timestamp() FROM alert_deliveries")
        )
        await books.pass_by(timedelta(hours=1))

    assert len(hook.calls) == 4
    assert len(set(hook.ids)) == 1
    assert hook.said[0] == hook.said[3]
    assert await books.ways() == [("webhook:ops", "sent", 4)]
    for wait, least_s, most_s in zip(waits[:3], (4, 299, 1799), (5.6, 330, 1980), strict=True):
        assert least_s < wait.total_seconds() < most_s
    assert await error_of(books.pool) == "answered 204"


async def test_a_receiver_that_asks_for_time_gets_it(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    hook.answers, hook.headers = [429], {"Retry-After": "1200"}
    await send_due(books.pool, alerting)

    wait = await books.pool.fetchval("SELECT next_at - clock_timestamp() FROM alert_deliveries")
    assert timedelta(minutes=19) < wait <= timedelta(minutes=20)


def test_what_a_receiver_asks_for_is_bounded_and_the_schedule_never_ends() -> None:
    assert retry_in(1, retry_after_s=10**9, draw=0) == timedelta(hours=6)
    assert retry_in(1, retry_after_s=None, draw=0) == timedelta(seconds=5)
    assert retry_in(500, retry_after_s=3, draw=1) == timedelta(hours=26, minutes=24)


async def test_a_receiver_that_is_down_is_tried_again_and_the_error_names_no_address(
    books: Books, hook: Hook
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/secret-path"
        alerting = Alerting(policy=policy(), channels=[hook.receiver(url=url)])
        await books.differs("u_1", "10.00")
        await books.look(alerting)

    error = await error_of(books.pool)
    assert error is not None
    assert "Connect" in error
    assert "secret-path" not in error
    assert await books.ways() == [("webhook:ops", "pending", 1)]


async def test_a_receiver_that_never_answers_costs_its_time_and_no_more(
    books: Books, hook: Hook, alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    ended = asyncio.Event()

    async def hang() -> None:
        await ended.wait()

    hook.meanwhile = hang
    async with asyncio.timeout(60):
        await send_due(books.pool, alerting)
    ended.set()

    assert await error_of(books.pool) == "no answer within 0.2 s"


async def test_a_redirect_is_not_followed(books: Books, hook: Hook, alerting: Alerting) -> None:
    hook.answers, hook.headers = [307], {"Location": hook.url}
    await send_due(books.pool, alerting)

    assert len(hook.calls) == 1
    assert await error_of(books.pool) == "answered 307"


async def test_a_receiver_that_is_gone_for_good_is_asked_no_more_until_somebody_enables_it(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    hook.answers = [410]
    await send_due(books.pool, alerting)

    (state,) = await read_channels(books.pool)
    assert (state.channel, state.disabled_reason) == ("webhook:ops", "answered 410")
    assert await books.ways() == [("webhook:ops", "given_up", 1)]

    # With nobody to tell, nothing counts as told.
    await books.pass_by(DAY)
    await books.differs("u_2", "30.00")
    assert await books.look(alerting) == 0
    await enable_channel(books.pool, "webhook:ops")
    assert await books.look(alerting) == 1
    assert [one["user_id"] for one in hook.said[1]["data"]["discrepancies"]] == ["u_2"]
    with pytest.raises(ChannelNotFoundError):
        await enable_channel(books.pool, "webhook:ops")


async def test_another_address_enables_a_channel(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    hook.answers = [410]
    await send_due(books.pool, alerting)
    moved = Alerting(policy=policy(), channels=[hook.receiver(url=f"{hook.url}?v=2")])
    await books.pass_by(DAY)
    await books.differs("u_2", "30.00")

    assert await books.look(moved) == 1
    assert len(hook.calls) == 2


async def test_two_workers_at_once_send_once(
    books: Books, hook: Hook, alerting: Alerting, database_url: str
) -> None:
    async def slow() -> None:
        await asyncio.sleep(0.2)

    hook.meanwhile = slow
    await books.differs("u_2", "10.00")
    await books.pass_by(DAY)
    async with open_pool(database_url, max_size=2) as other:
        found = await asyncio.gather(
            *(find_alerts(pool, alerting) for pool in (books.pool, other) * 3)
        )
        await asyncio.gather(*(send_due(pool, alerting) for pool in (books.pool, other) * 3))

    assert sum(len(ids) for ids in found) == 1
    assert len(hook.calls) == len(set(hook.ids)) == 2
    assert await books.ways() == [("webhook:ops", "sent", 1)] * 2


@pytest.mark.parametrize(
    ("answers", "state", "error"),
    [
        ([204, 500], "sent", "answered 204"),
        ([503, 500], "pending", "answered 503"),
        ([503, 204], "sent", "answered 204"),
    ],
)
async def test_who_lost_the_channel_while_sending_writes_nothing_over_what_came_after(
    books: Books,
    hook: Hook,
    alerting: Alerting,
    database_url: str,
    answers: list[int],
    state: str,
    error: str,
) -> None:
    async def another_takes_over() -> None:
        await books.owner.execute("UPDATE alert_channels SET held_until = '-infinity'")
        async with open_pool(database_url, max_size=2) as other:
            await send_due(other, alerting)

    hook.meanwhile = another_takes_over
    hook.answers = answers  # the second worker is answered first
    await send_due(books.pool, alerting)

    assert len(hook.calls) == 2
    assert len(set(hook.ids)) == 1
    assert await books.ways() == [("webhook:ops", state, 2)]
    assert await error_of(books.pool) == error


async def test_a_worker_killed_between_sending_and_writing_it_down_sends_again_under_the_same_id(
    books: Books, hook: Hook, alerting: Alerting, database_url: str
) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.alerts.sender", database_url, hook.url),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    async def kill() -> None:
        worker.send_signal(signal.SIGKILL)
        await worker.wait()

    hook.meanwhile = kill
    assert await asyncio.wait_for(worker.wait(), 60) == -signal.SIGKILL

    assert await books.ways() == [("webhook:ops", "pending", 1)]
    await send_due(books.pool, alerting)
    assert len(hook.calls) == 1, "it may still be alive"
    await books.pass_by(alerting.lease)
    await send_due(books.pool, alerting)

    assert len(hook.calls) == 2
    assert len(set(hook.ids)) == 1
    assert await books.ways() == [("webhook:ops", "sent", 2)]


async def test_what_never_arrives_is_given_up_and_said(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    hook.answers = [500] * 9
    for _ in range(4):
        await send_due(books.pool, alerting)
        await books.pass_by(DAY)
    await send_due(books.pool, alerting)
    await find_alerts(books.pool, alerting)

    assert await books.ways() == [("webhook:ops", "given_up", 5)]
    (state,) = await read_channels(books.pool)
    assert (state.given_up, state.pending) == (1, 0)


async def test_a_message_that_a_receiver_never_takes_holds_up_no_other(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    await books.pass_by(DAY)
    await books.differs("u_2", "10.00")
    hook.answers = [400]
    await books.look(alerting)

    assert await books.ways() == [("webhook:ops", "pending", 1), ("webhook:ops", "sent", 1)]


async def test_one_receiver_that_is_down_holds_up_no_other(books: Books, hook: Hook) -> None:
    down = hook.receiver("down", url="http://127.0.0.1:9/hook")
    alerting = Alerting(policy=policy(), channels=[down, hook.receiver()])
    await books.differs("u_1", "10.00")
    await books.look(alerting)

    assert await books.ways() == [("webhook:down", "pending", 1), ("webhook:ops", "sent", 1)]


async def test_while_a_secret_is_rotated_both_sign(books: Books, hook: Hook) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver(secrets=[OTHER, SECRET])])
    await books.differs("u_1", "10.00")
    await books.look(alerting)

    assert len(hook.calls) == 1, "proven by the older secret, which the receiver has"
    assert [part[:3] for part in hook.signatures[0].split(" ")] == ["v1,", "v1,"]


def test_secrets_are_in_no_repr() -> None:
    receiver = posting.Receiver(
        label="ops", url="https://a.example", secrets=[SECRET], wants=frozenset()
    )
    assert SECRET not in repr(receiver)
