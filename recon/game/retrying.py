"""When an attempt is followed by another: tenacity, full jitter, the game's own waits first.

Only what certainly had no effect, or is a GET, is tried again; a POST keeps its idempotency key and
gets a fresh timestamp and nonce. Nothing here reads a clock of its own: time comes in as a
parameter, so that a simulation runs the same code in virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import AsyncRetrying, wait_random_exponential
from tenacity.wait import wait_exponential

from recon.errors import ReconError
from recon.game.errors import (
    GameBusy,
    GameCircuitOpen,
    GameMisconfigured,
    GameOutcomeUnknown,
    GameRefused,
    GameUnavailable,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

__all__ = ["Course", "RetryPolicy"]

_T = TypeVar("_T")
_FRESH_VALUES_HELP: Final = frozenset({"stale_timestamp", "nonce_reused"})
_SETTLING_REFUSALS: Final = frozenset({409, 422})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long.

    Args:
        attempts: at most so many in all.
        total_s: no attempt starts later than this after the first one started.
        base_s: the first wait is drawn from 0 to this; each later window is twice as wide.
        cap_s: the widest window.
    """

    attempts: int = 4
    total_s: float = 15.0
    base_s: float = 0.1
    cap_s: float = 3.0


class _FullJitter(wait_random_exponential):
    """`wait_random_exponential` with the game's Retry-After first and an injected dice."""

    def __init__(self, policy: RetryPolicy, rng: random.Random) -> None:
        super().__init__(multiplier=policy.base_s, max=policy.cap_s)
        self._rng = rng
        self._spread_s = policy.base_s

    def __call__(self, retry_state: RetryCallState) -> float:
        error = _error_of(retry_state)
        if isinstance(error, GameUnavailable) and error.wait_s is not None:
            # A little later than asked, or all who were sent away would come back together.
            return error.wait_s + self._rng.uniform(0, self._spread_s)
        return self._rng.uniform(0, wait_exponential.__call__(self, retry_state))


class Course:
    """The attempts of one call.

    Args:
        policy: how often and how long.
        monotonic: seconds from any origin, never backwards.
        sleep: waits so many seconds.
        rng: the dice of the jitter.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        rng: random.Random,
    ) -> None:
        self.number = 0
        """The attempts begun so far."""
        self._policy = policy
        self._monotonic = monotonic
        self._sleep = sleep
        self._rng = rng
        self._started_s = monotonic()
        self._refreshed = False
        self._unsettled: GameOutcomeUnknown | None = None

    async def run(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Attempt until there is a result, or nothing more to be tried.

        Raises:
            GameRefused, GameUnavailable, GameMisconfigured, GameOutcomeUnknown, GameProtocolError:
                what the last attempt came to, in the light of those before it.
        """
        try:
            return await attempt()
        except ReconError as error:
            first: ReconError | None = error

        async def retold() -> _T:
            # tenacity costs as much as half a request, so only a call that has failed pays for
            # it: its first attempt is the one that was made above.
            nonlocal first
            if first is not None:
                told, first = first, None
                raise told
            return await attempt()

        retrying = AsyncRetrying(
            sleep=self._sleep,
            retry=self._again,
            wait=_FullJitter(self._policy, self._rng),
            stop=self._enough,
            reraise=True,
        )
        try:
            return await retrying(retold)
        except ReconError as error:
            settled = self._settle(error)
            if settled is error:
                raise
            raise settled from error

    def _settle(self, error: ReconError) -> ReconError:
        """What ``error`` means in the light of the attempts before it.

        Once an attempt of this call may have taken effect, a later "nothing happened" speaks of the
        later attempt only, so that the outcome stays unknown; a refusal by the state of the bet
        does settle it, because a server that has executed the key answers as it did then.
        """
        if self._unsettled is None:
            return error
        if isinstance(error, GameRefused) and error.status in _SETTLING_REFUSALS:
            return error
        if isinstance(error, GameUnavailable | GameMisconfigured | GameRefused):
            return GameOutcomeUnknown(
                f"{self._unsettled.message}; then {error.message}",
                reason=self._unsettled.reason,
                status=self._unsettled.status,
                request_id=self._unsettled.request_id,
            )
        return error

    def _again(self, state: RetryCallState) -> bool:
        error = _error_of(state)
        if isinstance(error, GameUnavailable):
            # What was not sent for want of a turn, or of a game, is not to be sent so soon.
            unsent = isinstance(error, GameBusy | GameCircuitOpen) and error.status is None
            return not unsent
        reason = getattr(error, "reason", None)
        if self._refreshed or reason not in _FRESH_VALUES_HELP:
            return False
        self._refreshed = True
        if isinstance(error, GameOutcomeUnknown):
            self._unsettled = error
        return True

    def _enough(self, state: RetryCallState) -> bool:
        elapsed_s = self._monotonic() - self._started_s
        return (
            self.number >= self._policy.attempts
            or elapsed_s + state.upcoming_sleep > self._policy.total_s
        )


def _error_of(state: RetryCallState) -> BaseException | None:
    return None if state.outcome is None else state.outcome.exception()
