"""The network between a process and the game: it loses, delays, doubles and breaks.

The request is signed by the client's own middleware and travels as bytes; the game's own server
reads it. What a process is told follows `recon.game.Transport`: only a connection that did not come
about is certain.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from yarl import URL

from recon.game import (
    Answer,
    AnswerLostError,
    RequestNotSentError,
    SigningMiddleware,
)
from recon.simulation.wire import answer_of, exchange, request_bytes

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from contextvars import Context

    from recon.game import Outgoing
    from recon.simulation.game import Game
    from recon.simulation.process import Process
    from recon.simulation.trace import Trace
    from recon.simulation.weather import Weather

__all__ = ["Network", "SimulatedTransport"]

_TIMEOUT_S: Final = 5.0
_LATE_S: Final = 65.0
"""Longer than a signature is good for, so that some arrive too late and most do not."""
_NOT_EXECUTED: Final = 429
"""Who answers this, the game or a gateway before it, has not executed the call."""
_HALF: Final = 0.5
_CONSPIRING: Final = 0.7
_BASE: Final = "https://game.simulation"


@dataclass(frozen=True, slots=True)
class _Fate:
    """What becomes of one request.

    Attributes:
        name: in the trace.
        there_s: after how long each copy of it arrives; none where it is lost.
        back_s: how long its answer takes; None where it is lost.
        broken: its sender sees the connection break at once.
        answer_for: the status with which somebody between answers instead.
        takes_effect: whether the game gets to see it then.
    """

    name: str
    there_s: tuple[float, ...]
    back_s: float | None
    broken: bool = False
    answer_for: int | None = None
    takes_effect: bool = True


class Network:
    """Carries requests to the game.

    Args:
        game: where they arrive.
        dice: what becomes of each.
        weather: how likely it is, now.
        trace: hears of all of it.
        context: in which the game answers: no process's.
    """

    def __init__(
        self,
        game: Game,
        dice: random.Random,
        weather: Callable[[], Weather],
        trace: Trace,
        context: Context,
    ) -> None:
        self._game = game
        self._dice = dice
        self._weather = weather
        self._trace = trace
        self.context = context
        self._loop = asyncio.get_running_loop()
        self._serving: set[asyncio.Task[None]] = set()
        self._conspired: dict[str, bool] = {}

    async def carry(self, process: Process, outgoing: Outgoing, request: bytes) -> Answer:
        """Carry a request of a process; errors as `recon.game.Transport.send` says."""
        fate = self._fate(outgoing)
        what = f"{outgoing.method} {outgoing.target}"
        self._trace.note("call", process.name, f"{what} {_digest(request)} {fate.name}")
        self._trace.count("on_the_turn" if fate.name.endswith("_the_turn") else fate.name)
        await process.wait(0.0, 0.002)
        if fate.name == "refused" or self._game.is_down(self._loop.time()):
            raise RequestNotSentError("connection refused")
        answered: asyncio.Future[bytes | None] = self._loop.create_future()
        for there_s in fate.there_s:
            self._loop.call_later(
                there_s, self._arrive, request, fate, answered, context=self.context
            )
        if fate.broken:
            await process.wait(0.0, 0.01)
            raise AnswerLostError("connection reset")
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                raw = await answered
        except TimeoutError:
            raise AnswerLostError("timed out") from None
        await process.wait(0.0, 0.002)
        if raw is None:
            raise AnswerLostError("connection reset")
        answer = answer_of(raw, outgoing.method)
        said = f"{what} <- {answer.status} {_digest(answer.body)}"
        self._trace.note("answer", process.name, said)
        return answer

    def _arrive(self, request: bytes, fate: _Fate, answered: asyncio.Future[bytes | None]) -> None:
        serving = self._loop.create_task(self._serve(request, fate, answered))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(
        self, request: bytes, fate: _Fate, answered: asyncio.Future[bytes | None]
    ) -> None:
        epoch = self._game.epoch
        raw = None
        if fate.takes_effect and not self._game.is_down(self._loop.time()):
            raw = await exchange(self._game.server, request)
            self._trace.note("served", "game", _digest(request))
        if fate.answer_for is not None:
            raw = _said(fate.answer_for)
        if fate.back_s is None:
            return
        await asyncio.sleep(fate.back_s)
        if self._game.epoch != epoch:
            raw = None
        if not answered.done():
            answered.set_result(raw)

    def _fate(self, outgoing: Outgoing) -> _Fate:  # noqa: PLR0911 - one for each kind of fault
        dice, weather = self._dice, self._weather()
        there_s, back_s = dice.uniform(0.002, 0.1), dice.uniform(0.002, 0.1)
        draw = dice.random
        if draw() < weather.refused:
            return _Fate("refused", (), None)
        if draw() < weather.request_lost:
            return _Fate("request_lost", (), None)
        if draw() < weather.answer_lost:
            return _Fate("answer_lost", (there_s,), None)
        if draw() < weather.cut:
            return _Fate("cut", (there_s * 10,), None, broken=True)
        if draw() < weather.late:
            return _Fate("late", (dice.uniform(_TIMEOUT_S, _LATE_S),), None)
        if draw() < weather.slow:
            return _Fate("slow", (dice.uniform(0.1, 6.0),), dice.uniform(0.1, 3.0))
        if draw() < weather.answered_for:
            status = dice.choice([_NOT_EXECUTED, 500, 502, 503])
            takes_effect = status != _NOT_EXECUTED and draw() < _HALF
            return _Fate(
                "answered_for", (there_s,), back_s, answer_for=status, takes_effect=takes_effect
            )
        if self._is_conspired() and draw() < _CONSPIRING:
            return self._on_the_turn(outgoing, there_s, back_s)
        if draw() < weather.doubled:
            return _Fate("doubled", (there_s, dice.uniform(0.002, 2.0)), back_s)
        return _Fate("carried", (there_s,), back_s)

    def _is_conspired(self) -> bool:
        round_id = self._game.round.round_id
        if round_id not in self._conspired:
            self._conspired[round_id] = self._dice.random() < self._weather().on_the_turn
        # What was begun in a storm does not outlast it.
        return self._conspired[round_id] and self._weather().on_the_turn > 0

    def _on_the_turn(self, outgoing: Outgoing, there_s: float, back_s: float) -> _Fate:
        """Where a race is won or lost by milliseconds."""
        turn_s, dice = self._game.next_turn_s(), self._dice
        of_the_game = outgoing.target.startswith("/api/v1/game/")
        if of_the_game or turn_s is None or not there_s + back_s < turn_s < _LATE_S:
            return _Fate("carried", (there_s,), back_s)
        if outgoing.method == "GET":
            back_s = turn_s - there_s + dice.uniform(0.001, 0.2)
            return _Fate("answered_on_the_turn", (there_s,), back_s)
        name, by_s = dice.choice([("before", -0.2), ("before", -0.01), ("after", 0.05)])
        there_s = max(0.001, turn_s + dice.uniform(0.0, 1.0) * by_s)
        return _Fate(f"{name}_the_turn", (there_s,), back_s)


class SimulatedTransport:
    """A process's `recon.game.Transport`.

    Args:
        process: whose it is.
        network: what carries it.
        api_key: sent with every call.
        signer: signs the POSTs.
    """

    def __init__(
        self, process: Process, network: Network, *, api_key: str, signer: SigningMiddleware
    ) -> None:
        self._process = process
        self._network = network
        self._api_key = api_key
        self._signer = signer

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send once; errors as `recon.game.Transport.send` says."""
        self._process.must_live()
        headers = {"X-API-Key": self._api_key, **outgoing.headers}

        async def carry(_: object) -> Answer:
            raw = request_bytes(outgoing.method, outgoing.target, headers, outgoing.body)
            return await self._network.carry(self._process, outgoing, raw)

        if outgoing.body is None:
            return await carry(None)
        # With one secret, the status is all that the middleware reads of an answer.
        signed = _ToSign(outgoing.method, outgoing.target, headers, outgoing.body)
        answer = await self._signer(cast("Any", signed), cast("Any", carry))
        return cast("Answer", answer)


class _ToSign:
    """As much of an aiohttp request as the signing middleware reads and writes."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.url = URL(_BASE + target, encoded=True)
        self.headers = headers
        self.body = _Body(body)


class _Body:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def as_bytes(self) -> bytes:
        return self._raw


def _said(status: int) -> bytes:
    """What somebody says who stands between us and the game."""
    body = b'{"code": "rate_limited", "message": "a gateway", "request_id": "gateway"}'
    if status != _NOT_EXECUTED:
        body = b"<html>a gateway</html>"
    head = f"HTTP/1.1 {status} Gateway\r\nContent-Length: {len(body)}\r\nRetry-After: 1\r\n\r\n"
    return head.encode() + body


def _digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()[:12]
