"""Payment providers: they tell the service by webhook, and the game's backend on their own.

Written from the providers' documentation alone, in each one's own shapes; what the service under
test does with them is not known here. Everything lives in memory and ends with the process.

`install` adds them to an application; `settings_lines` are the settings with which the service
takes their events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.sandbox.psp import handlers, stripe_api
from recon.sandbox.psp.endpoints import settings_lines
from recon.sandbox.psp.shipment import Timing
from recon.sandbox.psp.simulation import PSP, Simulation

if TYPE_CHECKING:
    from aiohttp import web

    from recon.sandbox.faults import Faults
    from recon.sandbox.psp.model import GameBackend

__all__ = ["PSP", "Simulation", "Timing", "install", "settings_lines"]


def install(
    app: web.Application,
    *,
    backend: GameBackend,
    faults: Faults,
    seed: int,
    service_url: str | None,
    timing: Timing | None = None,
) -> None:
    """Give an application the providers' routes and run their deliveries while it runs.

    Args:
        app: not frozen yet.
        backend: the game's books, told of every movement in the process.
        faults: what strikes payments; what it plants is the report to compare with.
        seed: ids, secrets and delays follow from it.
        service_url: events go to ``{service_url}/webhooks/{endpoint}``; None: nowhere, until an
            endpoint is given a ``webhook_url``.
        timing: how long things take; the default suits a demo of half a minute.
    """
    app[PSP] = simulation = Simulation(
        seed, service_url=service_url, backend=backend, faults=faults, timing=timing or Timing()
    )
    app.cleanup_ctx.append(simulation.run)
    app.router.add_routes(handlers.routes())
    app.router.add_routes(stripe_api.routes())
