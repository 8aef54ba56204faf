"""What happens in a run: steps of play and faults, then calm, until everything has come to rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from recon import clock
from recon.db import load
from recon.ledger import post_one, rules
from recon.money import Money
from recon.reconciliation import RunScope, RunState, run_here, start_run
from recon.simulation.callers import Callers
from recon.simulation.member import is_passing
from recon.simulation.psp import Psp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from recon.reconciliation import Run
    from recon.simulation.cluster import Cluster, Skies
    from recon.simulation.member import Member

__all__ = ["STEPS", "Storm"]

_PLAYERS: Final = ("u_1", "u_2", "u_3", "u_4")
_OPENING: Final = "50.00"
_PAUSE_S: Final = 0.6
_LONG_PAUSE_S: Final = 55.0
_LONGEST_REST_S: Final = 3600.0
_LOOK_EVERY_S: Final = 10.0

STEPS: Final = {
    "wish": 34,
    "spree": 5,
    "ask_again": 10,
    "cash_out": 22,
    "deposit": 5,
    "withdraw": 4,
    "reconcile": 2,
    "pause": 4,
    "nothing": 10,
}


class Storm:
    """One run.

    Args:
        cluster: the service.
        skies: the weather.
        mix: how often each of `STEPS` is taken, instead of what stands there.
    """

    def __init__(
        self, cluster: Cluster, skies: Skies, mix: Mapping[str, int] | None = None
    ) -> None:
        self._cluster = cluster
        self._skies = skies
        self._mix = mix or STEPS
        self._dice = cluster.dice
        self._loop = asyncio.get_running_loop()
        self._sweeps: dict[asyncio.Task[Run], None] = {}
        self.callers = Callers(cluster, _PLAYERS)
        self.psp = Psp(cluster, skies)
        self.faults: list[str] = []

    async def blow(self, steps: int) -> None:
        """Play so many steps in the weather of the seed."""
        for player in _PLAYERS:
            await self._open(player, _OPENING)
        self._game_streams()
        self._cluster.start()
        for _ in range(steps):
            await asyncio.sleep(self._dice.expovariate(1 / _PAUSE_S))
            await self._step()

    async def come_to_rest(self) -> None:
        """No more faults: everybody is answered, every bet ends, and everything is compared."""
        self._skies.clear_up()
        self._game_streams()
        self._cluster.trace.note("calm", "-", "")
        await self.callers.all_answered()
        await self.psp.all_told()
        began_s = self._loop.time()
        while unsettled := await self._unsettled():
            if self._loop.time() - began_s > _LONGEST_REST_S:
                self.faults.append(f"{unsettled} bets have not come to their end")
                return
            await asyncio.sleep(_LOOK_EVERY_S)
        while self._sweeps:
            await asyncio.wait(list(self._sweeps))
        await self._agree(until_s=self._loop.time() + _LONGEST_REST_S)

    def _game_streams(self) -> None:
        """Let the game lose, double and swap its events as the weather has it."""
        hub, now = self._cluster.game.sandbox.hub, self._skies.now
        hub.set_rate("stream_gap", now.stream_gap)
        hub.set_rate("stream_duplicate", now.stream_duplicate)
        hub.set_rate("stream_reorder", now.stream_reorder)

    async def _step(self) -> None:
        self._befall()
        match self._dice.choices(list(self._mix), list(self._mix.values()))[0]:
            case "wish":
                self.callers.wish()
            case "spree":
                self.callers.spree(self._dice.randint(2, 8))
            case "ask_again":
                self.callers.ask_again()
            case "cash_out":
                self.callers.cash_out()
            case "deposit":
                self.psp.deposit(self._dice.choice(_PLAYERS))
            case "withdraw":
                self.psp.withdraw(self._dice.choice(_PLAYERS))
            case "reconcile":
                sweep = self._loop.create_task(self._reconcile(RunScope.CHANGED))
                self._sweeps[sweep] = None
                sweep.add_done_callback(lambda done: self._sweeps.pop(done, None))
            case "pause":
                await asyncio.sleep(self._dice.uniform(1.0, _LONG_PAUSE_S))
            case _:
                pass

    def _befall(self) -> None:
        """What befalls the game."""
        weather, game, trace = self._skies.now, self._cluster.game, self._cluster.trace
        if self._dice.random() < weather.restart:
            down_s = self._dice.uniform(0.2, 8.0)
            game.restart(self._loop.time(), down_s)
            trace.note("restart", "game", f"{down_s:.3f}")
        if self._dice.random() < weather.cancelled_round and game.cancel_round():
            trace.note("cancelled_round", "game", "")

    async def _open(self, player: str, amount: str) -> None:
        """What a player has on both sides when all begins."""
        money = Money.parse(amount, "GBP")
        entry = rules.fact_for_player(
            player,
            money,
            kind="deposit.succeeded",
            source="simulation",
            key=f"{clock.new_id()}:deposit",
            event_at=clock.now(),
        )
        async with self._cluster.backend.pool.acquire() as connection, connection.transaction():
            await post_one(connection, entry)
        self._cluster.game.sandbox.backend.credit(player, money.currency, money.minor)

    async def _unsettled(self) -> int:
        async with self._cluster.backend.pool.acquire() as connection:
            found: int = await connection.fetchval(load("recon.simulation", "unsettled"))
        return found

    async def _agree(self, *, until_s: float) -> None:
        """Compare everything; what is still told that the game is out of reach comes again."""
        run = await self._reconcile(RunScope.ALL)
        while run.state is RunState.INCOMPLETE and self._loop.time() < until_s:
            await asyncio.sleep(_LOOK_EVERY_S)
            run = await self._reconcile(RunScope.ALL)
        counts = run.wallets
        untold = {payment.user_id for payment in self.psp.payments if payment.untold}
        rightly = (RunState.FINISHED, counts.total - len(untold), len(untold))
        if (run.state, counts.agreed, counts.discrepant) != rightly:
            self.faults.append(f"the last run is {run.state}: {counts}, untold of {sorted(untold)}")

    async def _reconcile(self, scope: RunScope) -> Run:
        """One run, taken over by another process as often as its process dies."""
        run_id = clock.new_id()
        while True:
            member = self._cluster.anyone()
            if member is not None:
                run = await self._sweep(member, run_id, scope)
                if run is not None:
                    return run
            await asyncio.sleep(1.0)

    async def _sweep(self, member: Member, run_id: UUID, scope: RunScope) -> Run | None:
        async def sweep() -> Run:
            await start_run(member.pool, scope, trigger="simulation", queued=False, run_id=run_id)
            return await run_here(member.reconciler, run_id)

        work = member.process.start(sweep())
        await asyncio.wait([work])
        trace, who = self._cluster.trace, member.process.name
        if work.cancelled():
            trace.note("sweep_died", who, str(run_id))
            return None
        error = work.exception()
        if error is None:
            run = work.result()
            trace.note("swept", who, f"{run.state} {run.wallets}")
            return run
        trace.note("sweep_failed", who, type(error).__name__)
        if not is_passing(error):
            self.faults.append(f"a run of the reconciliation ended in {error!r}")
        return None
