"""Making a call: its attempts, what each of them came to, and who gets to see it."""

from __future__ import annotations

import asyncio
import math
import random
from contextlib import contextmanager, suppress
from contextvars import Context
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from recon import tracing
from recon.errors import ReconError
from recon.game.admission import Admission
from recon.game.attempts import Call, Exchange
from recon.game.errors import (
    AnswerLostError,
    GameMisconfigured,
    GameOutcomeUnknown,
    GameProtocolError,
    GameRefused,
    GameUnavailable,
    RequestNotSentError,
    UntrustedServerError,
)
from recon.game.metrics import count_attempt
from recon.game.notices import Noticeboard, read_limits, read_wait_s
from recon.game.pace import Priority
from recon.game.retrying import Course
from recon.game.transport import Outgoing
from recon.game.verdicts import judge, unreadable
from recon.http.tracing import carry_trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import datetime

    from recon.game.admission import Pass
    from recon.game.attempts import Attempt
    from recon.game.breaker import BreakerPolicy
    from recon.game.notices import RateLimits
    from recon.game.retrying import RetryPolicy
    from recon.game.transport import Transport
    from recon.game.verdicts import Answer, Asked

__all__ = ["Caller"]

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_OTHERWISE_SIGNED: Final = "invalid_signature"


_QUESTION: Final = Call("GET /api/v1/game/state", "/api/v1/game/state", lambda answer: answer)


