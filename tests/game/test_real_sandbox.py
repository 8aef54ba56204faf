"""The client's caution, against the sandbox game on a real socket; its clock is turned by hand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY

from recon.game import Attempt, GameClient, GameMisconfigured, GameSettingsInvalid, hold_body
from recon.money import Money
from recon.sandbox.app import build_app
from recon.sandbox.keys import first_api_key, first_signing_secret
from recon.sandbox.options import SandboxOptions
from recon.sandbox.parts import SANDBOX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiohttp import web

    from recon.sandbox.parts import Sandbox

SEED = 3
KEY, SECRET = first_api_key(SEED), first_signing_secret(SEED)


class Clock:
    """The game's and the client's time."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.ticks = False

    def monotonic(self) -> float:
        return time.monotonic() if self.ticks else self.passed_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.passed_s)


@dataclass
class Table:
    """The sandbox, and who may sit down at it."""

    clock: Clock
    sandbox: Sandbox
    url: str
    stack: AsyncExitStack
    asked: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    async def client(self, secret: str = SECRET, **more: Any) -> GameClient:  # noqa: ANN401 - settings of the client
        game = GameClient(
            self.url, KEY, secret, clock=self.clock.now, on_attempt=self.attempts.append, **more
        )
        return await self.stack.enter_async_context(game)

    def pass_time(self, seconds: float) -> None:
        self.clock.passed_s += seconds
        self.sandbox.timeline.catch_up()

    def open_round(self) -> str:
        self.sandbox.timeline.catch_up()
        while self.sandbox.engine.current.status != "betting":
            self.pass_time(0.5)
        return self.sandbox.engine.current.round_id


@pytest.fixture
async def open_table() -> AsyncIterator[Callable[..., Awaitable[Table]]]:
    async with AsyncExitStack() as stack:

        async def sit(**options: Any) -> Table:  # noqa: ANN401 - `SandboxOptions`
            clock = Clock()
            app = build_app(SandboxOptions(seed=SEED, betting_s=10.0, **options), clock=clock)
            asked: list[str] = []

            async def note(request: web.Request, _: web.StreamResponse) -> None:
                asked.append(request.path)

            app.on_response_prepare.append(note)
            server = await stack.enter_async_context(TestServer(app, shutdown_timeout=0.01))
            url = str(server.make_url("")).rstrip("/")
            return Table(clock, app[SANDBOX], url, stack, asked)

        yield sit


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_finished_round_is_asked_for_until_it_is_five_minutes_old_and_then_kept(
    open_table: Callable[..., Awaitable[Table]],
) -> None:
    table = await open_table()
    game = await table.client()
    round_id = table.open_round()
    path = f"/api/v1/game/rounds/{round_id}"
    before = await game.round(round_id)
    table.pass_time(60)
    young = [await game.round(round_id) for _ in range(3)]
    asked_young = table.asked.count(path)

    table.pass_time(300)
    old = [await game.round(round_id) for _ in range(5)]

    assert before.crash_multiplier is None
    assert {found.crash_multiplier for found in young} == {old[0].crash_multiplier}
    assert asked_young == 4
    assert table.asked.count(path) == 5
    assert len(set(old)) == 1


async def test_a_kept_round_is_revalidated_after_an_hour_by_a_304(
    open_table: Callable[..., Awaitable[Table]],
) -> None:
    table = await open_table()
    game = await table.client()
    round_id = table.open_round()
    table.pass_time(400)
    told = await game.round(round_id)
    table.pass_time(3700)

    again = await game.round(round_id)
    at_once = await game.round(round_id)

    assert told == again == at_once
    assert [attempt.status for attempt in table.attempts] == [200, 304]


async def test_what_is_live_always_reaches_the_game(
    open_table: Callable[..., Awaitable[Table]],
) -> None:
    table = await open_table()
    table.sandbox.backend.credit("u_1", "GBP", 10_000)
    game = await table.client()
    round_id = table.open_round()
    held = await game.hold("u_1", idempotency_key="k", body=body(round_id))
    bet = await game.confirm("u_1", held.hold_id, "k2")

    for _ in range(3):
        await game.state()
        await game.rounds()
        await game.round(round_id)
        await game.balance("u_1", "GBP")
        await game.bet("u_1", bet.ticket_id)
        await game.bet_by_key("u_1", "k")

    counts = Counter(table.asked)
    assert counts["/api/v1/game/state"] == 3
    assert counts["/api/v1/game/rounds"] == 3
    assert counts[f"/api/v1/game/rounds/{round_id}"] == 3
    assert counts["/api/v1/user/balance"] == 3
    assert counts[f"/api/v1/bets/{bet.ticket_id}"] == 3
    assert counts["/api/v1/bets"] == 3


