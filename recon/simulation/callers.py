"""Those who call the service: they wish, cash out, ask again, and remember what they were told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from recon.bets import BetRefusedError, BetWish, RoundClosedError, cash_out, place_bet
from recon.errors import ReconError
from recon.simulation.member import is_passing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any
    from uuid import UUID

    from recon.bets import Bet
    from recon.simulation.cluster import Cluster
    from recon.simulation.member import Member

__all__ = ["Callers", "Told"]

_PATIENCE: Final = 4
_PATIENT: Final = 0.7
_STAKES: Final = ("0.50", "1.00", "2.50", "7.00")
_TARGETS: Final = (None, None, "1.20", "2.00", "4.00")


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller was told, which must stay true.

    Attributes:
        user_id: the player.
        caller_key: of the wish.
        bet_id: the bet; None where it was refused.
        state: of the bet, or ``refused``.
    """

    user_id: str
    caller_key: str
    bet_id: UUID | None
    state: str


class Callers:
    """Every caller of the service.

    Args:
        cluster: whom they call.
        players: who plays.
    """

    def __init__(self, cluster: Cluster, players: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._dice = cluster.dice
        self._players = players
        self._wishes: list[tuple[BetWish, str]] = []
        self._bets: list[UUID] = []
        self._calls: dict[asyncio.Task[None], None] = {}
        self.told: list[Told] = []
        self.faults: list[str] = []

    def wish(self) -> None:
        """Somebody bets on the present round, or as a rule on the next one where it is too late."""
        self._start(self._wish())

    def spree(self, count: int) -> None:
        """Several people bet in the same instant, and call the same process."""
        first = self._cluster.anyone()
        for _ in range(count):
            self._start(self._wish(first))

    def ask_again(self) -> None:
        """Somebody sends an earlier wish once more, perhaps while it is still being placed."""
        if self._wishes:
            self._start(self._place(*self._dice.choice(self._wishes[-12:])))

    def cash_out(self) -> None:
        """Somebody wants to cash out one of the newest bets."""
        if self._bets:
            self._start(self._cash_out(self._dice.choice(self._bets[-6:])))

    async def all_answered(self) -> None:
        """Wait until nobody waits for an answer."""
        while self._calls:
            await asyncio.wait(list(self._calls))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        call = asyncio.get_running_loop().create_task(work)
        self._calls[call] = None
        call.add_done_callback(lambda done: self._calls.pop(done, None))

    async def _wish(self, first: Member | None = None) -> None:
        dice, game = self._dice, self._cluster.game
        patient = first is None and dice.random() < _PATIENT
        while patient and game.round.status != "betting":  # noqa: ASYNC110 - a caller is told by nobody
            await asyncio.sleep(dice.uniform(0.1, 1.0))
        target = dice.choice(_TARGETS)
        wish = BetWish(
            dice.choice(self._players),
            game.round.round_id,
            dice.choice(_STAKES),
            "GBP",
            None if target is None else Decimal(target),
        )
        key = f"caller/{len(self._wishes)}"
        self._wishes.append((wish, key))
        await self._place(wish, key, first)

    async def _place(self, wish: BetWish, key: str, first: Member | None = None) -> None:
        for attempt in range(_PATIENCE):
            bet = await self._ask(
                f"place {key}",
                lambda member: place_bet(
                    member.pool, member.game, wish, caller_key=key, desk=member.desk
                ),
                first if attempt == 0 else None,
            )
            if isinstance(bet, RoundClosedError | BetRefusedError):
                self.told.append(Told(wish.user_id, key, None, "refused"))
            if isinstance(bet, ReconError):
                return
            if bet is not None:
                self.told.append(Told(wish.user_id, key, bet.bet_id, str(bet.state)))
                if bet.bet_id not in self._bets:
                    self._bets.append(bet.bet_id)
                return
            await asyncio.sleep(self._dice.uniform(0.1, 6.0))

    async def _cash_out(self, bet_id: UUID) -> None:
        bet = await self._ask(
            f"cash out {bet_id}",
            lambda member: cash_out(member.pool, member.game, bet_id, desk=member.desk),
        )
        if bet is not None and not isinstance(bet, ReconError):
            self.told.append(Told(bet.user_id, bet.caller_key, bet.bet_id, str(bet.state)))

    async def _ask(
        self,
        what: str,
        call: Callable[[Member], Coroutine[Any, Any, Bet]],
        member: Member | None = None,
    ) -> Bet | ReconError | None:
        """The answer of a process that is up; None where none came."""
        if member is None or member.process.dead:
            member = self._cluster.anyone()
        if member is None:
            return None
        trace, who = self._cluster.trace, member.process.name
        work = member.process.start(call(member))
        patience_s = None
        if self._dice.random() < member.process.weather().caller_gone:
            # From within the first statement to the middle of a retry: each as likely.
            patience_s = 10 ** self._dice.uniform(-3.0, 1.0)
        await asyncio.wait([work], timeout=patience_s)
        if not work.done():
            trace.note("caller_gone", who, what)
            work.cancel()
            await asyncio.wait([work])
        if work.cancelled():
            trace.note("unanswered", who, what)
            return None
        error = work.exception()
        if error is None:
            bet = work.result()
            trace.note("told", who, f"{what}: {bet.bet_id} {bet.state}")
            return bet
        trace.note("told", who, f"{what}: {type(error).__name__}")
        if isinstance(error, ReconError):
            return error
        if not is_passing(error):
            self.faults.append(f"{what} ended in {error!r}")
        return None
