"""Who may send to the game now: the breaker's word, a turn at the key, and what came of both.

One `Admission` stands before one API key in this process. It learns from every attempt that it has
let through: rate limits and waits for the pace, answers and failures for the breaker.
"""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from recon.game.breaker import Breaker, BreakerState
from recon.game.errors import AnswerLostError, GameCircuitOpen, RequestNotSentError
from recon.game.metrics import count_breaker_refusal, count_limited, show_breaker, show_pace
from recon.game.pace import Pace
from recon.game.turns import Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.game.breaker import BreakerPolicy
    from recon.game.notices import RateLimits
    from recon.game.pace import Priority

__all__ = ["Admission", "Pass"]

_log = structlog.get_logger(__name__)

_GIVEN_UP_AFTER_S: Final = 2.5
"""Who gives a call up after so long without an answer has seen a failure, not changed their mind;
half of the client's own timeout."""


class Pass(msgspec.Struct, frozen=True):
    """Leave to send one attempt."""

    sent_s: float
    is_probe: bool


class Admission:
    """The way to one API key.

    Args:
        monotonic: seconds from any origin, never backwards.
        breaker: when the circuit breaker opens, and for how long.

    Attributes:
        on_return: told, each of them, when the breaker closes.
    """

    def __init__(self, monotonic: Callable[[], float], breaker: BreakerPolicy | None) -> None:
        self._monotonic = monotonic
        self._breaker = Breaker(breaker)
        self._pace = Pace()
        self._turns = Turnstile(self._pace, monotonic=monotonic)
        self.on_return: list[Callable[[], None]] = []
        show_breaker(BreakerState.CLOSED)
        show_pace(self._pace)

    @property
    def is_closed(self) -> bool:
        """Calls pass; else only a probe does, once it is due."""
        return self._breaker.state is BreakerState.CLOSED

    def wait_s(self) -> float:
        """How long nothing is sent, as far as is known: the breaker's word or the game's."""
        now_s = self._monotonic()
        closed = self.is_closed
        return self._pace.stopped_for_s(now_s) if closed else self._breaker.wait_s(now_s)

    def queue_s(self, priority: Priority) -> float:
        """How long a call would wait for its turn at least; zero where nobody waits for one."""
        now_s = self._monotonic()
        refused_s = self._pace.refused_for_s(now_s)
        if refused_s or not self._turns.waiting:
            return refused_s
        ready_s = self._pace.ready_at(priority, now_s)
        return ready_s - now_s if math.isfinite(ready_s) else 0.0

    async def enter(self, priority: Priority, request_id: str, *, may_probe: bool) -> Pass:
        """Get leave to send one attempt; whoever has it calls `leave`.

        Args:
            priority: of the call.
            request_id: of the attempt, for errors.
            may_probe: the call can do no harm, so that it may be the breaker's probe.

        Raises:
            GameCircuitOpen: the game has not answered for a while; nothing was sent.
            GameBusy: there is no turn in time; nothing was sent.
        """
        breaker = self._breaker
        if not breaker.may_pass(self._monotonic()):
            raise self._refusal(request_id)
        await self._turns.take(priority, request_id)
        now_s = self._monotonic()
        if breaker.state is BreakerState.CLOSED:
            return Pass(now_s, is_probe=False)
        if may_probe and breaker.take_probe(now_s):
            show_breaker(breaker.state)
            return Pass(now_s, is_probe=True)
        self._pace.not_sent()
        self._turns.pump()
        raise self._refusal(request_id)

    def doubt(self) -> None:
        """Somebody else gets no answer: the next call is the probe, and the others wait for it."""
        if self._breaker.doubt(self._monotonic()):
            show_breaker(self._breaker.state)
            _log.warning("game_doubted")

    def answered(
        self, passed: Pass, status: int, limits: RateLimits | None, wait_s: float | None
    ) -> None:
        """The attempt has got an answer.

        Args:
            passed: what `enter` gave.
            status: of the answer.
            limits: what it says of the key's budget.
            wait_s: how long it asks us to wait.
        """
        now_s, pace = self._monotonic(), self._pace
        pace.answered(limits, sent_s=passed.sent_s, now_s=now_s)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            if status == HTTPStatus.SERVICE_UNAVAILABLE and wait_s is not None:
                pace.unavailable(wait_s, now_s)
            self._failed(passed, now_s, wait_s)
        else:
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                pace.refused(wait_s, now_s)
                count_limited()
            else:
                pace.served()
            self._alive(passed)
        self._turns.pump()

    def unanswered(self, passed: Pass, error: BaseException | None) -> None:
        """The attempt has ended without a whole answer.

        Args:
            passed: what `enter` gave.
            error: what the transport raised; a cancellation is its caller's.
        """
        now_s = self._monotonic()
        self._pace.not_sent()
        given_up = isinstance(error, asyncio.CancelledError)
        if isinstance(error, RequestNotSentError | AnswerLostError) or (
            given_up and now_s - passed.sent_s >= _GIVEN_UP_AFTER_S
        ):
            self._failed(passed, now_s, None)
        elif passed.is_probe:
            self._breaker.probe_lost()
            show_breaker(self._breaker.state)
        self._turns.pump()

    def _alive(self, passed: Pass) -> None:
        self._breaker.answered(is_probe=passed.is_probe, began_s=passed.sent_s)
        if passed.is_probe:
            show_breaker(self._breaker.state)
            _log.warning("game_circuit_closed")
            for tell in self.on_return:
                tell()

    def _failed(self, passed: Pass, now_s: float, wait_s: float | None) -> None:
        breaker = self._breaker
        opened = breaker.failed(
            began_s=passed.sent_s, now_s=now_s, is_probe=passed.is_probe, wait_s=wait_s
        )
        if opened:
            _log.warning("game_circuit_opened", probe_in_s=round(breaker.wait_s(now_s), 3))
            self._turns.send_away(lambda: self._refusal(""))
        if opened or passed.is_probe:
            show_breaker(breaker.state, opened=opened)

    def _refusal(self, request_id: str) -> GameCircuitOpen:
        count_breaker_refusal()
        return GameCircuitOpen(
            "the game has not answered for a while and is asked again soon; nothing was sent",
            wait_s=self._breaker.wait_s(self._monotonic()),
            status=None,
            request_id=request_id,
        )
