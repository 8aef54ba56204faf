"""Delivery: every event is posted until it is taken or the attempts are used up.

As the providers do it, in a compressed time: the same bytes and event id at every attempt, a fresh
timestamp where the signature covers one, longer and longer pauses. Any 2xx is a delivery; whatever
else happens, a refused connection too, is an attempt that failed.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypedDict

import aiohttp

from recon.clock import format_time, now
from recon.sandbox.psp.model import seeded

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from datetime import datetime
    from random import Random

    from recon.sandbox.psp.endpoints import Endpoints
    from recon.sandbox.psp.model import Event

__all__ = ["Attempt", "AttemptJson", "Courier", "Shipment", "ShipmentState", "Timing"]

ATTEMPTS_KEPT: Final = 100_000
OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take, in seconds: the providers' days squeezed into a sandbox's minute.

    Attributes:
        spread_s: up to this passes before an event is sent, or the game is told.
        late_s: how late a late webhook is, at least and at most.
        first_retry_s: the pause after the first attempt; each one after is twice as long.
        longest_pause_s: no pause is longer.
        attempts: after so many the provider gives up.
        timeout_s: an answer that takes longer counts as none.
    """

    spread_s: float = 0.3
    late_s: tuple[float, float] = (2.0, 4.0)
    first_retry_s: float = 0.5
    longest_pause_s: float = 5.0
    attempts: int = 12
    timeout_s: float = 10.0

    def pause_s(self, attempts_made: int, random: Random) -> float:
        """How long to wait before the next attempt: doubled each time, capped, a little jitter."""
        pause_s = min(self.longest_pause_s, self.first_retry_s * 2.0 ** (attempts_made - 1))
        return pause_s * random.uniform(0.9, 1.1)


class ShipmentState(StrEnum):
    """Where an event is on its way."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GAVE_UP = "gave_up"
    LOST = "lost"
    NOT_SENT = "not_sent"


class AttemptJson(TypedDict):
    """An attempt as ``GET /sandbox/psp/deliveries`` lists it."""

    endpoint: str
    event_id: str
    type: str
    payment_id: str
    attempt: int
    status: int | None
    outcome: str
    at: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event.

    Attributes:
        number: 1 for the first.
        status: what was answered, None where no answer came.
        outcome: ``delivered``, ``refused``, ``no_answer``, ``answer_lost`` or ``bad_signature``;
            ``forged_taken`` when the receiver took what nobody signed.
    """

    endpoint: str
    event_id: str
    type: str
    payment_id: str
    number: int
    status: int | None
    outcome: str
    at: datetime

    def as_json(self) -> AttemptJson:
        """The attempt with its time as text."""
        return {
            "endpoint": self.endpoint,
            "event_id": self.event_id,
            "type": self.type,
            "payment_id": self.payment_id,
            "attempt": self.number,
            "status": self.status,
            "outcome": self.outcome,
            "at": format_time(self.at),
        }


@dataclass(slots=True, eq=False)
class Shipment:
    """An event on its way to an endpoint.

    Attributes:
        copy: tells the deliveries of one event apart, where a fault doubles it.
        delay_s: what passes before it is sent at the earliest.
        after: it is held until all of these have happened; more may be added until it has started.
        forge_first: the first attempt is signed with a key that nobody has.
        lose_first_answer: the first answer that comes is thrown away.
        started: its first attempt is under way or made.
        tried: set when the first attempt is made.
        done: set when no attempt will follow.
    """

    event: Event
    endpoint: str
    payment_id: str
    copy: int = 0
    delay_s: float = 0.0
    after: list[asyncio.Event] = field(default_factory=list)
    forge_first: bool = False
    lose_first_answer: bool = False
    started: bool = False
    state: ShipmentState = ShipmentState.WAITING
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def can_be_held(self) -> bool:
        """Whether anything added to ``after`` would still hold it up."""
        return not self.started and not self.done.is_set()


