"""A world to reconcile: a real Postgres, a game on a socket, and what a PSP would say."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from recon.clock import format_time, now
from recon.game import GameClient, RetryPolicy
from recon.ledger import Entry, post, rules
from recon.money import Money, format_minor
from recon.reconciliation import (
    Discrepancy,
    DiscrepancyFilter,
    Reconciler,
    Run,
    RunScope,
    Status,
    list_discrepancies,
    run_here,
    start_run,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from recon.db import Pool

GRACE = timedelta(seconds=0.5)


@dataclass
class Game:
    """The game's balances, in minor units, and how it misbehaves."""

    balances: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    # No answer for these, whatever is asked; many such open the breaker, which spares the others.
    broken: set[str] = field(default_factory=set)
    # An answer without a balance for these, which says that the game is there.
    locked: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    # Bets by ticket and payouts by transaction, as they are answered.
    bets: dict[str, dict[str, Any]] = field(default_factory=dict)
    payouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked_bets: list[str] = field(default_factory=list)
    by_key: dict[str, dict[str, Any]] = field(default_factory=dict)
    # What happens elsewhere once the game is asked for a player, before it answers.
    meanwhile: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)

    def set(self, user: str, available: str, held: str = "0.00", currency: str = "GBP") -> None:
        money = [Money.parse(text, currency).minor for text in (available, held)]
        self.balances[user, currency] = money

    async def balance(self, request: web.Request) -> web.Response:
        user, currency = request.headers["X-User-Id"], request.query["currency"]
        self.asked.append(user)
        if user in self.meanwhile:
            await self.meanwhile.pop(user)()
        if user in self.broken:
            return _error(503, "unavailable")
        if user in self.locked:
            return _error(403, "user_locked")
        if (user, currency) not in self.balances:
            return _error(404, "user_not_found")
        available, held = self.balances[user, currency]
        return web.json_response(
            {
                "user_id": user,
                "currency": currency,
                "available": format_minor(available, currency),
                "held": format_minor(held, currency),
                "as_of": format_time(now()),
            }
        )

    async def bet(self, request: web.Request) -> web.Response:
        ticket = request.match_info["ticket"]
        self.asked_bets.append(ticket)
        known = self.bets.get(ticket)
        return _error(404, "not_found") if known is None else web.json_response(known)

    async def bet_by_key(self, request: web.Request) -> web.Response:
        """What a hold's key led to."""
        self.asked_bets.append(request.query["idempotency_key"])
        known = self.by_key.get(request.query["idempotency_key"])
        return web.json_response({"hold": None, "bet": known})

    async def payout(self, request: web.Request) -> web.Response:
        known = self.payouts.get(request.match_info["transaction"])
        return _error(404, "not_found") if known is None else web.json_response(known)


def _error(status: int, code: str) -> web.Response:
    return web.json_response({"code": code, "message": code, "request_id": "r"}, status=status)


@dataclass
class World:
    """The ledger, the game, and what compares them."""

    pool: Pool
    game: Game
    reconciler: Reconciler
    url: str
    numbers: Any = field(default_factory=itertools.count)

    async def book(self, *entries: Entry) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await post(connection, entries)

    async def deposit(self, user: str, amount: str, currency: str = "GBP") -> None:
        await self.book(
            rules.fact_for_player(
                user,
                Money.parse(amount, currency),
                kind="deposit.succeeded",
                source="psp:test",
                key=f"p{next(self.numbers)}:deposit",
                event_at=now(),
            )
        )

    async def run(self, scope: RunScope = RunScope.ALL, *users: str, dry: bool = False) -> Run:
        run_id = await start_run(
            self.pool, scope, trigger="test", users=users, dry_run=dry, queued=False
        )
        return await run_here(self.reconciler, run_id)

    async def found(self, *statuses: Status) -> list[Discrepancy]:
        wanted = DiscrepancyFilter(statuses=statuses or (Status.OPEN,))
        async with self.pool.acquire() as connection:
            return await list_discrepancies(connection, wanted, limit=500)


@asynccontextmanager
async def open_world(pool: Pool) -> AsyncIterator[World]:
    """A game on a socket, and what compares a ledger with it."""
    game = Game()
    app = web.Application()
    app.router.add_get("/api/v1/user/balance", game.balance)
    app.router.add_get("/api/v1/bets", game.bet_by_key)
    app.router.add_get("/api/v1/bets/{ticket}", game.bet)
    app.router.add_get("/api/v1/payouts/{transaction}", game.payout)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        client = GameClient(
            url,
            "ck_sandbox_test",
            "sk_sandbox_test",
            retry=RetryPolicy(attempts=2, total_s=30.0, base_s=0.01, cap_s=0.02),
        )
        async with client:
            yield World(pool, game, Reconciler(pool, client, GRACE, {"EUR": 5}, 16), url)


@pytest.fixture
async def world(pool: Pool) -> AsyncIterator[World]:
    async with open_world(pool) as opened:
        yield opened
