"""A world to bet in: a real Postgres, a real game on a socket, one clock that is turned by hand."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp.test_utils import TestServer

from recon import clock
from recon.bets import BetWish, cash_out, observe_attempt, place_bet, read_bet, resolve_due
from recon.game import (
    Answer,
    AnswerLostError,
    GameClient,
    RequestNotSentError,
    RetryPolicy,
    SigningMiddleware,
)
from recon.game.transport import AiohttpTransport
from recon.ledger import post_one, read_wallet, rules, verify_books
from recon.money import Money, format_minor
from recon.sandbox.app import build_app
from recon.sandbox.curve import crash_hundredths
from recon.sandbox.keys import first_api_key, first_signing_secret
from recon.sandbox.options import SandboxOptions
from recon.sandbox.parts import SANDBOX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from recon.bets import Bet, Resolved
    from recon.bets.desk import Desk
    from recon.db import Pool
    from recon.game import Outgoing
    from recon.sandbox.engine import Round
    from recon.sandbox.parts import Sandbox

BETTING_S = 10.0
AFTER_THE_ROUND_S = 60.0
FLIES_TO_5 = next(seed for seed in range(1, 100) if 500 <= crash_hundredths(seed, 1, 1000) < 1000)
"""A seed whose first round crashes at 5.00 or above, and below its cap of 10.00."""


class Clock:
    """One clock for the service, its client and the game; it stands still unless turned.

    ``ticking``, it runs with the machine's, and is ahead of it by what it was turned.
    """

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.ticking = False

    def monotonic(self) -> float:
        return self.passed_s

    def now(self) -> datetime:
        start = clock.now() if self.ticking else datetime(2026, 1, 1, tzinfo=UTC)
        return start + timedelta(seconds=self.passed_s)


@dataclass
class Network:
    """Between the client and the game: loses what it is told to, and remembers what went by.

    A fault is ``(part of the path, what happens)``: ``before`` loses the request, ``after`` the
    answer, ``refused`` the connection. Each strikes once, unless it is put into ``always``.
    What is ``hanging`` is not carried before its end.
    """

    real: AiohttpTransport
    once: list[tuple[str, str]] = field(default_factory=list)
    always: list[tuple[str, str]] = field(default_factory=list)
    said: list[tuple[str, int, str]] = field(default_factory=list)
    retold: list[tuple[str, Callable[[Any], Any]]] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    on_answer: Callable[[Outgoing], None] = lambda _: None
    hanging: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    def lose(self, path: str, when: str) -> None:
        self.once.append((path, when))

    def say(self, path: str, status: int, code: str) -> None:
        """Somebody between us and the game answers for it, once."""
        self.said.append((path, status, code))

    def retell(self, path: str, tell: Callable[[Any], Any]) -> None:
        """The game says something else than what is so, in every success, until it is cleared."""
        self.retold.append((path, tell))

    def calls(self, path: str) -> list[Outgoing]:
        """The POSTs so far whose path ends like this."""
        return [o for o in self.sent if o.method == "POST" and o.target.endswith(path)]

    def asked(self, call: str) -> bool:
        """Whether a call was sent."""
        return any(self._hits((call, ""), outgoing) for outgoing in self.sent)

    async def send(self, outgoing: Outgoing) -> Answer:
        self.sent.append(outgoing)
        for path, end in self.hanging.items():
            if self._hits((path, ""), outgoing):
                await asyncio.shield(end)
        when = self._fault(outgoing)
        if when == "refused":
            raise RequestNotSentError("connection refused")
        if when == "before":
            raise AnswerLostError("lost on the way there")
        for said in self.said:
            if self._hits((said[0], ""), outgoing):
                self.said.remove(said)
                body = {"code": said[2], "message": "no", "request_id": "r"}
                return Answer(said[1], {}, msgspec.json.encode(body))
        answer = await self.real.send(outgoing)
        self.on_answer(outgoing)
        for path, tell in self.retold:
            if self._hits((path, ""), outgoing) and answer.status < 300:
                lie = msgspec.json.encode(tell(msgspec.json.decode(answer.body)))
                answer = Answer(answer.status, answer.headers, lie)
        if when == "after":
            raise AnswerLostError("lost on the way back")
        return answer

    def _fault(self, outgoing: Outgoing) -> str | None:
        for fault in self.once:
            if self._hits(fault, outgoing):
                self.once.remove(fault)
                return fault[1]
        return next((f[1] for f in self.always if self._hits(f, outgoing)), None)

    @staticmethod
    def _hits(fault: tuple[str, str], outgoing: Outgoing) -> bool:
        return fault[0] in f"{outgoing.method} {outgoing.target}"


@dataclass
class World:
    """What the tests say and look at; amounts are pounds."""

    pool: Pool
    sandbox: Sandbox
    network: Network
    game: GameClient
    clock: Clock
    url: str

    @property
    def round(self) -> Round:
        """The present round."""
        self.sandbox.timeline.catch_up()
        return self.sandbox.engine.current

    async def deposit(self, amount: str, user: str = "u_1") -> None:
        """The PSP tells both sides of a deposit."""
        money = Money.parse(amount, "GBP")
        entry = rules.fact_for_player(
            user,
            money,
            kind="deposit.succeeded",
            source="test",
            key=f"{clock.new_id()}:deposit",
            event_at=self.clock.now(),
        )
        async with self.pool.acquire() as connection, connection.transaction():
            await post_one(connection, entry)
        self.sandbox.backend.credit(user, "GBP", money.minor)

    def wish(
        self,
        amount: str = "10.00",
        *,
        user: str = "u_1",
        auto: str | None = None,
        round_id: str | None = None,
    ) -> BetWish:
        """A bet on the present round."""
        target = None if auto is None else Decimal(auto)
        return BetWish(user, round_id or self.round.round_id, amount, "GBP", target)

    def place(
        self, wish: BetWish | None = None, *, key: str | None = None, desk: Desk | None = None
    ) -> Any:  # noqa: ANN401 - a coroutine of a Bet, which a test may also kill
        """Place a bet; without a wish, 10.00 of u_1 on the present round."""
        return place_bet(
            self.pool,
            self.game,
            wish or self.wish(),
            caller_key=key or f"caller/{clock.new_id()}",
            now=self.clock.now,
            desk=desk,
        )

    def cash_out(self, bet: Bet, *, desk: Desk | None = None) -> Any:  # noqa: ANN401 - as `place`
        return cash_out(self.pool, self.game, bet.bet_id, now=self.clock.now, desk=desk)

    async def resolve(self, after_s: float = 1.0) -> Resolved:
        """One tick of the resolver, a second later."""
        self.clock.passed_s += after_s
        return await resolve_due(self.pool, self.game, now=self.clock.now)

    def fly(self, seconds: float = 1.0) -> None:
        """Let the present round take off, and fly so long."""
        round_ = self.round
        while self.round.status == "betting":
            self.clock.passed_s += 0.5
        assert self.round is round_
        self.clock.passed_s += seconds
        assert (self.round, self.round.status) == (round_, "active")

    def end_round(self) -> None:
        """Let the present round end, and its payouts complete."""
        round_ = self.round
        while self.round is round_:
            self.clock.passed_s += 0.5

    async def bet(self, bet: Bet) -> Bet:
        """A bet as it is now."""
        return await self._bet(bet.bet_id)

    async def bets(self) -> list[Bet]:
        """Every bet, oldest first."""
        rows = await self.pool.fetch("SELECT bet_id FROM bets ORDER BY bet_id")
        return [await self._bet(row["bet_id"]) for row in rows]

    async def _bet(self, bet_id: UUID) -> Bet:
        async with self.pool.acquire() as connection:
            return await read_bet(connection, bet_id)

    async def ledger(self, user: str = "u_1") -> tuple[str, str]:
        """Available and held, by the ledger."""
        async with self.pool.acquire() as connection:
            wallet = await read_wallet(connection, user, "GBP")
        return format_minor(wallet.available, "GBP"), format_minor(wallet.held, "GBP")

    def at_game(self, user: str = "u_1") -> tuple[str, str]:
        """Available and held, by the game."""
        self.sandbox.timeline.catch_up()
        wallet = self.sandbox.backend.wallet(user, "GBP")
        return format_minor(wallet.available, "GBP"), format_minor(wallet.held, "GBP")

    async def come_to_rest(self) -> None:
        """Faults stop and time passes: all is settled, the books are sound, both sides agree."""
        self.network.once.clear()
        self.network.always.clear()
        self.network.said.clear()
        self.network.retold.clear()
        for _ in range(30):
            tick = await self.resolve(after_s=AFTER_THE_ROUND_S)
            if tick.due == 0 and tick.reachable:
                break
        assert tick.due == 0
        verification = await verify_books(self.pool)
        assert verification.faults == []
        for user in self.sandbox.backend.players:
            assert await self.ledger(user) == self.at_game(user)
            assert (await self.ledger(user))[1] == "0.00"


@asynccontextmanager
async def open_world(pool: Pool, **options: Any) -> AsyncIterator[World]:  # noqa: ANN401 - `SandboxOptions`
    """A world whose first round is open for `BETTING_S` and flies to 5.00 or more."""
    hands = Clock()
    given = {
        "seed": FLIES_TO_5,
        "betting_s": BETTING_S,
        "max_active_s": 20.0,
        "hold_ttl_s": 30.0,
        **options,
    }
    seed = given["seed"]
    app = build_app(SandboxOptions(**given), clock=hands)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        real = AiohttpTransport(
            url,
            api_key=first_api_key(seed),
            signer=SigningMiddleware(first_signing_secret(seed), clock=hands.now),
            timeout_s=5.0,
            connections=64,
        )
        network = Network(real)
        game = GameClient(
            url,
            first_api_key(seed),
            first_signing_secret(seed),
            retry=RetryPolicy(attempts=2, base_s=0.001),
            on_attempt=observe_attempt,
            transport=network,
            clock=hands.now,
            monotonic=lambda: time.monotonic() + hands.passed_s,
        )
        async with real, game:
            yield World(pool, app[SANDBOX], network, game, hands, url)


@pytest.fixture
async def world(pool: Pool) -> AsyncIterator[World]:
    """A world that must have come to rest, in agreement, when the test is over."""
    async with open_world(pool) as opened:
        yield opened
        await opened.come_to_rest()
