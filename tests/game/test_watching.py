"""One truth about the game for all processes, kept in the database."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner

from recon.cli import recon
from recon.clock import format_time, now
from recon.db import POOL
from recon.game import (
    GameCircuitOpen,
    GameClient,
    GameMisconfigured,
    GameProtocolError,
    GameUnavailable,
    Hold,
    RetryPolicy,
    hold_body,
)
from recon.game.handlers import GAME, GAME_WATCH, GameWatch, routes
from recon.game.watching import Announced, read_announced, watching
from recon.http import Scope
from recon.http.keys import create_key
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from recon.money import Money
from recon.sandbox.app import build_app
from recon.sandbox.keys import first_api_key
from recon.sandbox.options import SandboxOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from recon.db import Pool
    from tests.game.conftest import StubGame


class Process:
    """A process of the service, as far as the game is concerned."""

    def __init__(self, client: GameClient, watch: GameWatch) -> None:
        self.client = client
        self.watch = watch


@asynccontextmanager
async def started(
    pool: Pool, url: str, *, ahead: timedelta = timedelta(0)
) -> AsyncIterator[Process]:
    watch = GameWatch(lambda: now() + ahead)
    client = GameClient(url, "k", "s", retry=RetryPolicy(attempts=1), on_attempt=watch.observe)
    async with client, watching(pool, client, watch, every_s=0.05):
        yield Process(client, watch)


@asynccontextmanager
async def served(pool: Pool, process: Process) -> AsyncIterator[TestClient[Any, Any]]:
    """A process's own API, as one who may read the game's state."""
    app = web.Application(middlewares=[problem_middleware])
    app[POOL], app[GAME], app[GAME_WATCH] = pool, process.client, process.watch
    app[LIMITER] = app[FAILURES] = RateLimiter(1000, 60)
    app.add_routes(routes)
    key = await create_key(pool, name="t", scopes=[Scope.READ_GAME_STATE], lifetime=None)
    headers = {"Authorization": f"Bearer {key.key}"}
    async with TestClient(TestServer(app), headers=headers) as api:
        yield api


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - another process's news comes when it comes
            await asyncio.sleep(0.01)


async def answers(process: Process) -> None:
    """The process serves its callers: what it asks before it does so may be under way."""
    async with asyncio.timeout(60):
        while True:
            with suppress(GameCircuitOpen):
                await process.client.state()
                return
            await asyncio.sleep(0.01)


async def until_told(pool: Pool, true: Callable[[Announced], Any]) -> None:
    async with asyncio.timeout(60):
        while not true(await read_announced(pool)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def test_when_one_process_loses_the_game_all_say_since_the_same_instant(
    pool: Pool, game: StubGame
) -> None:
    async with started(pool, game.url) as first, started(pool, game.url) as second:
        game.will(game.refuses(500, "internal_error"))
        with pytest.raises(GameUnavailable):
            await first.client.state()
        await until(lambda: second.watch.down_since)
        since = first.watch.down_since
        seen = second.watch.down_since

        # Nobody calls: the processes ask by themselves, and hear of its return.
        game.will(game.says(200, game.state()))
        await until(lambda: first.watch.down_since is None and second.watch.down_since is None)

    assert since is not None
    assert seen == since
    assert await pool.fetchval("SELECT count(*) FROM game_outages") == 0


async def test_a_process_whose_clock_is_ahead_says_nothing_of_the_future(
    pool: Pool, game: StubGame
) -> None:
    hour = timedelta(hours=1)
    async with (
        started(pool, "http://127.0.0.1:9", ahead=hour) as first,  # it alone reaches nobody
        started(pool, game.url) as second,
    ):
        with pytest.raises(GameUnavailable):
            await first.client.state()
        await until(lambda: second.watch.others_since)
        since = second.watch.down_since
        # The second one asks once and knows better: it neither asks on and on nor refuses anybody.
        await until(lambda: not second.watch.has_only_heard_of_it)
        await answers(second)
        asked = len(game.seen)
        await asyncio.sleep(0.5)
        again = second.watch.down_since, len(game.seen) - asked
        first_since = first.watch.down_since

    assert since is not None
    assert since <= now()
    assert again[0] == since
    assert again[1] <= 1
    assert first_since == since


async def test_a_killed_process_is_not_believed_for_long(pool: Pool, game: StubGame) -> None:
    last_seen = "UPDATE game_outages SET seen_at = clock_timestamp() - $1::text::interval"
    await others_do_not_reach_it(pool, datetime(2026, 1, 1, 9, 30, tzinfo=UTC))
    async with started(pool, game.url) as process:
        # Nearly fifteen seconds: as long as a slow machine needs to look is left of them.
        await pool.execute(last_seen, "10 s")
        await until(lambda: process.watch.down_since)

        await pool.execute(last_seen, "15 s")
        await until(lambda: process.watch.down_since is None)


async def test_a_process_that_leaves_while_the_game_is_gone_takes_its_word_along(
    pool: Pool, game: StubGame
) -> None:
    game.will(game.refuses(500, "internal_error"))
    async with started(pool, game.url) as process:
        with pytest.raises(GameUnavailable):
            await process.client.state()
        await until_told(pool, lambda known: known.down_since)

    assert (await read_announced(pool)).down_since is None


async def bets(process: Process, many: int) -> list[object]:
    body = hold_body("r_77", Money(1000, "GBP"), None)
    holds = [process.client.hold("u_1001", idempotency_key=f"k{n}", body=body) for n in range(many)]
    return [type(outcome) for outcome in await asyncio.gather(*holds, return_exceptions=True)]


async def others_do_not_reach_it(pool: Pool, since: datetime) -> None:
    await pool.execute(
        "INSERT INTO game_outages (process, down_since) VALUES (gen_random_uuid(), $1)", since
    )


async def test_a_new_process_heeds_that_others_do_not_reach_the_game_and_sends_no_bet(
    pool: Pool, game: StubGame
) -> None:
    game.will(game.refuses(500, "internal_error"))
    await others_do_not_reach_it(pool, datetime(2026, 1, 1, 9, 30, tzinfo=UTC))
    async with started(pool, game.url) as fresh:
        await until(lambda: fresh.watch.down_since and game.seen)

        outcomes = await bets(fresh, 50)

        assert outcomes == [GameCircuitOpen] * 50
        assert {seen.method for seen in game.seen} == {"GET"}
        assert len(game.seen) < 10
        # The first question that is answered lets it in.
        game.will(game.says(200, game.state()))
        await until(lambda: fresh.watch.own_since is None)
        game.will(game.says(201, game.hold(auto_cashout=None)))
        assert await bets(fresh, 1) == [Hold]


async def test_a_process_that_reaches_the_game_by_itself_believes_itself(
    pool: Pool, game: StubGame
) -> None:
    """Another process has lost its way to the game, nobody else has."""
    async with started(pool, game.url) as process:
        await process.client.state()
        await others_do_not_reach_it(pool, now() - timedelta(minutes=1))
        await until(lambda: process.watch.others_since)
        await asyncio.sleep(0.2)  # some looks later
        game.will(game.says(201, game.hold(auto_cashout=None)))

        assert await bets(process, 20) == [Hold] * 20

    assert [seen.method for seen in game.seen] == ["GET"] + ["POST"] * 20


async def test_the_api_says_503_degraded_and_since_when_by_any_process(
    pool: Pool, game: StubGame
) -> None:
    game.will(game.refuses(503, "unavailable"))
    since = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    await pool.execute(
        "INSERT INTO game_outages (process, down_since) VALUES (gen_random_uuid(), $1)", since
    )
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(started(pool, game.url))
        api = await stack.enter_async_context(served(pool, process))
        await until(lambda: process.watch.others_since)

        async with api.get("/api/v1/game/state") as answer:
            problem = await answer.json()

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert problem["code"] == "game_unavailable"
    assert problem["degraded"] is True
    assert problem["since"] == format_time(since)


@pytest.mark.parametrize(
    "answer",
    [(401, "invalid_api_key"), (200, "a page of somebody between us and the game")],
)
async def test_a_game_that_answers_and_does_not_serve_us_is_out_of_reach_since_one_instant(
    pool: Pool, game: StubGame, answer: tuple[int, str]
) -> None:
    status, said = answer
    game.will(game.says(status, {"code": said, "message": "", "request_id": ""}))
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(started(pool, game.url))
        api = await stack.enter_async_context(served(pool, process))

        told = []
        for _ in range(3):
            async with api.get("/api/v1/game/state") as refused:
                told.append((await refused.json())["since"])
            with pytest.raises((GameMisconfigured, GameProtocolError)):
                await process.client.balance("u_1001", "GBP")
            await asyncio.sleep(0.01)

    assert len(set(told)) == 1


async def test_a_game_that_comes_and_goes_is_not_asked_the_more_for_it(
    pool: Pool, game: StubGame
) -> None:
    down, up = game.refuses(500, "internal_error"), game.says(200, game.balance())
    began_s = asyncio.get_running_loop().time()
    async with started(pool, game.url) as process:
        for _ in range(50):
            game.will(down)
            with pytest.raises(GameUnavailable):
                await process.client.balance("u_1001", "GBP")
            await asyncio.sleep(0.005)
            game.will(up)
            await process.client.balance("u_1001", "GBP")
            await asyncio.sleep(0.005)

    asked = [seen for seen in game.seen if seen.path == "/api/v1/game/state"]
    # About a second: 5, not 50. Each question is followed by two tenths of a second without one.
    assert len(asked) <= 1 + (asyncio.get_running_loop().time() - began_s) / 0.2


async def test_doctor_names_what_other_processes_were_told_and_what_they_miss(
    pool: Pool, database_url: str
) -> None:
    since = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    await pool.execute(
        "INSERT INTO game_outages (process, down_since) VALUES (gen_random_uuid(), $1)", since
    )
    await pool.execute(
        "INSERT INTO game_notices (kind, operation, value, first_seen_at) VALUES"
        " ('sunset', 'POST /api/v1/bets/holds', 'Tue, 01 Jun 2027 00:00:00 GMT', now())"
    )
    async with TestServer(build_app(SandboxOptions(seed=1, api_version="2.1"))) as server:
        env = {
            "RECON_DATABASE_URL": database_url,
            "RECON_GAME_URL": str(server.make_url("")).rstrip("/"),
            "RECON_GAME_API_KEY": first_api_key(1),
            "NO_COLOR": "1",
        }
        result = await asyncio.to_thread(CliRunner(env=env).invoke, recon, ["doctor", "--json"])

    (found,) = (f for f in json.loads(result.stdout)["findings"] if f["check"] == "game")
    assert found["ok"] is False
    assert "the service has not reached it since 2026-01-01T09:30:00Z" in found["detail"]
    assert "POST /api/v1/bets/holds ends at 2027-06-01T00:00:00Z" in found["detail"]
    assert "the game API is at version 2.1, this client speaks 1.x" in found["detail"]


async def test_what_one_process_is_told_is_kept_for_all(pool: Pool, game: StubGame) -> None:
    game.will(
        game.says(200, game.state(), Sunset="Thu, 31 Dec 2026 23:59:59 GMT"),
        game.says(200, game.state(), Sunset="Fri, 30 Apr 2027 23:59:59 GMT"),
    )
    async with started(pool, game.url) as process:
        await process.client.state()
        await until_told(pool, lambda known: "at 2026-12-31T" in " ".join(map(str, known.notices)))
        await process.client.state()
        await until_told(pool, lambda known: "at 2027-04-30T" in " ".join(map(str, known.notices)))

    assert len((await read_announced(pool)).notices) == 1
