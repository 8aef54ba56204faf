"""Delivery: every event is posted until it is taken or the attempts are used up.

As the providers do it, in a compressed time: the same bytes and event id at every attempt, a fresh
timestamp where the signature covers one, longer and longer pauses. Any 2xx is a delivery; whatever
else happens, a refused connection too, is an attempt that failed.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

import aiohttp

from recon.clock import now
from recon.sandbox.psp.drawing import seeded
from recon.sandbox.psp.shipment import Attempt, ShipmentState

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from recon.sandbox.psp.endpoints import Endpoints
    from recon.sandbox.psp.shipment import Shipment, Timing

__all__ = ["Courier"]

ATTEMPTS_KEPT: Final = 100_000
LANES: Final = 64
"""How many requests a provider has open at once."""

OK: Final = range(200, 300)


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
        self._lanes = asyncio.Semaphore(LANES)
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
        # The wait for a lane is the provider's own, and no part of the receiver's time to answer.
        async with self._lanes:
            try:
                async with self._session.post(
                    url, data=body, headers=headers, allow_redirects=False
                ) as response:
                    await response.read()
                    return response.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                return None
