"""Bets settle the moment the game decides them: the service's own jobs, a real game, real time."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from recon import clock
from recon.app import open_game, run_worker
from recon.bets import BetWish, RoundClosedError, place_bet
from recon.ledger import post_one, read_wallet, rules, verify_books
from recon.money import Money
from recon.sandbox.app import build_app, settings_for
from recon.sandbox.options import SandboxOptions
from recon.sandbox.parts import SANDBOX
from recon.sandbox.stream import STREAM_FAULTS
from recon.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    import pytest

    from recon.db import Pool
    from recon.game import GameClient
    from recon.sandbox.engine import Round
    from recon.sandbox.parts import Sandbox

SEED = 3
NEVER = "0 0 29 2 * 0"  # on the 29th of February
ROUNDS = 2
PLAYERS = ("u_1", "u_2", "u_3")


@dataclass
class Table:
    """A game in real time, and the service's jobs on it."""

    pool: Pool
    sandbox: Sandbox
    game: GameClient
    settings: Settings
    crashed: dict[str, datetime] = field(default_factory=dict)

    async def deposit(self, user: str) -> None:
        money = Money.parse("100.00", "GBP")
        entry = rules.fact_for_player(
            user,
            money,
            kind="deposit.succeeded",
            source="test",
            key=f"{clock.new_id()}:deposit",
            event_at=clock.now(),
        )
        async with self.pool.acquire() as connection, connection.transaction():
            await post_one(connection, entry)
        self.sandbox.backend.credit(user, "GBP", money.minor)

    async def place(self, user: str, round_id: str, target: str | None) -> bool:
        """Place a bet; False where this machine was too slow for the round."""
        wish = BetWish(user, round_id, "1.00", "GBP", None if target is None else Decimal(target))
        try:
            await place_bet(self.pool, self.game, wish, caller_key=f"c/{clock.new_id()}")
        except RoundClosedError:
            return False
        return True

    async def heard(self) -> None:
        """Wait until somebody listens."""
        async with asyncio.timeout(60):
            while not self.sandbox.hub.listeners:  # noqa: ASYNC110 - behind a socket
                await asyncio.sleep(0.01)

    async def betting(self, after: str | None) -> str:
        """The next round that takes bets."""
        while True:
            round_ = self.sandbox.engine.current
            if round_.status == "betting" and round_.round_id != after:
                return round_.round_id
            await asyncio.sleep(0.01)

    async def play(self, rounds: int = ROUNDS) -> tuple[list[float], list[float]]:
        """Seconds from each crash to each loss booked, and from each payout to each one booked."""
        played, last = [], None
        for _ in range(rounds):
            last = await self.betting(last)
            played.append(last)
            for user in PLAYERS:
                for target in (None, "1.01"):
                    while not await self.place(user, last, target):
                        last = await self.betting(last)
                        played.append(last)
        async with asyncio.timeout(60):
            while await self.pool.fetchval(  # noqa: ASYNC110 - in the database
                "SELECT count(*) FROM bets WHERE settled_at IS NULL"
            ):
                await asyncio.sleep(0.05)
        rows = await self.pool.fetch(
            "SELECT * FROM bets WHERE round_id = ANY($1) AND state <> 'rejected'", played
        )
        lost = [self._after_crash(row) for row in rows if row["state"] == "lost"]
        paid = [self._after_payout(row) for row in rows if row["state"] == "cashed_out"]
        assert len(lost) + len(paid) == len(rows) == rounds * 2 * len(PLAYERS)
        return lost, paid

    async def agree(self) -> None:
        """The books are sound, and of every player both sides have the same."""
        assert (await verify_books(self.pool)).faults == []
        for user in PLAYERS:
            async with self.pool.acquire() as connection:
                ours = await read_wallet(connection, user, "GBP")
            theirs = self.sandbox.backend.wallet(user, "GBP")
            assert (ours.available, ours.held) == (theirs.available, theirs.held)

    async def lie(self) -> None:
        """Tell what is not so, over and over, and end the connection now and then."""
        publish = self.sandbox.hub._publish  # noqa: SLF001 - what the game itself calls
        for count in itertools.count():
            status = ("completed", "lost", "void", "cashed_out")[count % 4]
            for ticket in list(self.sandbox.book.bets):
                publish("bet_updates", {"ticket_id": ticket, "status": status})
            round_id = self.sandbox.engine.current.round_id
            publish("round_updates", {"round_id": round_id, "status": "crashed"})
            if count % 20 == 19:
                self.sandbox.hub.end_all(4008, "closed by a test")
            await asyncio.sleep(0.05)

    def _after_crash(self, row: Any) -> float:  # noqa: ANN401 - a row
        return float((row["settled_at"] - self.crashed[row["round_id"]]).total_seconds())

    def _after_payout(self, row: Any) -> float:  # noqa: ANN401 - a row
        completed = self.sandbox.book.payouts[row["payout_transaction_id"]].completed_at
        assert completed is not None
        return float((row["settled_at"] - completed).total_seconds())