def body(round_id: str) -> bytes:
    return hold_body(round_id, Money(1000, "GBP"), Decimal("2.50"))


async def test_a_key_of_forty_calls_a_second_is_shared_by_two_clients_without_a_429(
    open_table: Callable[..., Awaitable[Table]],
) -> None:
    table = await open_table(rate_limit=40, rate_window_s=1.0)
    table.sandbox.backend.credit("u_1", "GBP", 10_000)
    table.clock.ticks = True  # the limit is of real seconds
    first, second = await table.client(), await table.client()

    async def sweep(game: GameClient) -> None:
        for _ in range(5):
            await asyncio.gather(*(game.balance("u_1", "GBP") for _ in range(6)))

    await asyncio.gather(sweep(first), sweep(second))

    statuses = Counter(attempt.status for attempt in table.attempts)
    assert statuses[200] == 60
    assert statuses[429] <= 3  # both begin with none of them knowing of the other


async def test_during_a_rotation_either_secret_of_ours_places_a_bet(
    open_table: Callable[..., Awaitable[Table]],
) -> None:
    table = await open_table()
    table.sandbox.backend.credit("u_1", "GBP", 10_000)
    round_id = table.open_round()
    before = metric("recon_game_signatures_total", place="1")
    game = await table.client("sk_sandbox_not_there_yet", previous_signing_secret=SECRET)

    with structlog.testing.capture_logs() as logs:
        holds = [
            await game.hold("u_1", idempotency_key=f"k{n}", body=body(round_id)) for n in range(3)
        ]

    assert len({hold.hold_id for hold in holds}) == 3
    # The one that was refused is asked once, then the one that works is used.
    assert table.asked.count("/api/v1/bets/holds") == 4
    assert [log["place"] for log in logs if log["event"] == "game_signing_secret_in_use"] == [
        "previous"
    ]
    assert "sk_sandbox" not in str(logs)
    assert metric("recon_game_signatures_total", place="1") == before + 3


async def test_without_the_right_secret_a_bet_is_refused_as_before(
    open_table: Callable[..., Awaitable[Table]],
) -> None:
    table = await open_table()
    table.sandbox.backend.credit("u_1", "GBP", 10_000)
    game = await table.client("sk_sandbox_a", previous_signing_secret="sk_sandbox_b")

    with pytest.raises(GameMisconfigured) as caught:
        await game.hold("u_1", idempotency_key="k", body=body(table.open_round()))

    assert caught.value.reason == "invalid_signature"
    assert table.asked.count("/api/v1/bets/holds") == 2


@pytest.mark.parametrize(
    ("key", "secret", "previous"),
    [
        ("ck_live_1", "sk_sandbox_1", None),
        ("ck_sandbox_1", "sk_live_1", None),
        ("ck_live_1", "sk_live_1", "sk_sandbox_1"),
    ],
)
def test_sandbox_and_live_are_never_mixed(key: str, secret: str, previous: str | None) -> None:
    with pytest.raises(GameSettingsInvalid, match="mixed"):
        GameClient("https://game.example", key, secret, previous_signing_secret=previous)


async def test_an_ending_is_a_sentence_and_a_metric(
    open_table: Callable[..., Awaitable[Table]],
) -> None:
    ends = datetime(2027, 6, 1, tzinfo=UTC)
    table = await open_table(
        api_version="2.0", deprecated_at=datetime(2026, 1, 1, tzinfo=UTC), sunset_at=ends
    )
    game = await table.client()

    await game.state()

    operation = "GET /api/v1/game/state"
    assert [str(notice) for notice in game.notices] == [
        "the game API is at version 2.0, this client speaks 1.x",
        f'{operation} is deprecated since 2026-01-01T00:00:00Z (</sandbox>; rel="deprecation")',
        f'{operation} ends at 2027-06-01T00:00:00Z (</sandbox>; rel="deprecation")',
    ]
    assert metric("recon_game_sunset_timestamp_seconds", operation=operation) == ends.timestamp()
    assert metric("recon_game_notices", kind="api_version", operation="*") == 1
