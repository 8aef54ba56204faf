"""The calls that the holder of a bet makes to the game: within the claim, each one recorded."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from recon import clock
from recon.bets.model import BetAttempt
from recon.game import (
    GameMisconfigured,
    GameOutcomeUnknown,
    GameProtocolError,
    GameUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from uuid import UUID

    from recon import game
    from recon.bets.desk import Desk
    from recon.bets.model import Bet
    from recon.db import Pool

__all__ = ["UNANSWERED", "ClaimOverError", "Line", "Means", "observe_attempt"]

_T = TypeVar("_T")
_seen: ContextVar[list[game.Attempt] | None] = ContextVar("recon_bets_attempts", default=None)


class ClaimOverError(Exception):
    """The claim on the bet has ended: whoever claims it next concludes, not we."""


UNANSWERED: Final = (
    ClaimOverError,
    GameMisconfigured,
    GameOutcomeUnknown,
    GameProtocolError,
    GameUnavailable,
)
"""What allows no conclusion about a bet, for a call that is not its very first."""


def observe_attempt(attempt: game.Attempt) -> None:
    """Note an attempt for the bet that is being worked on: `GameClient`'s ``on_attempt``."""
    seen = _seen.get()
    if seen is not None:
        seen.append(attempt)


@dataclass(frozen=True, slots=True)
class Means:
    """What the room works with; time and ids come in, so that a simulation can bring its own.

    Without a desk every commit is of one bet.
    """

    pool: Pool
    game: game.GameClient
    now: Callable[[], datetime] = clock.now
    new_id: Callable[[], UUID] = clock.new_id
    desk: Desk | None = None


class Line:
    """The calls about one bet while its claim lasts.

    Every call raises `GameRefused` and `UNANSWERED`; `GameClient` says which error allows which
    conclusion.

    Args:
        means: the game, the time and the ids.
        bet: as it was claimed; its ``due_at`` is when the claim ends.
    """

    def __init__(self, means: Means, bet: Bet) -> None:
        self.attempts: list[BetAttempt] = []
        self._means = means
        self._game = means.game
        self._bet = bet
        self._user = bet.user_id

    def now(self) -> datetime:
        """The current instant."""
        return self._means.now()

    def next_key(self) -> UUID:
        """An idempotency key for a new intent."""
        return self._means.new_id()

    async def hold(self) -> game.Hold:
        """Ask for the stake to be set aside, with the bytes and the key of the intent."""
        bet = self._bet
        return await self._make(
            "hold",
            lambda: self._game.hold(
                self._user, idempotency_key=str(bet.hold_key), body=bet.hold_body
            ),
        )

    async def confirm(self, hold_id: str) -> game.Bet:
        """Turn the hold into a bet."""
        key = str(self._bet.confirm_key)
        return await self._make("confirm", lambda: self._game.confirm(self._user, hold_id, key))

    async def release(self, hold_id: str) -> None:
        """Give the hold's stake back."""
        key = str(self._bet.release_key)
        await self._make("release", lambda: self._game.release(self._user, hold_id, key))

    async def cash_out(self, ticket_id: str) -> game.CashOut:
        """Cash out at the multiplier of this moment."""
        key = str(self._bet.cashout_key)
        return await self._make("cash_out", lambda: self._game.cashout(self._user, ticket_id, key))

    async def ask_by_key(self) -> game.KeyOutcome:
        """What the hold's key led to."""
        key = str(self._bet.hold_key)
        return await self._make("ask_by_key", lambda: self._game.bet_by_key(self._user, key))

    async def ask_bet(self, ticket_id: str) -> game.Bet:
        """How the bet stands."""
        return await self._make("ask_bet", lambda: self._game.bet(self._user, ticket_id))

    async def ask_payout(self, transaction_id: str) -> game.Payout:
        """How the payout stands."""
        return await self._make("ask_payout", lambda: self._game.payout(self._user, transaction_id))

    async def _make(self, step: str, call: Callable[[], Awaitable[_T]]) -> _T:
        due = self._bet.due_at
        left_s = 0.0 if due is None else (due - self.now()).total_seconds()
        if left_s <= 0:
            raise ClaimOverError(f"no time is left for {step}")
        seen: list[game.Attempt] = []
        token = _seen.set(seen)
        began_at, began_s = self.now(), asyncio.get_running_loop().time()
        error: BaseException | None = None
        try:
            # Nothing is sent after the claim: the next holder must not be overtaken.
            async with asyncio.timeout(left_s):
                return await call()
        except TimeoutError as raised:
            error = raised
            raise ClaimOverError(f"{step} took longer than the claim") from raised
        except BaseException as raised:
            error = raised
            raise
        finally:
            _seen.reset(token)
            took_s = asyncio.get_running_loop().time() - began_s
            self.attempts += [self._recorded(step, attempt) for attempt in seen] or [
                self._unobserved(step, began_at, took_s, error)
            ]

    def _recorded(self, step: str, attempt: game.Attempt) -> BetAttempt:
        return BetAttempt(
            attempt_id=self._means.new_id(),
            step=step,
            request_id=attempt.request_id,
            status=attempt.status,
            outcome=attempt.error or "ok",
            latency_ms=round(attempt.latency_s * 1000),
            at=attempt.started_at,
        )

    def _unobserved(
        self, step: str, at: datetime, took_s: float, error: BaseException | None
    ) -> BetAttempt:
        """The call as a whole, where the client's attempts are not shown to `observe_attempt`."""
        return BetAttempt(
            attempt_id=self._means.new_id(),
            step=step,
            request_id=getattr(error, "request_id", None),
            status=getattr(error, "status", None),
            outcome="ok" if error is None else str(getattr(error, "code", type(error).__name__)),
            latency_ms=round(took_s * 1000),
            at=at,
        )
