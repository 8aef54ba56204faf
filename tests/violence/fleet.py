"""Two services and two workers on one database, a game, and callers who place bets.

All of them are processes of their own but the game, which is here, to be looked into.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg

from recon.clock import now
from recon.db import open_pool
from recon.game.stream import read_holding
from recon.http import Scope
from recon.http.keys import create_key
from recon.ledger import post_one, rules
from recon.money import Money
from tests.game.stream.conftest import open_game
from tests.violence.budget import PATIENCE_S, random_of
from tests.violence.cluster import children_of
from tests.violence.playing import playing
from tests.violence.process import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from random import Random

    from recon.db import Pool
    from tests.game.stream.conftest import Game
    from tests.violence.cluster import Cluster
    from tests.violence.scene import Scene

__all__ = ["EVERY_S", "Balancer", "Bettors", "Fleet", "assembled", "until"]

EVERY_S: Final = 1
"""The schedule's period."""

_PLAYERS: Final = ("better_1", "better_2", "better_3")
_OPENING: Final = Money.parse("5000.00", "GBP")
_SETTINGS: Final = {
    "RECON_RECONCILE_EVERY": f"{EVERY_S}s",
    "RECON_GRACE_PERIOD": "1s",
    # As long as our balancer may take to notice, on a slow machine.
    "RECON_DRAIN_NOTICE": "3s",
    "RECON_POOL_SIZE": "6",
}

_LEASES_END: Final = (
    "UPDATE bets SET due_at = clock_timestamp() WHERE due_at > clock_timestamp()",
    "UPDATE suspects SET due_at = clock_timestamp() WHERE due_at > clock_timestamp()",
    "UPDATE run_ranges SET claimed_at = claimed_at - interval '1 min' WHERE finished_at IS NULL",
)


class Balancer:
    """Sends callers to a service that says it is ready."""

    def __init__(self, chance: Random) -> None:
        self.services: list[Service] = []
        self.ready: list[Service] = []
        self._chance = chance

    def address(self) -> str:
        """Of one of them."""
        return self._chance.choice(self.ready or self.services).url

    async def watch(self) -> None:
        """Ask them again and again, until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while True:
                answers = await asyncio.gather(
                    *(_is_ready(session, one.url) for one in self.services)
                )
                self.ready = [
                    one for one, ready in zip(self.services, answers, strict=True) if ready
                ]
                await asyncio.sleep(0.1)


@dataclass
class Bettors:
    """Callers who place bets, each wish until it is answered for good.

    Attributes:
        placed: the bets that were acknowledged.
        refused: answers that asked to come again.
        unanswered: calls without an answer.
        left: wishes whose process died with them, which a repeat would hear of in a minute.
    """

    address: Callable[[], str]
    key: str
    round_id: Callable[[], str]
    chance: Random
    placed: set[str] = field(default_factory=set)
    refused: int = 0
    unanswered: int = 0
    left: int = 0
    faults: list[str] = field(default_factory=list)
    _wishes: int = 0
    _betting: bool = False

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Place ever more for the length of the block."""
        self._betting = True
        headers = {"Authorization": f"Bearer {self.key}"}
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            tasks = [asyncio.create_task(self._bet_on(session)) for _ in range(3)]
            try:
                yield
            finally:
                self._betting = False
                await asyncio.gather(*tasks)

    async def more(self, count: int) -> None:
        """Wait until that many more are placed."""
        enough = len(self.placed) + count
        await until(lambda: len(self.placed) >= enough)

    async def _bet_on(self, session: aiohttp.ClientSession) -> None:
        while self._betting:
            self._wishes += 1
            key, player = f"wish-{self._wishes}", self.chance.choice(_PLAYERS)
            while not await self._is_done(session, key, player):  # noqa: ASYNC110 - a call
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.1)

    async def _is_done(self, session: aiohttp.ClientSession, key: str, player: str) -> bool:
        wish = {
            "user_id": player,
            "round_id": self.round_id(),
            "amount": "1.00",
            "currency": "GBP",
        }
        try:
            async with session.post(
                f"{self.address()}/api/v1/bets", json=wish, headers={"Idempotency-Key": key}
            ) as answer:
                said: dict[str, Any] = await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError):
            self.unanswered += 1
            return False
        if answer.status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
            self.placed.add(said["bet_id"])
            return True
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.refused += 1
            return False
        if said.get("code") == "idempotency_in_progress":
            self.left += 1
            return True
        self.faults.append(f"{answer.status} {said}")
        return True


