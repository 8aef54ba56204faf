"""The service, a process of its own: ``python -m tests.benchmarks.serving VARIANT PORT``.

It is the application of ``recon serve`` with the same server around it; what a variant replaces is
what takes the verified deliveries in. The database's URL comes by the environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import uvloop
from aiohttp import web
from pydantic import SecretStr

from recon.app import build_app
from recon.cli.console import configure_logging
from recon.http.server import collect_seldom, make_runner
from recon.settings import Psp, Settings
from recon.webhooks import Drain
from recon.webhooks.model import Outcome, State
from recon.webhooks.receive import receive
from tests.benchmarks.traffic import ENDPOINT, SECRET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.db import Pool
    from recon.webhooks.model import Delivery

__all__ = ["URL_VARIABLE", "main"]

URL_VARIABLE = "BENCH_DATABASE_URL"
_CONNECTIONS = 32
_NO_QUOTA = 10**9


async def _nothing(pool: Pool, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Take deliveries in without a database."""
    del pool
    return [
        Outcome(delivery.delivery_id, delivery.event.event_id, State.BOOKED, None)
        for delivery in deliveries
    ]


class _NoDatabase(Drain):
    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, take_in=_nothing)


class _OneEach(Drain):
    """A transaction for each delivery, as many at once as there are connections."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._connections = pool

    async def take(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        return await receive(self._connections, deliveries)


_VARIANTS: dict[str, type[Drain]] = {
    "shared": Drain,
    "no-database": _NoDatabase,
    "one-each": _OneEach,
}


def _game() -> dict[str, Any]:
    """The game's settings, where there is a game."""
    names = ("game_url", "game_api_key", "game_signing_secret")
    found = {name: os.environ.get(f"RECON_{name.upper()}") for name in names}
    return {name: value for name, value in found.items() if value is not None}


async def _serve(variant: str, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings(
        psp={ENDPOINT: Psp(provider="standard-webhooks", secrets=(SecretStr(SECRET),))},
        reconcile_every=None,
        pool_size=_CONNECTIONS if variant == "one-each" else 16,
        # One caller places all the bets here.
        api_quota=_NO_QUOTA,
        api_quota_bets=_NO_QUOTA,
        **_game(),
    )
    with patch("recon.app.Drain", _VARIANTS[variant]):
        app = build_app(settings, os.environ[URL_VARIABLE], jobs=False)
        runner = make_runner(app)
        await runner.setup()
        collect_seldom()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, reuse_port=True).start()
        print(runner.addresses[0][1], flush=True)  # noqa: T201 - its port
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve until told to stop."""
    # As in production: a line of JSON for each delivery, which goes wherever stderr goes.
    configure_logging("info")
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2])))


if __name__ == "__main__":
    main()
