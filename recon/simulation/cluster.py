"""The service's processes: they are started, they die, they are started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from recon.simulation.member import open_member
from recon.simulation.process import Process
from recon.simulation.weather import CALM

if TYPE_CHECKING:
    import random

    from recon.simulation.game import Game
    from recon.simulation.heard import Heard
    from recon.simulation.member import Member
    from recon.simulation.network import Network
    from recon.simulation.postgres import Postgres
    from recon.simulation.trace import Trace
    from recon.simulation.weather import Weather

__all__ = ["Cluster", "Skies"]

_PROCESSES: Final = 3
_LONGEST_DOWN_S: Final = 20.0


class Skies:
    """The weather as it is now."""

    def __init__(self, now: Weather) -> None:
        self.now = now

    def clear_up(self) -> None:
        """No fault strikes from here on."""
        self.now = CALM


class Cluster:
    """All processes of one deployment.

    Args:
        dice: everything that is left to chance.
        skies: the weather.
        trace: what happens.
        postgres: the database.
        network: the way to the game.
        game: the game.
    """

    def __init__(
        self,
        *,
        dice: random.Random,
        skies: Skies,
        trace: Trace,
        postgres: Postgres,
        network: Network,
        game: Game,
    ) -> None:
        self.dice = dice
        self.trace = trace
        self.game = game
        self.faults: list[str] = []
        self.heard: list[Heard] = []
        self._skies = skies
        self._postgres = postgres
        self._network = network
        self._up: dict[int, Member] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self.backend = self._member("psp", calm=True)
        """A process that outlives everything: PSPs' reports and questions of ours."""

    def start(self) -> None:
        """Start every process."""
        loop = asyncio.get_running_loop()
        for number in range(1, _PROCESSES + 1):
            self._keepers.append(loop.create_task(self._keep(number)))

    def anyone(self) -> Member | None:
        """A process that is up; None while none is."""
        if not self._up:
            return None
        return self._up[self.dice.choice(sorted(self._up))]

    def stop(self) -> None:
        """End every process, for good."""
        for keeper in self._keepers:
            keeper.cancel()
        for member in [*self._up.values(), self.backend]:
            member.process.die("stop")

    async def _keep(self, number: int) -> None:
        life = 0
        while True:
            life += 1
            member = self._member(f"p{number}.{life}")
            self._up[number] = member
            for job in member.jobs():
                member.process.start(job).add_done_callback(self._must_not_end)
            await member.process.ended.wait()
            del self._up[number]
            await asyncio.sleep(self.dice.uniform(0.5, _LONGEST_DOWN_S))

    def _must_not_end(self, jobs: asyncio.Task[None]) -> None:
        if not jobs.cancelled() and jobs.exception() is not None:
            self.faults.append(f"the jobs of a process ended in {jobs.exception()!r}")

    def _member(self, name: str, *, calm: bool = False) -> Member:
        process = Process(
            name, self.dice, (lambda: CALM) if calm else (lambda: self._skies.now), self.trace
        )
        member = open_member(process, self._postgres, self._network, self.game)
        self.heard.append(member.heard)
        return member