class Caller:
    """Makes calls over a transport by a retry policy.

    Args:
        transport: carries attempts.
        policy: how often and how long to try.
        on_attempt: sees every attempt when it is over; what it raises is logged and dropped, so
            that no observer changes what a call comes to.
        breaker: when calls are not sent any more because none is answered.
        has_previous_secret: the transport signs with either of two secrets.
        clock: the wall clock.
        monotonic: seconds from any origin, never backwards; the event loop's by default.
        sleep: waits between attempts.
        rng: request ids and jitter.
    """

    def __init__(  # noqa: PLR0913 - each is a setting or a seam, by name
        self,
        transport: Transport,
        *,
        policy: RetryPolicy,
        on_attempt: Callable[[Attempt], None] | None,
        breaker: BreakerPolicy | None,
        has_previous_secret: bool,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] | None,
        sleep: Callable[[float], Awaitable[None]],
        rng: random.Random,
    ) -> None:
        self._transport = transport
        self._policy = policy
        self._on_attempt = on_attempt
        self._has_previous_secret = has_previous_secret
        self._secret = 0
        self.now = clock
        self._monotonic = monotonic
        self._admission = Admission(self._now_s, breaker)
        self._sleep = sleep
        self._rng = rng
        # Unique is enough for a request id: asking the system for each costs as much as the rest.
        self._ids = random.Random(rng.getrandbits(128))  # noqa: S311 - no secret
        self.limits: RateLimits | None = None
        self.board = Noticeboard()

    async def make(self, call: Call[_T]) -> _T:
        """Make ``call``.

        Raises:
            GameRefused: a definitive no.
            GameUnavailable: out of reach; nothing happened.
            GameMisconfigured: the game does not accept us; nothing happened.
            GameOutcomeUnknown: a POST that may have taken effect.
            GameProtocolError: a GET's answer breaks the contract.
        """
        course = Course(self._policy, monotonic=self._now_s, sleep=self._sleep, rng=self._rng)
        attempt = self._with_either_secret if self._has_previous_secret else self._attempt
        try:
            return await course.run(lambda: attempt(call, course))
        except GameUnavailable as error:
            # To whoever asks again, what is known now says more than the last answer alone.
            wait_s = max(error.wait_s or 0.0, self._admission.wait_s())
            error.retry_after_s = max(1, math.ceil(wait_s))
            raise

    @contextmanager
    def on_return(self, tell: Callable[[], None]) -> Iterator[None]:
        """Tell that the game answers again, whenever it has not for a while; must be quick."""
        told = self._admission.on_return
        told.append(tell)
        try:
            yield
        finally:
            told.remove(tell)

    def doubt(self) -> None:
        """Others get no answer: one question is to find out before anything else is sent."""
        self._admission.doubt()

    @property
    def queue_s(self) -> float:
        """How long a question would wait for its turn at least; zero where nobody waits."""
        return self._admission.queue_s(Priority.SETTLEMENT)

    def _now_s(self) -> float:
        if self._monotonic is None:
            self._monotonic = asyncio.get_running_loop().time
        return self._monotonic()

    async def _with_either_secret(self, call: Call[_T], course: Course) -> _T:
        """An attempt, and where the game refuses its signature, which has no effect, another.

        The other one is signed with the other secret, which is used from then on if it is let in.
        """
        place = self._secret
        try:
            return await self._attempt(call, course, place)
        except GameMisconfigured as error:
            if error.reason != _OTHERWISE_SIGNED:
                raise
        other = 1 - place
        try:
            result = await self._attempt(call, course, other)
        except GameRefused:
            self._use_secret(other)
            raise
        self._use_secret(other)
        return result

    def _use_secret(self, place: int) -> None:
        if self._secret != place:
            self._secret = place
            _log.warning("game_signing_secret_in_use", place="previous" if place else "newest")

    async def _attempt(self, call: Call[_T], course: Course, secret: int = 0) -> _T:
        course.number += 1
        request_id = f"{self._ids.getrandbits(128):032x}"
        harmless = call.body is None
        if not (harmless or self._admission.is_closed):
            await self._ask_ahead(course)
        passed = await self._admission.enter(call.priority, request_id, may_probe=harmless)
        exchange = Exchange(call, request_id, secret)
        started_at = self.now()
        error: BaseException | None = None
        try:
            return await self._exchange(exchange, passed)
        except BaseException as raised:
            error = raised
            raise
        finally:
            latency_s = self._now_s() - passed.sent_s
            count_attempt(call.operation, exchange.status, latency_s)
            if self._on_attempt is not None:
                self._show(
                    exchange.over(
                        number=course.number,
                        started_at=started_at,
                        latency_s=latency_s,
                        error=error,
                    )
                )

    async def _ask_ahead(self, course: Course) -> None:
        """Before a signed call while the breaker is open: a question, which can do no harm.

        What it came to, the breaker knows then.
        """
        # In a context of its own: it is no attempt of whatever the signed call is about.
        asking = asyncio.get_running_loop().create_task(
            self._attempt(_QUESTION, course), context=Context()
        )
        with suppress(ReconError):
            await asking

    async def _send(self, exchange: Exchange[_T], passed: Pass) -> Answer:
        call = exchange.call
        method = "GET" if call.body is None else "POST"
        try:
            headers = call.headers(exchange.asked.request_id)
            with tracing.span(call.operation, kind="client") as work:
                carry_trace(headers)
                answer = await self._transport.send(
                    Outgoing(method, call.target, headers, call.body, exchange.secret)
                )
                work.note(
                    {"http.request.method": method, "http.response.status_code": answer.status}
                )
                # Source: as in recon/http/request_ids.py; for who asked, 4xx is an error too.
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    work.fail(str(answer.status))
            exchange.answer = answer
            limits = self._note(exchange, answer)
        except BaseException as error:
            # Whatever it is: a turn, or the one probe, that never ends would be the last.
            self._admission.unanswered(passed, error)
            raise
        self._admission.answered(passed, answer.status, limits, exchange.wait_s)
        return answer

    async def _exchange(self, exchange: Exchange[_T], passed: Pass) -> _T:
        call, asked = exchange.call, exchange.asked
        try:
            answer = await self._send(exchange, passed)
            judge(asked, answer, exchange.wait_s)
            return call.read(answer)
        except UntrustedServerError as error:
            raise GameMisconfigured(
                f"{call.operation}: the game's certificate is not accepted: {error}",
                reason="untrusted_server",
                status=None,
                request_id=asked.request_id,
            ) from error
        except RequestNotSentError as error:
            raise _unavailable(asked, f"cannot reach the game: {error}") from error
        except AnswerLostError as error:
            if asked.moves_money:
                raise GameOutcomeUnknown(
                    f"{call.operation}: the answer was lost: {error}",
                    reason="connection_lost",
                    status=None,
                    request_id=asked.request_id,
                ) from error
            raise _unavailable(asked, f"the answer was lost: {error}") from error
        except GameProtocolError as error:
            if error.request_id is not None:  # judged already
                raise
            raise unreadable(asked, error, exchange.status) from error

    def _note(self, exchange: Exchange[_T], answer: Answer) -> RateLimits | None:
        now = self.now()
        limits = read_limits(answer.headers, now)
        if limits is not None:
            self.limits = limits
        exchange.wait_s = read_wait_s(answer.headers, now)
        self.board.read(exchange.call.operation, answer.headers, now)
        return limits

    def _show(self, attempt: Attempt) -> None:
        if self._on_attempt is None:
            return
        try:
            self._on_attempt(attempt)
        except Exception:  # noqa: BLE001 - an observer must not change what a call came to
            _log.exception("game_attempt_observer_failed", request_id=attempt.request_id)


def _unavailable(asked: Asked, why: str) -> GameUnavailable:
    return GameUnavailable(
        f"{asked.operation}: {why}", wait_s=None, status=None, request_id=asked.request_id
    )
