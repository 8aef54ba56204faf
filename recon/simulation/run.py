"""One run of one seed, from an empty database to its verdict."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from recon import clock
from recon.simulation.cluster import Cluster, Skies
from recon.simulation.game import open_game
from recon.simulation.instants import Instants
from recon.simulation.judge import Truth, judge
from recon.simulation.loop import StuckError, VirtualLoop
from recon.simulation.network import Network
from recon.simulation.postgres import Postgres
from recon.simulation.process import follow_processes
from recon.simulation.storm import Storm
from recon.simulation.trace import Trace
from recon.simulation.weather import FAULTS, drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from recon.simulation.databases import Databases
    from recon.simulation.weather import Weather

__all__ = ["Report", "simulate_seed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run came to.

    Attributes:
        seed: repeats it, with the same number of steps and the same code.
        steps: of play.
        ok: no promise was broken.
        failures: every broken promise, in words.
        trace: the hash of everything that happened.
        weather: which faults could strike, and how often.
        counts: events by kind.
        faults: those that struck, by kind.
        statements: calls of Postgres; ``lock_waits`` of them waited for another process.
        virtual_s: how long it took in virtual time.
        took_s: how long it took.
        last: the end of the trace.
    """

    seed: int
    steps: int
    ok: bool
    failures: list[str]
    trace: str
    weather: str
    counts: dict[str, int]
    faults: dict[str, int]
    statements: int
    lock_waits: int
    virtual_s: float
    took_s: float
    last: list[str]


def simulate_seed(
    databases: Databases,
    seed: int,
    steps: int,
    *,
    weather: Weather | None = None,
    mix: Mapping[str, int] | None = None,
    show: Callable[[str], None] | None = None,
    each_turn: Callable[[], None] = lambda: None,
) -> Report:
    """Run a seed; the same seed, steps and code give the same trace.

    Not to be called from a running event loop.

    Args:
        databases: where a fresh one comes from.
        seed: everything that is left to chance follows from it.
        steps: of play, before the weather clears up.
        weather: instead of the seed's own.
        mix: how often each kind of step is taken, instead of `recon.simulation.storm.STEPS`.
        show: sees each event as it happens.
        each_turn: is called between two turns of the loop; what it raises ends the run.
    """
    began_s = time.monotonic()
    dice = random.Random(seed)  # noqa: S311 - repeatable, no secret
    loop = VirtualLoop(each_turn)
    follow_processes(loop)
    instants = Instants(loop.time, random.Random(dice.getrandbits(64)))  # noqa: S311 - likewise
    trace = Trace(loop.time, show)
    with (
        databases.fresh() as driver,
        _dice_of_libraries(dice.getrandbits(64)),
        clock.taken_from(instants),
    ):
        postgres = Postgres(loop, driver, instants.now)
        world = _World(dice, trace, instants, postgres, seed, weather, mix)
        try:
            failures = loop.run_until_complete(world.run(steps))
        except StuckError as stuck:
            failures = [f"everything stands still: {stuck}"]
        finally:
            _close(loop)
        failures += loop.faults
    return Report(
        seed=seed,
        steps=steps,
        ok=not failures,
        failures=failures,
        trace=world.digest,
        weather=world.weather.shown(),
        counts=dict(sorted(trace.counts.items())),
        faults={kind: trace.counts[kind] for kind in FAULTS if trace.counts[kind]},
        statements=postgres.calls,
        lock_waits=postgres.waits,
        virtual_s=round(loop.time(), 3),
        took_s=round(time.monotonic() - began_s, 3),
        last=list(trace.last),
    )


class _World:
    """Everything of one run."""

    def __init__(
        self,
        dice: random.Random,
        trace: Trace,
        instants: Instants,
        postgres: Postgres,
        seed: int,
        weather: Weather | None,
        mix: Mapping[str, int] | None,
    ) -> None:
        self._dice = dice
        self._trace = trace
        self._instants = instants
        self._postgres = postgres
        self._seed = seed
        self._mix = mix
        of_the_seed = drawn(dice)
        self.weather = of_the_seed if weather is None else weather
        self.digest = ""

    async def run(self, steps: int) -> list[str]:
        """Play, come to rest, judge: what was found."""
        skies = Skies(self.weather)
        async with open_game(self._seed, self._dice, self._instants) as game:
            network = Network(game, self._dice, lambda: skies.now, self._trace, copy_context())
            cluster = Cluster(
                dice=self._dice,
                skies=skies,
                trace=self._trace,
                postgres=self._postgres,
                network=network,
                game=game,
            )
            storm = Storm(cluster, skies, self._mix)
            await storm.blow(steps)
            await storm.come_to_rest()
            self.digest = self._trace.digest()
            self._trace.counts.update(game.sandbox.hub.struck)
            cluster.stop()
            truth = Truth(game.sandbox, storm.callers.told, storm.psp.payments, cluster.heard)
            found = await self._postgres.run(lambda pool: judge(pool, truth))
            by_the_way = [storm.faults, storm.callers.faults, storm.psp.faults, cluster.faults]
            return [*chain.from_iterable(by_the_way), *found]


@contextmanager
def _dice_of_libraries(seed: int) -> Iterator[None]:
    """Libraries that take their chances from the module `random` take them from the seed."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def _close(loop: VirtualLoop) -> None:
    async def leave(left: set[asyncio.Task[Any]]) -> None:
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    with suppress(StuckError):  # a task that does not want to leave
        loop.run_until_complete(leave(asyncio.all_tasks(loop)))
    loop.close()