@dataclass
class Fleet:
    """All of it.

    Attributes:
        services: the first has two processes behind its port.
        most_listening: how many connections to its stream the game ever had at once.
    """

    scene: Scene
    game: Game
    pool: Pool
    balancer: Balancer
    services: list[Service]
    workers: list[Service]
    bettors: Bettors
    most_listening: int = 0

    @property
    def processes(self) -> list[int]:
        """Those behind the first service's port."""
        return children_of(self.services[0].pid)

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """The PSP's calls, and bets, for the length of the block, from the first ones on."""
        await until(lambda: self.game.sandbox.engine.current.status == "betting")
        async with self.scene.under_load(), self.bettors.at_work():
            await self.bettors.more(3)
            yield

    async def scheduled(self) -> list[asyncpg.Record]:
        """The runs that the schedule started, (started_at, finished_at) each, oldest first."""
        runs: list[asyncpg.Record] = await self.pool.fetch(
            "SELECT started_at, finished_at FROM runs"
            " WHERE trigger = 'schedule' AND scope = 'changed' ORDER BY started_at"
        )
        return runs

    async def going_on(self) -> None:
        """Wait until events and bets are taken again."""
        await self.scene.psp.acknowledged_more(10)
        await self.bettors.more(3)

    async def listened_to(self) -> Any:  # noqa: ANN401 - when that began
        """Wait until a process that lives listens to the game; since when it holds the stream.

        For seconds after its death, a lease says that the one who was killed listens. That it has
        heard something since we asked, the living alone can write.
        """
        asked_at = now()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                holding = await read_holding(self.pool)
                if (
                    holding is not None
                    and holding.is_held
                    and holding.connected_at is not None
                    and holding.heard_at is not None
                    and holding.heard_at > asked_at
                ):
                    return holding.held_since
                await asyncio.sleep(0.05)

    async def judge(self) -> None:
        """Every event booked once, every bet on both sides once, all stakes back, books clean."""
        await self.scene.judge()
        assert not self.bettors.faults, self.bettors.faults[:3]
        assert self.most_listening == 1
        here = await self.pool.fetch("SELECT bet_id::text, ticket_id FROM bets")
        assert {row["bet_id"] for row in here} >= self.bettors.placed
        assert {row["ticket_id"] for row in here} - {None} == set(self.game.sandbox.book.bets)

    async def settle(self) -> None:
        """Have the game cancel its round, and wait until each stake is back."""
        await self.game.control("POST", "/rounds/current/cancel")
        statement = "SELECT count(*) FROM bets WHERE state NOT IN ('void', 'rejected')"
        await self.let_leases_end()
        async with asyncio.timeout(4 * PATIENCE_S):
            while await self.pool.fetchval(statement):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.05)
        for player in _PLAYERS:
            async with self.game.http.get(f"{self.game.url}/sandbox/users/{player}") as answer:
                (there,) = (await answer.json())["balances"]
            assert there["available"] == str(_OPENING), (player, there)

    async def let_leases_end(self) -> None:
        """What a process that died was about is its own for up to a minute; it is over.

        That of the living ends too: whoever comes later counts, as it does after a minute.
        They hold such rows in an order of their own: where that crosses ours, we begin again.
        """
        for statement in _LEASES_END:
            done = False
            while not done:
                with suppress(asyncpg.DeadlockDetectedError):
                    await self.scene.books.execute(statement)
                    done = True

    async def look(self) -> None:
        """Count who listens to the game, until cancelled."""
        while True:
            self.most_listening = max(self.most_listening, self.game.streams)
            await asyncio.sleep(0.005)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what tasks or other processes bring about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - said above
            await asyncio.sleep(0.05)  # to look through all processes costs some milliseconds


@asynccontextmanager
async def assembled(cluster: Cluster, database: str, home: Path) -> AsyncIterator[Fleet]:
    """Start all of it on a migrated database; what is started is ended."""
    async with AsyncExitStack() as stack:
        game = await stack.enter_async_context(open_game(heartbeat_s=1.0))
        url = cluster.server.service_dsn_for(database)
        pool = await stack.enter_async_context(open_pool(url, max_size=4))
        balancer = Balancer(random_of("balancer"))
        own = {name: value for name, value in game.settings.items() if "_GAME_" in name}
        scene = await stack.enter_async_context(
            playing(
                cluster,
                database,
                home,
                "several processes",
                *("--processes", "2"),
                settings=_SETTINGS | own,
                address=balancer.address,
                at_ease=True,
            )
        )
        first = scene.service
        others = [
            Service(first.settings, home / name, arguments)
            for name, arguments in (
                ("second", ("serve", "--json", "--port", "0", "--no-jobs")),
                ("worker-1", ("worker",)),
                ("worker-2", ("worker",)),
            )
        ]
        for one in others:
            one.home.mkdir()
            stack.push_async_callback(one.close)
        balancer.services += [first, others[0]]
        await asyncio.gather(others[0].up(), *(worker.begin() for worker in others[1:]))
        await _open_wallets(pool, game, scene)
        key = await create_key(pool, name="lobby", scopes=[Scope.WRITE_BET], lifetime=None)
        bettors = Bettors(balancer.address, key.key, lambda: _round_of(game), scene.chance)
        fleet = Fleet(scene, game, pool, balancer, balancer.services, others[1:], bettors)
        watching = [asyncio.create_task(one) for one in (balancer.watch(), fleet.look())]
        try:
            yield fleet
        finally:
            for task in watching:
                task.cancel()
            await asyncio.wait(watching)


async def _open_wallets(pool: Pool, game: Game, scene: Scene) -> None:
    """Give the players who bet the same on both sides."""
    for player in _PLAYERS:
        fact = rules.fact_for_player(
            player,
            _OPENING,
            kind="deposit.succeeded",
            source="opening",
            key=player,
            event_at=now(),
        )
        async with pool.acquire() as connection, connection.transaction():
            await post_one(connection, fact)
        scene.psp.expected[player, _OPENING.currency] += _OPENING.minor
        opened = {"user_id": player, "currency": "GBP", "available": str(_OPENING)}
        await game.control("POST", "/users", **opened)


def _round_of(game: Game) -> str:
    return game.sandbox.engine.current.round_id


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with session.get(f"{url}/readyz") as answer:
            return answer.status == HTTPStatus.OK
    return False