class Courier:
    """Carries shipments, and everything else that takes its time, until told to stop.

    Args:
        seed: the pauses follow from it.
        endpoints: read at every attempt, so that a rotated secret counts at once.
        timing: how long things take.
    """

    def __init__(self, seed: int, endpoints: Endpoints, timing: Timing) -> None:
        self._seed = seed
        self._endpoints = endpoints
        self._timing = timing
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.shipments: list[Shipment] = []
        self.attempts: deque[Attempt] = deque(maxlen=ATTEMPTS_KEPT)
        self._counts: Counter[tuple[str, str]] = Counter()
        self.crashes: list[str] = []

    async def open(self) -> None:
        """Open the connections; nothing is sent before."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timing.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Drop what is on its way and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def ship(self, shipment: Shipment) -> None:
        """Start a delivery; one that was lost, or has nowhere to go, is only kept."""
        self.shipments.append(shipment)
        if shipment.state is ShipmentState.WAITING:
            if self._endpoints.get(shipment.endpoint).webhook_url is None:
                shipment.state = ShipmentState.NOT_SENT
            else:
                self.start(self._deliver(shipment))
                return
        shipment.tried.set()
        shipment.done.set()

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run something that `settled` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    @property
    def on_the_way(self) -> int:
        """How many deliveries and calls are not over yet."""
        return len(self._tasks)

    def counts_of(self, endpoint: str) -> Counter[str]:
        """How often each outcome of an attempt came at one endpoint."""
        return Counter({o: n for (name, o), n in self._counts.items() if name == endpoint})

    @property
    def counts(self) -> Counter[str]:
        """How often each outcome of an attempt came."""
        total: Counter[str] = Counter()
        for (_, outcome), times in self._counts.items():
            total[outcome] += times
        return total

    async def settled(self) -> None:
        """Return when nothing is on its way any more."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Told by settle's answer: a failing simulator must not look like a failing service.
            self.crashes.append(f"{type(error).__name__}: {error}")

    async def _deliver(self, shipment: Shipment) -> None:
        try:
            await asyncio.sleep(shipment.delay_s)
            while held_by := [event for event in shipment.after if not event.is_set()]:
                await held_by[0].wait()
            shipment.started = True
            await self._attempt_until_taken(shipment)
        finally:
            shipment.tried.set()
            shipment.done.set()

    async def _attempt_until_taken(self, shipment: Shipment) -> None:
        random = seeded(self._seed, "pauses", shipment.event.event_id, shipment.copy)
        for number in range(1, self._timing.attempts + 1):
            if number > 1:
                await asyncio.sleep(self._timing.pause_s(number - 1, random))
            taken = await self._attempt(shipment, number)
            shipment.tried.set()
            if taken:
                shipment.state = ShipmentState.DELIVERED
                return
        shipment.state = ShipmentState.GAVE_UP

    async def _attempt(self, shipment: Shipment, number: int) -> bool:
        endpoint = self._endpoints.get(shipment.endpoint)
        forged = shipment.forge_first and number == 1
        at = now()
        request = self._endpoints.provider(shipment.endpoint).signed(
            shipment.event, endpoint, at, forged=forged
        )
        status = await self._post(str(endpoint.webhook_url), request.body, request.headers)
        taken = status is not None and status in OK
        if status is not None and not forged and shipment.lose_first_answer:
            shipment.lose_first_answer = False
            status, taken, outcome = None, False, "answer_lost"
        elif forged:
            outcome = "forged_taken" if taken else "bad_signature"
        elif taken:
            outcome = "delivered"
        else:
            outcome = "no_answer" if status is None else "refused"
        self._counts[shipment.endpoint, outcome] += 1
        self.attempts.append(
            Attempt(
                shipment.endpoint,
                shipment.event.event_id,
                shipment.event.type,
                shipment.payment_id,
                number,
                status,
                outcome,
                at,
            )
        )
        return taken

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        if self._session is None:
            raise RuntimeError("the courier is not open")
        try:
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
