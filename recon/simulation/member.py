"""One process of the service at work: its pool, its client of the game, its jobs."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

from recon import clock
from recon.bets import observe_attempt, resolve_due
from recon.bets.desk import Desk
from recon.db.pool import database_fault
from recon.game import GameClient, SigningMiddleware
from recon.game.stream import (
    Backoff,
    Bulletin,
    Lease,
    StreamAddress,
    StreamWatch,
    heed,
    hold,
    listen,
)
from recon.reconciliation import Reconciler
from recon.schedule import settle_by_news
from recon.simulation.heard import Heard
from recon.simulation.network import SimulatedTransport
from recon.simulation.pool import SimulatedPool
from recon.simulation.stream import SimulatedStream
from recon.webhooks import Drain

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, NoReturn

    from recon.db import Pool
    from recon.game.stream import News
    from recon.simulation.game import Game
    from recon.simulation.network import Network
    from recon.simulation.postgres import Postgres
    from recon.simulation.process import Process

__all__ = ["GRACE", "Member", "is_passing", "open_member"]

_EVERY_S: Final = 3.0
GRACE: Final = timedelta(seconds=8)
_LEASE: Final = Lease(lasts_s=30.0, renew_s=9.0, hang_up_s=4.0, ask_s=12.0)
"""Slower than in a deployment, where most of what a quiet run does would be to ask for it."""
_BASE_URL: Final = "https://game.simulation"


@dataclass(frozen=True, slots=True)
class Member:
    """A process with what its code works with.

    Attributes:
        process: this life of it.
        pool: a `recon.db.Pool` to the rooms.
        game: the real client over the simulated network.
        desk: where its callers' bets share commits.
        drain: where its PSPs' webhooks do.
        reconciler: of both sides.
        stream: the game's.
        heard: what it has heard there.
    """

    process: Process
    pool: Pool
    game: GameClient
    desk: Desk
    drain: Drain
    reconciler: Reconciler
    stream: StreamAddress
    heard: Heard

    def jobs(self) -> list[Coroutine[Any, Any, NoReturn]]:
        """What it does by itself, until it dies."""
        bulletin, watch = Bulletin(), StreamWatch()
        backoff = Backoff(draw=self.process.dice.random)
        return [
            settle_forever(self),
            hold(
                self.pool,
                lambda: listen(self.stream, bulletin, watch, backoff=backoff),
                watch,
                lease=_LEASE,
            ),
            heed(bulletin, self._look),
        ]

    async def _look(self, news: News) -> None:
        with self.heard.looking(everything=news.everything):
            await settle_by_news(self.pool, self.game)(news)


def open_member(process: Process, postgres: Postgres, network: Network, game: Game) -> Member:
    """A process as it is right after its start."""
    dice = random.Random(process.dice.getrandbits(64))  # noqa: S311 - repeatable, no secret
    signer = SigningMiddleware(game.secret, clock=clock.now, rng=dice)
    client = GameClient(
        _BASE_URL,
        game.api_key,
        game.secret,
        on_attempt=observe_attempt,
        transport=SimulatedTransport(process, network, api_key=game.api_key, signer=signer),
        clock=clock.now,
        rng=dice,
    )
    pool = cast("Pool", SimulatedPool(process, postgres))  # as much of one as the rooms use
    reconciler = Reconciler(
        pool=pool,
        game=client,
        grace=GRACE,
        tolerances={},
        concurrency=8,
    )
    heard = Heard(process)
    stream = SimulatedStream(process, game, network.context, heard)
    address = StreamAddress(_BASE_URL, game.api_key, connect=stream.connect)
    return Member(process, pool, client, Desk(pool), Drain(pool), reconciler, address, heard)


async def settle_forever(member: Member) -> NoReturn:
    """The resolver's tick, as the jobs run it."""
    process = member.process
    while True:
        await asyncio.sleep(_EVERY_S * process.dice.uniform(0.8, 1.2))
        cuts = process.cuts
        try:
            done = await resolve_due(member.pool, member.game)
        except Exception as error:
            if not is_passing(error):
                raise
            process.trace.note("tick_failed", process.name, type(error).__name__)
            continue
        if done.due:
            process.trace.note("settled", process.name, f"{done}")
        if done.failed > process.cuts - cuts:
            raise RuntimeError(f"the resolver failed on a bet: {done}")


def is_passing(error: BaseException) -> bool:
    """Whether an error is the database's, which the service answers with 503."""
    return isinstance(error, TimeoutError) or database_fault(error) is not None