@asynccontextmanager
async def playing(pool: Pool, url: str, *, stream: bool) -> AsyncIterator[Table]:
    app = build_app(
        SandboxOptions(
            seed=SEED,
            betting_s=0.6,
            max_active_s=1.5,
            cap_multiplier=Decimal("3.00"),
            crashed_s=0.1,
            payout_s=0.3,
            payout_delay_s=0.2,
        )
    )
    async with TestServer(app) as server:
        given = settings_for(str(server.make_url("")).rstrip("/"), SEED)
        settings = Settings(
            database_url=SecretStr(url),
            game_url=given["RECON_GAME_URL"],
            game_api_key=SecretStr(given["RECON_GAME_API_KEY"]),
            game_signing_secret=SecretStr(given["RECON_GAME_SIGNING_SECRET"]),
            game_stream=stream,
            reconcile_every=None,
        )
        async with open_game(settings) as game:
            assert game is not None
            table = Table(pool, app[SANDBOX], game, settings)

            def note(round_: Round, due: float) -> None:
                if round_.status == "crashed":
                    table.crashed[round_.round_id] = table.sandbox.timeline.instant(due)

            table.sandbox.engine.listen(note)
            for user in PLAYERS:
                await table.deposit(user)
            jobs = asyncio.create_task(run_worker(settings, pool, game))
            try:
                if stream:
                    await table.heard()
                yield table
            finally:
                jobs.cancel()
                with suppress(asyncio.CancelledError):
                    await jobs


async def test_with_the_stream_bets_settle_at_once_and_without_it_by_the_jobs(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # What settles then is not what the jobs come across by themselves.
        patch.setattr("recon.schedule._EVERY_SECOND", NEVER)
        async with playing(pool, database_url, stream=True) as table:
            lost, paid = await table.play()
            await table.agree()
    async with playing(pool, database_url, stream=False) as table:
        lost_without, paid_without = await table.play(rounds=1)

    for told, at_once, asked in (("crash", lost, lost_without), ("payout", paid, paid_without)):
        print(  # noqa: T201 - what it is for
            f"{told} to booked settlement: with the stream {median(at_once) * 1000:.0f} ms"
            f" (at most {max(at_once) * 1000:.0f}), without {median(asked) * 1000:.0f} ms"
            f" (at most {max(asked) * 1000:.0f})"
        )
    # Some hundredths of a second, where nothing else runs.
    assert median([*lost, *paid]) < 5


async def test_whatever_the_stream_tells_loses_or_doubles_only_what_is_so_is_booked(
    pool: Pool, database_url: str
) -> None:
    async with playing(pool, database_url, stream=True) as table:
        for kind in STREAM_FAULTS:
            table.sandbox.hub.set_rate(kind, 0.3)
        lying = asyncio.create_task(table.lie())
        await table.play(rounds=1)
        lying.cancel()

        await table.agree()
        assert set(table.sandbox.hub.struck) == set(STREAM_FAULTS)
