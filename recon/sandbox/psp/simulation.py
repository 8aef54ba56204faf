"""The providers put together, and the key under which an application keeps them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from aiohttp import web

from recon.sandbox.psp.courier import Courier
from recon.sandbox.psp.endpoints import Endpoints
from recon.sandbox.psp.payments import Payments
from recon.sandbox.psp.reporting import Reporter
from recon.sandbox.psp.shipment import ShipmentState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.sandbox.faults import Faults
    from recon.sandbox.psp.model import GameBackend
    from recon.sandbox.psp.shipment import Timing

__all__ = ["PSP", "Counts", "Simulation"]


class Counts(TypedDict):
    """What was done so far.

    ``events`` counts deliveries of events by `ShipmentState`, ``attempts`` by outcome;
    ``crashes`` names faults of the simulator itself and is empty.
    """

    payments: int
    events: dict[str, int]
    attempts: dict[str, int]
    game_calls: int
    on_the_way: int
    crashes: list[str]


class Simulation:
    """Every provider of one sandbox.

    Args:
        seed: ids, secrets and delays follow from it.
        service_url: where the service listens.
        backend: the game's books.
        faults: what strikes payments.
        timing: how long things take.
    """

    def __init__(
        self,
        seed: int,
        *,
        service_url: str | None,
        backend: GameBackend,
        faults: Faults,
        timing: Timing,
    ) -> None:
        self.endpoints = Endpoints(seed, service_url)
        self.courier = Courier(seed, self.endpoints, timing)
        self._reporter = Reporter(
            seed, endpoints=self.endpoints, backend=backend, courier=self.courier, timing=timing
        )
        self.payments = Payments(
            seed, endpoints=self.endpoints, faults=faults, reporter=self._reporter
        )

    async def run(self, app: web.Application) -> AsyncIterator[None]:  # noqa: ARG002 - aiohttp's
        """Keep connections open while the application runs."""
        await self.courier.open()
        yield
        await self.courier.close()

    def counts(self, endpoint: str | None = None) -> Counts:
        """What was done, at one endpoint or at all; ``on_the_way`` and below are always of all."""
        shipments = [
            shipment
            for shipment in self.courier.shipments
            if endpoint is None or shipment.endpoint == endpoint
        ]
        states = Counter(str(shipment.state) for shipment in shipments)
        outcomes = self.courier.counts if endpoint is None else self.courier.counts_of(endpoint)
        return {
            "payments": len(self.payments) if endpoint is None else self.payments.at(endpoint),
            "events": {str(state): states[state] for state in ShipmentState},
            "attempts": dict(outcomes),
            "game_calls": self._reporter.game_calls,
            "on_the_way": self.courier.on_the_way,
            "crashes": list(self.courier.crashes),
        }


PSP = web.AppKey("PSP", Simulation)
"""Where an application keeps its providers."""
