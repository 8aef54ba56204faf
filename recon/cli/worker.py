"""``worker``: the jobs alone."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import click
import structlog
import uvloop
from aiohttp import web

from recon.app import build_watch, open_game, run_worker
from recon.cli.context import settings_of
from recon.cli.log_alone import log_alone
from recon.cli.running import announce, told_to_end, traced
from recon.db import open_pool
from recon.game.watch import GameWatch
from recon.game.watching import watching
from recon.http.server import make_runner
from recon.opening import open_database_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from recon.settings import Settings

__all__ = ["worker"]

log = structlog.get_logger(__name__)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, help="Answer /healthz, /readyz and /metrics here; 0: any free.")
@click.option("--json", "as_json", is_flag=True, help='Say {"url": …} on stdout when ready.')
@click.pass_context
def worker(ctx: click.Context, host: str, port: int | None, *, as_json: bool) -> None:
    """Run the jobs alone.

    SIGTERM, SIGINT and SIGHUP end it; another worker goes on with its jobs.
    """
    with log_alone():
        settings = settings_of(ctx)
        with traced(settings):
            uvloop.run(_work(settings, host, port, as_json=as_json))


async def _work(settings: Settings, host: str, port: int | None, *, as_json: bool) -> None:
    told, watch = told_to_end(signal.SIGHUP), GameWatch()
    async with (
        open_database_url(settings) as url,
        open_pool(url, max_size=settings.pool_size) as pool,
        open_game(settings, watch) as game,
        watching(pool, game, watch),
        _watched(settings, pool, host, port, as_json=as_json),
    ):
        working = asyncio.create_task(run_worker(settings, pool, game))
        either: list[asyncio.Future[Any]] = [working, told]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            log.info("draining", signal=told.result().name)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    log.info("stopped")


@asynccontextmanager
async def _watched(
    settings: Settings, pool: Pool, host: str, port: int | None, *, as_json: bool
) -> AsyncIterator[None]:
    """Let others look after the worker: is it alive, is it ready, what are its numbers."""
    if port is None:
        yield
        return
    runner = make_runner(build_watch(settings, pool), shutdown_timeout_s=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        announce(host, runner.addresses[0][1], as_json=as_json, what="answers for its jobs at")
        yield
    finally:
        await runner.cleanup()
