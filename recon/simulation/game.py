"""The game that is played against: the sandbox's, on the virtual clock; it restarts at times."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.sandbox.app import build_app
from recon.sandbox.keys import first_api_key, first_signing_secret
from recon.sandbox.options import SandboxOptions
from recon.sandbox.parts import SANDBOX

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from recon.sandbox.engine import Round
    from recon.sandbox.parts import Sandbox
    from recon.simulation.instants import Instants

__all__ = ["Game", "open_game"]

_TICK_S: Final = 30.0


@dataclass(slots=True)
class Game:
    """The simulated game.

    Attributes:
        sandbox: its state, which a restart does not lose; all of it is looked at when judging.
        server: takes requests.
        api_key: of the service.
        secret: with which the service signs.
        epoch: how often it has restarted; answers do not outlive the epoch of their request.
        down_until: no connection comes about before, in virtual seconds.
    """

    sandbox: Sandbox
    server: web.Server
    api_key: str
    secret: str
    epoch: int = 0
    down_until: float = 0.0

    @property
    def round(self) -> Round:
        """The present round."""
        self.sandbox.timeline.catch_up()
        return self.sandbox.engine.current

    def next_turn_s(self) -> float | None:
        """In how long the round takes off or crashes; None when it has crashed already."""
        at = self.sandbox.timeline.catch_up()
        engine, round_ = self.sandbox.engine, self.sandbox.engine.current
        if round_.status == "betting":
            begun_s = (self.sandbox.timeline.instant(at) - round_.started_at).total_seconds()
            return self.sandbox.options.betting_s - begun_s
        if round_.status == "active" and round_.active_from is not None:
            return round_.active_from + engine.curve.reached_ms(round_.crash_at) / 1000 - at
        return None

    def is_down(self, at_s: float) -> bool:
        """Whether it is restarting."""
        return at_s < self.down_until

    def restart(self, at_s: float, down_s: float) -> None:
        """Go down and come back; what was being answered is not answered."""
        self.epoch += 1
        self.down_until = at_s + down_s

    def cancel_round(self) -> bool:
        """Cancel the present round; False when it has crashed already."""
        reached = self.sandbox.timeline.catch_up()
        return self.sandbox.engine.cancel_current(reached) is not None


@asynccontextmanager
async def open_game(seed: int, dice: random.Random, instants: Instants) -> AsyncIterator[Game]:
    """A game whose rounds run; how long each part of them lasts is the seed's too."""
    payout_s = dice.uniform(0.5, 6.0)
    options = SandboxOptions(
        seed=seed,
        betting_s=dice.choice([4.0, 15.0, 60.0]),
        max_active_s=dice.choice([6.0, 20.0, 60.0]),
        crashed_s=dice.uniform(0.1, 1.0),
        payout_s=payout_s,
        payout_delay_s=payout_s * dice.random(),
        hold_ttl_s=dice.choice([5.0, 30.0, 90.0]),
        tick_s=_TICK_S,
    )
    app = build_app(options, clock=instants)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    server = runner.server
    if server is None:
        raise RuntimeError("the application has no server")
    try:
        yield Game(app[SANDBOX], server, first_api_key(seed), first_signing_secret(seed))
    finally:
        await runner.cleanup()
